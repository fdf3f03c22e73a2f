"""Answers joined with embeddings: what a head is fitted to, and tested on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from batchemo.bundles import Bundle
from batchemo.bundles.head import log_probabilities
from batchemo.common.arrays import Float32, Float64, Int64
from batchemo.common.text import counted, for_display
from batchemo.errors import UsageError
from batchemo.tables.embeddings import (
    ROWS_AT_A_TIME,
    fixed_size_matrix,
    open_embeddings,
)
from batchemo.tables.labels import NO_SPEECH, UNSURE, Key, Labels, key_of
from batchemo.tables.read import TableFile

if TYPE_CHECKING:
    import pyarrow as pa

LEFT_OUT = {
    "tie": "reviewers disagree, and no label has most of them",
    UNSURE: "the reviewers were unsure",
    NO_SPEECH: "there is no speech in it",
    "not in the embeddings": "it is not in the embeddings, or has none",
    "not a label": "its label is not among those of the adapted model",
}
"""Why an answer is not used."""


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Labelled recordings, or parts of recordings, and their windows with speech."""

    labels: tuple[str, ...]
    """Those that the head will have."""
    classes: Int64
    """Of each example."""
    keys: tuple[Key, ...]
    example_of_window: Int64
    embedding: Float64
    """(windows, size)"""
    log_probabilities: Float64
    """(windows, labels of the base)"""

    def __len__(self) -> int:
        return len(self.classes)

    def window_counts(self) -> Int64:
        """Return the number of windows of each example."""
        return np.bincount(self.example_of_window, minlength=len(self))

    def select(self, chosen: Int64) -> Examples:
        """Return the examples with these indices."""
        renumbered = np.full(len(self), -1)
        renumbered[chosen] = np.arange(len(chosen))
        windows = np.flatnonzero(renumbered[self.example_of_window] >= 0)
        return Examples(
            self.labels,
            self.classes[chosen],
            tuple(self.keys[index] for index in chosen),
            renumbered[self.example_of_window[windows]],
            self.embedding[windows],
            self.log_probabilities[windows],
        )


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """What is known of all recordings together: the centre and the size of their embeddings."""

    recordings: int
    centre: Float64
    radius: float
    """The root of the mean square distance from the centre."""


def agreed_labels(labels: Labels) -> tuple[dict[Key, str], Counter[str]]:
    """Return one label for each recording that has one, and how many have none, by reason.

    >>> from batchemo.tables.labels import Answer
    >>> said = [("a", "sad", "x"), ("a", "happy", "y"), ("b", "unsure", "x"), ("c", "sad", "x")]
    >>> answers = [Answer("/d", file, None, None, label, who) for file, label, who in said]
    >>> found, left_out = agreed_labels(Labels(answers))
    >>> [key.file for key in found], dict(left_out)
    (['c'], {'tie': 1, 'unsure': 1})
    """
    agreed = labels.agreed()
    found: dict[Key, str] = {}
    left_out: Counter[str] = Counter()
    for key, said in labels.current().items():
        if key not in agreed:
            left_out[UNSURE if set(said.values()) == {UNSURE} else "tie"] += 1
        elif agreed[key] == NO_SPEECH:
            left_out[NO_SPEECH] += 1
        else:
            found[key] = agreed[key]
    return found, left_out


def choose_labels(base: Sequence[str], answered: Mapping[Key, str]) -> tuple[str, ...]:
    """Return the labels of the adapted model: the answers' own where the model lacks one of them.

    Otherwise the model's: an emotion that nobody has heard yet may still come.

    >>> key = Key("/d", "a")
    >>> choose_labels(["sad", "happy"], {key: "sad"}), choose_labels(["sad"], {key: "bored"})
    (('sad', 'happy'), ('bored',))
    """
    found = set(answered.values())
    if found <= set(base):
        return tuple(base)
    known = tuple(label for label in base if label in found)
    return known + tuple(sorted(found - set(base)))


def check_table(path: Path, bundle: Bundle) -> TableFile:
    """Open the embeddings; a UsageError where they are not those of the model."""
    table = open_embeddings(path)
    if table.run.get("digest") != bundle.digest:
        made_by = for_display(str(table.run.get("model", "another model")))
        raise UsageError(
            f"{for_display(str(path))}: these embeddings are of {made_by}, and not of this "
            f"{bundle.name}: scan with --embeddings and --model {bundle.name} first"
        )
    return table


