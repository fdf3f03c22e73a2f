"""Draws balanced batches: by corpus, and inside each corpus by class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from batchemo.training.augment import Augmentation, change_picture, mix_up
from batchemo.training.corpora import EMOTIONS
from batchemo.training.options import FitOptions
from batchemo.training.pictures import Clip, Float32

OUT_OF_REACH = -1e9
"""Added to the logits of classes that a corpus does not have."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Pictures, what they should be taken for, and which classes they could be taken for."""

    pictures: Float32
    targets: Float32
    reach: Float32


class Corpus:
    """The clips of one corpus, drawn so that each of its classes is as frequent as any other."""

    def __init__(self, clips: Sequence[Clip]) -> None:
        present = sorted({clip.label for clip in clips})
        self.size = len(clips)
        self._by_label = {
            label: [clip for clip in clips if clip.label == label] for label in present
        }
        self._reach = np.full(len(EMOTIONS), OUT_OF_REACH, np.float32)
        self._reach[present] = 0

    def draw(self, count: int, options: FitOptions, random: np.random.Generator) -> Batch:
        """Some pictures, each of a random class, recording, window and variant, and changed."""
        labels = random.choice(list(self._by_label), size=count)
        how = options.augmentation
        pictures = np.stack([self._picture(int(label), how, random) for label in labels])
        within = (self._reach == 0).astype(np.float32)
        targets = np.tile(options.smoothing * within / within.sum(), (count, 1))
        targets[np.arange(count), labels] += 1 - options.smoothing
        return Batch(*mix_up(pictures, targets, how, random), np.tile(self._reach, (count, 1)))

    def _picture(self, label: int, how: Augmentation, random: np.random.Generator) -> Float32:
        clips = self._by_label[label]
        pictures = clips[random.integers(len(clips))].pictures
        picture = pictures[random.integers(len(pictures))]
        return change_picture(picture.astype(np.float32), how, random)


class Batches:
    """The batches of every epoch, the same for the same seed.

    An epoch is as long as the first clip's corpus; recordings of others are mixed in.
    """

    def __init__(self, clips: Sequence[Clip], options: FitOptions) -> None:
        home = clips[0].example.corpus
        others = [clip for clip in clips if clip.example.corpus != home]
        self._options = options
        self._near = Corpus([clip for clip in clips if clip.example.corpus == home])
        self._far = Corpus(others) if others else None
        self._abroad = round(options.batch_size * options.foreign_share) if others else 0
        self._at_home = options.batch_size - self._abroad
        self.steps = max(1, self._near.size // self._at_home)
        """Batches an epoch."""

    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of one epoch, counted from 0."""
        random = np.random.default_rng([self._options.seed, number])
        for _ in range(self.steps):
            near = self._near.draw(self._at_home, self._options, random)
            if self._far is None:
                yield near
            else:
                yield _join(near, self._far.draw(self._abroad, self._options, random))


def _join(one: Batch, other: Batch) -> Batch:
    return Batch(
        np.concatenate([one.pictures, other.pictures]),
        np.concatenate([one.targets, other.targets]),
        np.concatenate([one.reach, other.reach]),
    )
