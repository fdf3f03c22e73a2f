"""Draws the batches of an epoch: every item in turn, or balanced by corpus and by class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from batchemo.common.arrays import Float32, Index
from batchemo.training.data.augment_spectrogram import Augmentation, change_picture, mix_up
from batchemo.training.data.dataset import Dataset, oversampled
from batchemo.training.hyperparameters import Hyperparameters

OUT_OF_REACH = -1e9
"""Added to the logits of classes that a corpus does not have."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Windows, what they should be taken for, and which classes they could be taken for."""

    windows: Float32
    targets: Float32
    reach: Float32


def draw_epoch(dataset: Dataset, number: int, hyperparameters: Hyperparameters) -> Iterator[Batch]:
    """The batches of one epoch, the same for the same seed: one window of every item drawn.

    Which window is drawn anew every time, so that an item weighs the same however long it is.
    """
    random = np.random.default_rng([hyperparameters.seed, number])
    for parts in _parts(dataset, hyperparameters, random):
        yield _join([_draw(dataset, places, hyperparameters, random) for places in parts])


def steps(dataset: Dataset, hyperparameters: Hyperparameters) -> int:
    """How many batches an epoch has: as many as hear every recording once, as it is or as a copy.

    Where corpora are balanced, only the recordings of the one at home are counted.
    """
    if not hyperparameters.other_corpora_share:
        return max(1, round(_turns(dataset, hyperparameters) / hyperparameters.batch_size))
    recordings = len(np.unique(dataset.recordings[dataset.corpora == 0]))
    return max(1, recordings // (hyperparameters.batch_size - _abroad(dataset, hyperparameters)))


def _turns(dataset: Dataset, hyperparameters: Hyperparameters) -> int:
    if not hyperparameters.oversample:
        return len(dataset.labels)
    counts = np.bincount(dataset.labels)
    return int(counts.max()) * int(np.count_nonzero(counts))


def _parts(
    dataset: Dataset, hyperparameters: Hyperparameters, random: np.random.Generator
) -> Iterator[list[Index]]:
    """The places of each batch's items; those of each group of corpora by themselves."""
    if not hyperparameters.other_corpora_share:
        places = np.arange(len(dataset.labels))
        if hyperparameters.oversample:
            places = oversampled(dataset.labels, random)
        random.shuffle(places)
        # Batches of nearly equal size: a last one of a single item would upset BatchNorm.
        for some in np.array_split(places, steps(dataset, hyperparameters)):
            yield [some]
        return
    other_corpora_share = _abroad(dataset, hyperparameters)
    others = len(np.unique(dataset.corpora)) - 1
    shares = (
        np.diff(np.round(np.linspace(0, other_corpora_share, others + 1)).astype(int))
        if others
        else ()
    )
    counts = [hyperparameters.batch_size - other_corpora_share, *shares]
    corpora = [_by_class(dataset, corpus) for corpus in range(others + 1)]
    for _ in range(steps(dataset, hyperparameters)):
        yield [
            _balanced(own, count, random)
            for own, count in zip(corpora, counts, strict=True)
            if count
        ]


def _abroad(dataset: Dataset, hyperparameters: Hyperparameters) -> int:
    """How many items of a batch are of other corpora than the one at home."""
    if not dataset.corpora.any():
        return 0
    return min(
        round(hyperparameters.batch_size * hyperparameters.other_corpora_share),
        hyperparameters.batch_size - 1,
    )


def _by_class(dataset: Dataset, corpus: int) -> list[Index]:
    own = dataset.corpora == corpus
    return [
        np.flatnonzero(own & (dataset.labels == label)) for label in np.unique(dataset.labels[own])
    ]


def _balanced(by_class: Sequence[Index], count: int, random: np.random.Generator) -> Index:
    """Some places, each of a random class."""
    classes = random.integers(len(by_class), size=count)
    return np.array([random.choice(by_class[label]) for label in classes], np.intp)


def _draw(
    dataset: Dataset, places: Index, hyperparameters: Hyperparameters, random: np.random.Generator
) -> Batch:
    windows = [
        dataset.windows[place][random.integers(len(dataset.windows[place]))] for place in places
    ]
    if hyperparameters.augment_spectrograms:
        if dataset.floor is None:
            raise ValueError("only pictures whose padding is known can be changed")
        how = Augmentation(floor=dataset.floor)
        windows = [change_picture(window, how, random) for window in windows]
    within = _within(dataset, places, hyperparameters)
    targets = hyperparameters.label_smoothing * within / within.sum(axis=1, keepdims=True)
    targets[np.arange(len(places)), dataset.labels[places]] += 1 - hyperparameters.label_smoothing
    reach = np.where(within > 0, 0, OUT_OF_REACH).astype(np.float32)
    pictures = np.stack(windows)
    if hyperparameters.mixup and random.random() < hyperparameters.mixup:
        pictures, targets = mix_up(pictures, targets, random)
    return Batch(pictures, targets.astype(np.float32), reach)


def _within(dataset: Dataset, places: Index, hyperparameters: Hyperparameters) -> Float32:
    """1 for the classes that an item could be taken for: all, or those of its corpus."""
    within = np.ones((len(places), dataset.classes), np.float32)
    if hyperparameters.other_corpora_share:
        for corpus in np.unique(dataset.corpora[places]):
            present = np.unique(dataset.labels[dataset.corpora == corpus])
            rows = np.isin(np.arange(dataset.classes), present).astype(np.float32)
            within[dataset.corpora[places] == corpus] = rows
    return within


def _join(parts: Sequence[Batch]) -> Batch:
    return Batch(
        np.concatenate([part.windows for part in parts]),
        np.concatenate([part.targets for part in parts]),
        np.concatenate([part.reach for part in parts]),
    )
