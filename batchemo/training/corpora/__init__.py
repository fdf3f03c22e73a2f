"""Labelled recordings: read by their names or by a manifest, each content once."""

from batchemo.training.corpora.example import EMOTIONS, KNOWN, Corpus, Duplicate, Example
from batchemo.training.corpora.names import LAYOUTS
from batchemo.training.corpora.read import read_corpus

__all__ = [
    "EMOTIONS",
    "KNOWN",
    "LAYOUTS",
    "Corpus",
    "Duplicate",
    "Example",
    "read_corpus",
]
