"""What is known of labelled recordings: who speaks, and which emotion they express."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
"""The classes of RAVDESS, in the order of its file names."""

WITHOUT_EQUAL = ("boredom",)
"""Labels of known corpora that none of `EMOTIONS` equals: left out unless they are asked for."""

KNOWN_LABELS = (*EMOTIONS, *WITHOUT_EQUAL)
"""The labels that are understood: those of all corpora that are read by file names."""

NO_EMOTION = ("neutral", "calm")
"""The classes that claim no emotion of a speaker."""


@dataclass(frozen=True, slots=True)
class Example:
    """One recording and what is known about it; a property that is not known is empty."""

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
    """The labels that occur, in the order of the `LabelVocabulary`."""
    duplicates: tuple[Duplicate, ...] = ()
    failures: tuple[tuple[Path, str], ...] = ()
    """Recordings that cannot be decoded and folders that cannot be listed, with the reasons."""
    unrecognised: tuple[Path, ...] = ()
    """Recordings left out because their file names do not fit the layout of their folder."""
    without_class: tuple[tuple[str, int], ...] = ()
    """Labels that equal none of the classes, and how many recordings were left out for each."""
