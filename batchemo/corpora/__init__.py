"""Labelled recordings: read by their names or by a manifest, each content once."""

from batchemo.corpora.example import (
    EMOTIONS,
    KNOWN,
    Corpus,
    Duplicate,
    Example,
)
from batchemo.corpora.layouts import LAYOUTS
from batchemo.corpora.read import read_corpus

__all__ = ["EMOTIONS", "KNOWN", "LAYOUTS", "Corpus", "Duplicate", "Example", "read_corpus"]
