"""Draws the batches of an epoch: every item once, or balanced by corpus and by class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from batchemo.common.arrays import Float32, Index
from batchemo.training.data.augment_spectrogram import mix_up
from batchemo.training.data.dataset import Dataset, oversample
from batchemo.training.data.effects import SpeakerShift
from batchemo.training.hyperparameters import Hyperparameters

MASKED = -1e9
"""Added to the logits of classes that do not compete: they get no probability."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Windows, the target distribution of each, and what is added to its logits."""

    windows: Float32
    targets: Float32
    logit_mask: Float32
    """0 for the classes that compete for the item's corpus, `MASKED` for the others."""


def draw_epoch(
    dataset: Dataset,
    number: int,
    hyperparameters: Hyperparameters,
    shift: SpeakerShift | None = None,
) -> Iterator[Batch]:
    """Yield the batches of one epoch; they depend on its number and the seed alone.

    One window of each item is drawn, another one in every epoch: so an item has the same weight
    however long it is.
    """
    random = np.random.default_rng([hyperparameters.seed, number])
    for groups in _draw_items(dataset, hyperparameters, random):
        yield _concatenate(
            [_make_batch(dataset, items, hyperparameters, shift, random) for items in groups]
        )


def steps_per_epoch(dataset: Dataset, hyperparameters: Hyperparameters) -> int:
    """Return how many batches an epoch has: as many as hold every item once.

    Where corpora are balanced, as many as hold each recording of the main corpus once, in whatever
    variant: neither augmentations nor other corpora make an epoch longer.
    """
    if not hyperparameters.other_corpora_share:
        return max(
            1,
            round(_items_drawn(dataset, hyperparameters) / hyperparameters.batch_size),
        )
    recordings = len(np.unique(dataset.recordings[dataset.corpora == 0]))
    from_main = hyperparameters.batch_size - _from_other_corpora(dataset, hyperparameters)
    return max(1, recordings // from_main)


def _items_drawn(dataset: Dataset, hyperparameters: Hyperparameters) -> int:
    if not hyperparameters.oversample:
        return len(dataset.labels)
    counts = np.bincount(dataset.labels)
    return int(counts.max()) * int(np.count_nonzero(counts))


def _draw_items(
    dataset: Dataset, hyperparameters: Hyperparameters, random: np.random.Generator
) -> Iterator[list[Index]]:
    """Yield the items of each batch, in groups that are augmented and mixed by themselves."""
    steps = steps_per_epoch(dataset, hyperparameters)
    if not hyperparameters.other_corpora_share:
        items = np.arange(len(dataset.labels))
        if hyperparameters.oversample:
            items = oversample(dataset.labels, random)
        random.shuffle(items)
        # Batches of nearly equal size: a last one of a single item would upset BatchNorm.
        for part in np.array_split(items, steps):
            yield [part]
        return
    from_others = _from_other_corpora(dataset, hyperparameters)
    others = len(np.unique(dataset.corpora)) - 1
    # Shares that are rounded together, so that they add up to what is left beside the main corpus.
    bounds = np.round(np.linspace(0, from_others, others + 1)).astype(int)
    counts = [hyperparameters.batch_size - from_others, *np.diff(bounds)]
    items_by_class = [_items_by_class(dataset, corpus) for corpus in range(others + 1)]
    for _ in range(steps):
        yield [
            _draw_balanced(by_class, count, random)
            for by_class, count in zip(items_by_class, counts, strict=True)
            if count
        ]


def _from_other_corpora(dataset: Dataset, hyperparameters: Hyperparameters) -> int:
    """Return how many items of a batch are not from the main corpus: never all."""
    if not dataset.corpora.any():
        return 0
    wanted = round(hyperparameters.batch_size * hyperparameters.other_corpora_share)
    return min(wanted, hyperparameters.batch_size - 1)


def _items_by_class(dataset: Dataset, corpus: int) -> list[Index]:
    in_corpus = dataset.corpora == corpus
    return [
        np.flatnonzero(in_corpus & (dataset.labels == label))
        for label in np.unique(dataset.labels[in_corpus])
    ]


def _draw_balanced(by_class: Sequence[Index], count: int, random: np.random.Generator) -> Index:
    """Draw items, each from a class that is drawn first."""
    classes = random.integers(len(by_class), size=count)
    sizes = np.array([len(items) for items in by_class])
    positions = random.integers(sizes[classes])
    drawn = zip(classes, positions, strict=True)
    return np.array([by_class[label][position] for label, position in drawn], np.intp)


def _make_batch(
    dataset: Dataset,
    items: Index,
    hyperparameters: Hyperparameters,
    shift: SpeakerShift | None,
    random: np.random.Generator,
) -> Batch:
    windows = [dataset.windows[item][random.integers(len(dataset.windows[item]))] for item in items]
    allowed = _allowed_classes(dataset, items, hyperparameters)
    smoothing = hyperparameters.label_smoothing
    targets = smoothing * allowed / allowed.sum(axis=1, keepdims=True)
    targets[np.arange(len(items)), dataset.labels[items]] += 1 - smoothing
    logit_mask = np.where(allowed > 0, 0, MASKED).astype(np.float32)
    stacked = np.stack(windows)
    if shift:
        speakers = dataset.speakers[items]
        stacked = stacked + shift.draw(speakers, hyperparameters.speaker_shift, random)
    if hyperparameters.mixup and random.random() < hyperparameters.mixup:
        stacked, targets = mix_up(stacked, targets, random)
    return Batch(stacked, targets.astype(np.float32), logit_mask)


def _allowed_classes(dataset: Dataset, items: Index, hyperparameters: Hyperparameters) -> Float32:
    """Return 1 for each class that an item may be taken for: all, or those of its corpus."""
    if not hyperparameters.other_corpora_share:
        return np.ones((len(items), dataset.classes), np.float32)
    return dataset.competing_classes()[dataset.corpora[items]].astype(np.float32)


def _concatenate(parts: Sequence[Batch]) -> Batch:
    return Batch(
        np.concatenate([part.windows for part in parts]),
        np.concatenate([part.targets for part in parts]),
        np.concatenate([part.logit_mask for part in parts]),
    )
