"""Trains the nets that bundles hold: recordings in, a verified bundle and honest figures out."""
