"""The batches of an epoch: every item once, or balanced; the same for the same seed."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_items import made_example

from batchemo.common.arrays import Float32, Index
from batchemo.training.data.batches import MASKED, Batch, draw_epoch, steps_per_epoch
from batchemo.training.data.dataset import Dataset, make_dataset
from batchemo.training.data.effects import SpeakerShift
from batchemo.training.data.feature_store import FeatureItem
from batchemo.training.hyperparameters import Hyperparameters

LABELS = ("neutral", "calm", "happy", "sad")
NEUTRAL, CALM, HAPPY, SAD = range(4)


def numbered(window_counts: list[int], labels: list[int] | None = None) -> Dataset:
    """Return items of so many windows; every window holds the numbers of its item and itself."""
    return make_dataset(
        [
            FeatureItem(
                made_example("a", LABELS[label], number),
                "original",
                np.array([[number, window] for window in range(count)], np.float32),
            )
            for number, (count, label) in enumerate(
                zip(window_counts, labels or [0] * len(window_counts), strict=True)
            )
        ],
        LABELS,
    )


def of_corpora(**corpora: str) -> Dataset:
    """Return a recording for each initial of a label; windows hold the number of the item."""
    label_of = {label[0]: label for label in LABELS}
    examples = [
        made_example("a", label_of[initial], take, corpus=corpus, statement=str(take))
        for corpus, initials in corpora.items()
        for take, initial in enumerate(initials)
    ]
    return make_dataset(
        [
            FeatureItem(
                replace(example, digest=f"{number}"),
                "original",
                np.full((1, 2), number, np.float32),
            )
            for number, example in enumerate(examples)
        ],
        LABELS,
    )


def epoch(dataset: Dataset, number: int = 0, **hyperparameters: object) -> list[Batch]:
    return list(draw_epoch(dataset, number, Hyperparameters(**hyperparameters)))


def epochs(dataset: Dataset, count: int, **hyperparameters: object) -> list[Batch]:
    return [batch for number in range(count) for batch in epoch(dataset, number, **hyperparameters)]


def windows_of(batches: list[Batch]) -> list[list[float]]:
    return np.concatenate([batch.windows for batch in batches]).tolist()


def targets_of(batches: list[Batch]) -> Float32:
    return np.concatenate([batch.targets for batch in batches])


def items_of(batch: Batch) -> Index:
    return batch.windows[:, 0].astype(np.intp)


def test_every_item_gives_one_window_an_epoch_and_keeps_its_label() -> None:
    labels = [0, 1, 2, 1, 0]

    batches = epoch(numbered([1, 5, 2, 9, 1], labels), batch_size=2)

    items = [int(item) for item, _ in windows_of(batches)]
    assert sorted(items) == [0, 1, 2, 3, 4]
    targets = dict(zip(items, targets_of(batches).tolist(), strict=True))
    assert targets == {item: np.eye(4)[label].tolist() for item, label in enumerate(labels)}


def test_over_many_epochs_every_window_is_drawn() -> None:
    drawn = {tuple(window) for window in windows_of(epochs(numbered([1, 4, 2]), 60))}

    assert drawn == {(0, 0), (1, 0), (1, 1), (1, 2), (1, 3), (2, 0), (2, 1)}


def test_the_order_of_draws_never_changes_so_that_trainings_can_be_repeated() -> None:
    """First the order of items, then the windows one by one: else the five recipes would change."""
    dataset = numbered([3, 1, 4, 2, 5, 9, 2])
    random = np.random.default_rng([5, 2])
    items = np.arange(7)
    random.shuffle(items)
    expected = [
        [[item, random.integers(len(dataset.windows[item]))] for item in part]
        for part in np.array_split(items, 2)
    ]

    batches = epoch(dataset, 2, seed=5, batch_size=3)

    assert [batch.windows.tolist() for batch in batches] == expected


BALANCED = {"other_corpora_share": 0.25, "label_smoothing": 0.1, "mixup": 0.5, "batch_size": 8}


@pytest.mark.parametrize("hyperparameters", [{}, {"oversample": True}, BALANCED], ids=str)
def test_an_epoch_depends_on_its_seed_and_number(hyperparameters: dict[str, object]) -> None:
    dataset = of_corpora(main="nchs" * 8, other="ns" * 8)

    def drawn(number: int, seed: int) -> list[list[list[float]]]:
        batches = epoch(dataset, number, seed=seed, **hyperparameters)
        return [windows_of(batches), targets_of(batches).tolist()]

    first = drawn(4, 1)
    assert drawn(4, 1) == first
    assert drawn(5, 1) != first
    assert drawn(4, 2) != first


@given(st.integers(1, 200), st.integers(1, 64))
def test_batches_are_nearly_equal_and_about_of_the_batch_size(items: int, batch_size: int) -> None:
    dataset = numbered([1] * items)

    batches = epoch(dataset, batch_size=batch_size)

    sizes = [len(batch.windows) for batch in batches]
    assert len(sizes) == steps_per_epoch(dataset, Hyperparameters(batch_size=batch_size))
    assert sum(sizes) == items
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= 1.5 * batch_size + 1


def test_with_oversampling_all_classes_come_equally_often() -> None:
    dataset = numbered([1, 1, 1, 1, 1, 2], [0, 0, 0, 0, 0, 1])

    batches = epoch(dataset, batch_size=4, oversample=True)

    assert targets_of(batches).sum(axis=0).tolist() == [5, 5, 0, 0]
    assert len(batches) == steps_per_epoch(dataset, Hyperparameters(batch_size=4, oversample=True))


def test_without_smoothing_targets_are_certain_and_no_class_is_masked() -> None:
    (batch,) = epoch(numbered([1, 1, 1], [NEUTRAL, HAPPY, SAD]))

    assert set(batch.targets.flatten()) == {0.0, 1.0}
    assert not batch.logit_mask.any()


def test_smoothing_spreads_its_share_over_all_classes() -> None:
    batch, *_ = epoch(numbered([1], [HAPPY]), label_smoothing=0.2)

    assert batch.targets.tolist() == [pytest.approx([0.05, 0.05, 0.85, 0.05])]


def test_smoothing_stays_within_the_classes_of_a_corpus_and_sums_to_1() -> None:
    dataset = of_corpora(main="nch" * 4, other="nnss")

    batch, *_ = epoch(dataset, label_smoothing=0.3, other_corpora_share=0.5, batch_size=8)

    expected = {
        (0, NEUTRAL): [0.8, 0.1, 0.1, 0],
        (0, CALM): [0.1, 0.8, 0.1, 0],
        (0, HAPPY): [0.1, 0.1, 0.8, 0],
        (1, NEUTRAL): [0.85, 0, 0, 0.15],
        (1, SAD): [0.15, 0, 0, 0.85],
    }
    for item, target in zip(items_of(batch), batch.targets, strict=True):
        assert target == pytest.approx(expected[dataset.corpora[item], dataset.labels[item]])


def test_classes_that_a_corpus_lacks_are_masked_for_its_recordings() -> None:
    dataset = of_corpora(main="nch" * 4, other="nnss")

    batch, *_ = epoch(dataset, other_corpora_share=0.5, batch_size=8)

    for item, mask in zip(items_of(batch), batch.logit_mask, strict=True):
        lacking = [SAD] if dataset.corpora[item] == 0 else [CALM, HAPPY]
        assert np.flatnonzero(mask == MASKED).tolist() == lacking
        assert np.count_nonzero(mask) == len(lacking)


def test_plain_speech_is_told_from_all_classes() -> None:
    dataset = of_corpora(main="nchs" * 4, plain="nn")

    batch, *_ = epoch(dataset, other_corpora_share=0.5, batch_size=8)

    assert 1 in dataset.corpora[items_of(batch)]
    assert not batch.logit_mask.any()


@pytest.mark.parametrize(
    ("others", "share", "expected"),
    [
        ({}, 0.25, {0: 16}),
        ({"b": "ns"}, 0.25, {0: 12, 1: 4}),
        ({"b": "ns"}, 0.5, {0: 8, 1: 8}),
        ({"b": "ns", "c": "h" * 40}, 0.25, {0: 12, 1: 2, 2: 2}),
        ({"b": "ns", "c": "h", "d": "s"}, 0.5, {0: 8, 1: 3, 2: 2, 3: 3}),
        ({"b": "ns", "c": "h"}, 0.05, {0: 15, 2: 1}),
    ],
)
def test_each_batch_has_the_share_of_other_corpora_whatever_their_size(
    others: dict[str, str], share: float, expected: dict[int, int]
) -> None:
    dataset = of_corpora(main="nchs" * 12, **others)

    batches = epoch(dataset, other_corpora_share=share, batch_size=16)

    assert batches
    for batch in batches:
        assert Counter(dataset.corpora[items_of(batch)].tolist()) == expected


def test_the_main_corpus_is_part_of_every_batch() -> None:
    dataset = of_corpora(main="nchs", other="ns")

    batch, *_ = epoch(dataset, other_corpora_share=0.99, batch_size=8)

    assert Counter(dataset.corpora[items_of(batch)].tolist()) == {0: 1, 1: 7}


def test_inside_each_corpus_classes_come_equally_often_however_rare() -> None:
    dataset = of_corpora(main="n" * 90 + "cchhss", other="n" * 30 + "s")

    batches = epochs(dataset, 40, other_corpora_share=0.5, batch_size=32)

    items = np.concatenate([items_of(batch) for batch in batches])
    for corpus, present in ((0, [NEUTRAL, CALM, HAPPY, SAD]), (1, [NEUTRAL, SAD])):
        labels = dataset.labels[items[dataset.corpora[items] == corpus]]
        shares = np.bincount(labels, minlength=4) / len(labels)
        assert shares[present] == pytest.approx(1 / len(present), abs=0.05)


def test_a_balanced_epoch_is_as_long_as_the_main_corpus_has_recordings() -> None:
    """Neither augmented copies nor the recordings of other corpora make an epoch longer."""
    dataset = of_corpora(main="nchs" * 12, other="ns" * 50)
    with_copies = replace(dataset, recordings=dataset.recordings // 2)
    balanced = Hyperparameters(other_corpora_share=0.25, batch_size=16)

    assert steps_per_epoch(dataset, balanced) == 48 // 12
    assert len(epoch(dataset, other_corpora_share=0.25, batch_size=16)) == 48 // 12
    assert steps_per_epoch(with_copies, balanced) == 24 // 12


def test_mixup_mixes_within_a_corpus_only() -> None:
    dataset = of_corpora(main="nc" * 6, other="hs" * 6)

    batches = epochs(dataset, 20, mixup=1.0, other_corpora_share=0.5, batch_size=8)

    mixed = 0
    for batch in batches:
        in_main = batch.logit_mask[:, NEUTRAL] == 0
        assert np.count_nonzero(in_main) == 4
        assert not batch.targets[in_main][:, [HAPPY, SAD]].any()
        assert not batch.targets[~in_main][:, [NEUTRAL, CALM]].any()
        assert (batch.windows[in_main] <= 11).all()
        assert (batch.windows[~in_main] >= 12).all()
        assert batch.targets.sum(axis=1) == pytest.approx(1)
        mixed += np.count_nonzero((batch.targets > 0).sum(axis=1) > 1)
    assert mixed > len(batches)


def test_mixup_is_applied_to_its_share_of_batches() -> None:
    dataset = numbered([1] * 8, [0, 1] * 4)

    def mixed_share(mixup: float) -> float:
        batches = epochs(dataset, 100, mixup=mixup, batch_size=8)
        return float(np.mean([(batch.windows % 1 != 0).any() for batch in batches]))

    assert mixed_share(0.0) == 0
    assert mixed_share(0.5) == pytest.approx(0.5, abs=0.15)
    assert mixed_share(1.0) > 0.9


def test_items_are_moved_to_other_speakers_and_keep_their_labels() -> None:
    dataset = of_corpora(main="nchs", other="nc")
    dataset = replace(dataset, speakers=np.arange(6))
    effects = 100 * np.arange(6, dtype=np.float32)[:, None].repeat(2, axis=1)
    hyperparameters = Hyperparameters(speaker_shift=1.0, batch_size=3)

    batches = list(draw_epoch(dataset, 0, hyperparameters, SpeakerShift(effects)))

    for batch in batches:
        assert (batch.windows % 100 != items_of(batch)[:, None]).any()
        items = (batch.windows[:, 0] % 100).astype(int)
        assert batch.targets.argmax(axis=1).tolist() == dataset.labels[items].tolist()
