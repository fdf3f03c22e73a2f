"""What is known of labelled recordings: who speaks, and what is expressed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
"""The classes of RAVDESS, in the order of its file names."""

KNOWN = (*EMOTIONS, "boredom")
"""The labels that need no explanation: those of all corpora that are read by their names."""


@dataclass(frozen=True, slots=True)
class Example:
    """One recording and what is known about it; what is not known is empty."""

    path: Path
    corpus: str
    speaker: str
    gender: str
    emotion: str
    intensity: str
    statement: str = ""
    language: str = ""
    channel: str = "speech"
    """ "speech" or "song"."""
    digest: str = ""
    """SHA-256 of the decoded signal: the same for every copy, whatever its name and container."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Two names of the same recording."""

    kept: Path
    dropped: Path


@dataclass(frozen=True, slots=True)
class Corpus:
    """Labelled recordings, each content once, in the order of their corpora and paths."""

    examples: tuple[Example, ...]
    labels: tuple[str, ...]
    """The labels that occur, in the order of the vocabulary."""
    duplicates: tuple[Duplicate, ...] = ()
    failures: tuple[tuple[Path, str], ...] = ()
    """What cannot be decoded (or listed, for a folder), and why."""
    unrecognised: tuple[Path, ...] = ()
    """Recordings left out because their names tell nothing in the layout of their folder."""
