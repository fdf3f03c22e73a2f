"""Measures commands beside each other, and writes what came of it."""
