"""Parsers of containers and codecs, for what libsndfile does not report."""