def read_examples(
    table: TableFile, bundle: Bundle, answered: Mapping[Key, str], labels: Sequence[str]
) -> tuple[Examples, Corpus, Counter[str]]:
    """Return the examples, the corpus, and how many answers are not used, by reason."""
    by_recording: dict[tuple[str, str], list[Key]] = {}
    left_out: Counter[str] = Counter()
    for key, label in answered.items():
        if label in labels:
            by_recording.setdefault((key.root, key.file), []).append(key)
        else:
            left_out["not a label"] += 1
    reader = _Reader(bundle, by_recording)
    for batch in table.batches(rows=ROWS_AT_A_TIME):
        reader.add(batch)
    keys = tuple(reader.keys)
    left_out["not in the embeddings"] += sum(map(len, by_recording.values())) - len(keys)
    if not keys:
        raise UsageError(
            f"none of the {counted(len(answered), 'labelled recording')} has an embedding in "
            f"{for_display(str(table.path))}: are root and file the same in both?"
        )
    classes = np.array([list(labels).index(answered[key]) for key in keys], np.int64)
    counts = [len(embedding) for embedding, _ in reader.windows]
    examples = Examples(
        tuple(labels),
        classes,
        keys,
        np.repeat(np.arange(len(keys)), counts),
        np.concatenate([embedding for embedding, _ in reader.windows]),
        np.concatenate([logs for _, logs in reader.windows]),
    )
    return examples, reader.corpus(), +left_out


class _Reader:
    """Collects the windows of labelled recordings, and the moments of all."""

    def __init__(
        self, bundle: Bundle, by_recording: Mapping[tuple[str, str], Sequence[Key]]
    ) -> None:
        self._bundle, self._by_recording = bundle, by_recording
        size = int(bundle.outputs["embedding"]["size"])
        self._count, self._squares, self._sum = 0, 0.0, np.zeros(size)
        self.keys: list[Key] = []
        self.windows: list[tuple[Float64, Float64]] = []

    def add(self, batch: pa.RecordBatch) -> None:
        batch = batch.filter(batch["embedding"].is_valid())
        means = fixed_size_matrix(batch["embedding"]).astype(np.float64)
        self._count += len(means)
        self._sum += means.sum(axis=0)
        self._squares += float(np.square(means).sum())
        names = zip(batch["root"].to_pylist(), batch["file"].to_pylist(), strict=True)
        turns = _turns_of(batch)
        for row, name in enumerate(names):
            for key in self._by_recording.get(name, ()):
                # Of a recording with several rows, an answer is about one turn.
                if turns is None or key_of(*name, *turns[row]) == key:
                    self._add_windows(key, batch["by_window"][row].values)

    def _add_windows(self, key: Key, windows: pa.StructArray) -> None:
        with_speech = windows.field("embedding").is_valid()
        windows = windows.filter(with_speech)
        starts, ends = (np.asarray(windows.field(name)) for name in ("start", "end"))
        chosen = _inside(key, starts, ends)
        if not chosen.any():
            return
        logits = fixed_size_matrix(windows.field("logits"))
        familiarity: Float32 | None = np.asarray(windows.field("familiarity"), np.float32)
        if "familiarity" not in self._bundle.outputs:
            familiarity = None
        logs = log_probabilities(logits, familiarity, self._bundle.calibration)
        embedding = fixed_size_matrix(windows.field("embedding")).astype(np.float64)
        self.keys.append(key)
        self.windows.append((embedding[chosen], logs[chosen]))

    def corpus(self) -> Corpus:
        """Return the moments of all recordings."""
        centre = self._sum / self._count
        variance = self._squares / self._count - float(centre @ centre)
        # A corpus of a single recording, or of equal ones, has no size of its own.
        return Corpus(self._count, centre, float(np.sqrt(variance)) if variance > 1e-9 else 1.0)


def _turns_of(batch: pa.RecordBatch) -> list[tuple[float | None, float | None]] | None:
    """Return the times of turns; None where each row is a recording."""
    if "start" not in batch.schema.names:
        return None
    return list(zip(batch["start"].to_pylist(), batch["end"].to_pylist(), strict=True))


def _inside(key: Key, starts: Float64, ends: Float64) -> np.ndarray:
    """Return which windows an answer is about: all, or those whose middle lies in its part.

    A part that is shorter than the windows is about the one in whose middle it lies best.
    """
    if key.start is None or key.end is None or not len(starts):
        return np.ones(len(starts), bool)
    middles = (starts + ends) / 2
    inside = (middles >= key.start) & (middles <= key.end)
    if not inside.any() and key.start < ends.max() and key.end > starts.min():
        inside[np.argmin(np.abs(middles - (key.start + key.end) / 2))] = True
    return inside
