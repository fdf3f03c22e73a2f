"""Recordings with known emotions: which there are, who speaks, and what is expressed."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from batchemo.errors import UsageError

EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
"""The classes of RAVDESS, in the order of its file names."""

_COLUMNS = ("file", "corpus", "speaker", "gender", "emotion", "intensity")


@dataclass(frozen=True, slots=True)
class Example:
    """One recording and what is known about it."""

    path: Path
    corpus: str
    speaker: str
    gender: str
    emotion: str
    intensity: str


def read_corpora(folder: Path, corpora: Sequence[str]) -> tuple[Example, ...]:
    """The recordings of some corpora, in the order of the folder's `manifest.csv`."""
    manifest = folder / "manifest.csv"
    try:
        with manifest.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise UsageError(f"{manifest}: cannot be read: {error.strerror}") from error
    if not rows or set(_COLUMNS) - rows[0].keys():
        raise UsageError(f"{manifest}: needs rows with the columns {', '.join(_COLUMNS)}")
    examples = tuple(
        Example(folder / row["file"], *(row[column] for column in _COLUMNS[1:]))
        for row in rows
        if row["corpus"] in corpora
    )
    if missing := sorted(set(corpora) - {example.corpus for example in examples}):
        raise UsageError(f"{manifest}: has no recordings of {', '.join(missing)}")
    if unknown := sorted({example.emotion for example in examples} - set(EMOTIONS)):
        raise UsageError(
            f"{manifest}: unknown emotions {', '.join(unknown)}; known are {', '.join(EMOTIONS)}"
        )
    return examples
