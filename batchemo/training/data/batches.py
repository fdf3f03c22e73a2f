"""Draws the batches of an epoch: every item in turn, or balanced by corpus and by class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from batchemo.common.arrays import Float32, Index
from batchemo.training.data.augment_spectrogram import Augmentation, change_picture, mix_up
from batchemo.training.data.dataset import Lessons, oversampled
from batchemo.training.hyperparameters import Choices

OUT_OF_REACH = -1e9
"""Added to the logits of classes that a corpus does not have."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Windows, what they should be taken for, and which classes they could be taken for."""

    windows: Float32
    targets: Float32
    reach: Float32


def draw_epoch(lessons: Lessons, number: int, choices: Choices) -> Iterator[Batch]:
    """The batches of one epoch, the same for the same seed: one window of every item drawn.

    Which window is drawn anew every time, so that an item weighs the same however long it is.
    """
    random = np.random.default_rng([choices.seed, number])
    for parts in _parts(lessons, choices, random):
        yield _join([_draw(lessons, places, choices, random) for places in parts])


def steps(lessons: Lessons, choices: Choices) -> int:
    """How many batches an epoch has: as many as hear every recording once, as it is or as a copy.

    Where corpora are balanced, only the recordings of the one at home are counted.
    """
    if not choices.abroad:
        return max(1, round(_turns(lessons, choices) / choices.batch_size))
    recordings = len(np.unique(lessons.recordings[lessons.corpora == 0]))
    return max(1, recordings // (choices.batch_size - _abroad(lessons, choices)))


def _turns(lessons: Lessons, choices: Choices) -> int:
    if not choices.oversample:
        return len(lessons.labels)
    counts = np.bincount(lessons.labels)
    return int(counts.max()) * int(np.count_nonzero(counts))


def _parts(
    lessons: Lessons, choices: Choices, random: np.random.Generator
) -> Iterator[list[Index]]:
    """The places of each batch's items; those of each group of corpora by themselves."""
    if not choices.abroad:
        places = np.arange(len(lessons.labels))
        if choices.oversample:
            places = oversampled(lessons.labels, random)
        random.shuffle(places)
        # Batches of nearly equal size: a last one of a single item would upset BatchNorm.
        for some in np.array_split(places, steps(lessons, choices)):
            yield [some]
        return
    abroad = _abroad(lessons, choices)
    others = len(np.unique(lessons.corpora)) - 1
    shares = np.diff(np.round(np.linspace(0, abroad, others + 1)).astype(int)) if others else ()
    counts = [choices.batch_size - abroad, *shares]
    corpora = [_by_class(lessons, corpus) for corpus in range(others + 1)]
    for _ in range(steps(lessons, choices)):
        yield [
            _balanced(own, count, random)
            for own, count in zip(corpora, counts, strict=True)
            if count
        ]


def _abroad(lessons: Lessons, choices: Choices) -> int:
    """How many items of a batch are of other corpora than the one at home."""
    if not lessons.corpora.any():
        return 0
    return min(round(choices.batch_size * choices.abroad), choices.batch_size - 1)


def _by_class(lessons: Lessons, corpus: int) -> list[Index]:
    own = lessons.corpora == corpus
    return [
        np.flatnonzero(own & (lessons.labels == label)) for label in np.unique(lessons.labels[own])
    ]


def _balanced(by_class: Sequence[Index], count: int, random: np.random.Generator) -> Index:
    """Some places, each of a random class."""
    classes = random.integers(len(by_class), size=count)
    return np.array([random.choice(by_class[label]) for label in classes], np.intp)


def _draw(lessons: Lessons, places: Index, choices: Choices, random: np.random.Generator) -> Batch:
    windows = [
        lessons.windows[place][random.integers(len(lessons.windows[place]))] for place in places
    ]
    if choices.augment:
        if lessons.floor is None:
            raise ValueError("only pictures whose padding is known can be changed")
        how = Augmentation(floor=lessons.floor)
        windows = [change_picture(window, how, random) for window in windows]
    within = _within(lessons, places, choices)
    targets = choices.smoothing * within / within.sum(axis=1, keepdims=True)
    targets[np.arange(len(places)), lessons.labels[places]] += 1 - choices.smoothing
    reach = np.where(within > 0, 0, OUT_OF_REACH).astype(np.float32)
    pictures = np.stack(windows)
    if choices.mixup and random.random() < choices.mixup:
        pictures, targets = mix_up(pictures, targets, random)
    return Batch(pictures, targets.astype(np.float32), reach)


def _within(lessons: Lessons, places: Index, choices: Choices) -> Float32:
    """1 for the classes that an item could be taken for: all, or those of its corpus."""
    within = np.ones((len(places), lessons.classes), np.float32)
    if choices.abroad:
        for corpus in np.unique(lessons.corpora[places]):
            present = np.unique(lessons.labels[lessons.corpora == corpus])
            rows = np.isin(np.arange(lessons.classes), present).astype(np.float32)
            within[lessons.corpora[places] == corpus] = rows
    return within


def _join(parts: Sequence[Batch]) -> Batch:
    return Batch(
        np.concatenate([part.windows for part in parts]),
        np.concatenate([part.targets for part in parts]),
        np.concatenate([part.reach for part in parts]),
    )
