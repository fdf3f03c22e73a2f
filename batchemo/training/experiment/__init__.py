"""Runs the trainings of an experiment and of its tests, calibrates them, and evaluates models."""
