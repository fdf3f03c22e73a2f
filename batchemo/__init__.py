"""Finds the emotion expressed in speech recordings, for whole corpora."""

__version__ = "0.1.0"
