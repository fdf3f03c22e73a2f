"""What is learnt from: items with their labels by number, drawn anew for every epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from batchemo.training.balance import Labels, oversampled
from batchemo.training.choices import Choices
from batchemo.training.items import Item
from batchemo.training.pictures import Float32


@dataclass(frozen=True, slots=True)
class Lessons:
    """Items in a fixed order: the windows of each, and the number of its label."""

    windows: tuple[Float32, ...]
    labels: Labels

    def scaling(self) -> tuple[Float32, Float32]:
        """The mean and the spread of each feature; where nothing varies, the spread is 1."""
        # Chunk by chunk: all frames of a corpus as float64 would take gigabytes.
        width = self.windows[0].shape[-1]
        total, squares, count = np.zeros(width), np.zeros(width), 0
        for windows in self.windows:
            rows = windows.reshape(-1, width).astype(np.float64)
            total += rows.sum(axis=0)
            count += len(rows)
        mean = total / count
        for windows in self.windows:
            squares += ((windows.reshape(-1, width) - mean) ** 2).sum(axis=0)
        spread = np.sqrt(squares / count)
        spread[spread < 1e-12] = 1.0
        return mean.astype(np.float32), spread.astype(np.float32)

    def epoch(self, number: int, choices: Choices) -> Iterator[tuple[Float32, Labels]]:
        """The batches of one epoch, the same for the same seed: one window of every item.

        Which window is drawn anew every epoch, so that an item weighs the same however long it is.
        """
        random = np.random.default_rng([choices.seed, number])
        places = np.arange(len(self.labels))
        if choices.oversample:
            places = oversampled(self.labels, random)
        random.shuffle(places)
        # Batches of nearly equal size: a last one of a single item would upset BatchNorm.
        for some in np.array_split(places, max(1, round(len(places) / choices.batch_size))):
            batch = [
                self.windows[place][random.integers(len(self.windows[place]))] for place in some
            ]
            yield np.stack(batch), self.labels[some]


def make_lessons(items: Sequence[Item], labels: Sequence[str]) -> Lessons:
    """Number the items' labels by their places among all labels."""
    numbers = [labels.index(item.example.emotion) for item in items]
    return Lessons(tuple(item.windows for item in items), np.array(numbers, np.intp))
