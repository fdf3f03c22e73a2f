"""Labelled recordings: read by their file names or from a manifest, each content once.

In reading order: `example` (what is known of a recording), `labels` (one spelling each), `layouts`
(file names of well-known corpora), `folder` and `manifest` (the two ways to read examples),
`duplicates`, and `read` (all of these together).
"""

from batchemo.corpora.example import (
    EMOTIONS,
    KNOWN_LABELS,
    NO_EMOTION,
    Corpus,
    Duplicate,
    Example,
)
from batchemo.corpora.layouts import LAYOUTS
from batchemo.corpora.read import read_corpus

__all__ = [
    "EMOTIONS",
    "KNOWN_LABELS",
    "LAYOUTS",
    "NO_EMOTION",
    "Corpus",
    "Duplicate",
    "Example",
    "read_corpus",
]
