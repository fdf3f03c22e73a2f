"""Measures commands in turn and compares their speed; see benchmarks/peers.py and compare.py."""
