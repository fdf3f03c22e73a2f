"""The batches of an epoch: every item in turn, or balanced; the same for the same seed."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_items import made_example

from batchemo.training.data.batches import (
    OUT_OF_REACH,
    Batch,
    draw_epoch,
    steps,
)
from batchemo.training.data.dataset import Dataset, make_dataset
from batchemo.training.data.feature_store import FeatureItem
from batchemo.training.hyperparameters import Hyperparameters

LABELS = ("neutral", "calm", "happy", "sad")
NEUTRAL, CALM, HAPPY, SAD = range(4)


def numbered(counts: list[int], labels: list[int] | None = None) -> Dataset:
    """Items of so many windows; every window holds its item's place, and its own."""
    return make_dataset(
        [
            FeatureItem(
                made_example("a", LABELS[label], place),
                "original",
                np.array([[place, own] for own in range(count)], np.float32),
            )
            for place, (count, label) in enumerate(
                zip(counts, labels or [0] * len(counts), strict=True)
            )
        ],
        LABELS,
    )


def travelled(**corpora: str) -> Dataset:
    """Recordings by corpus, each named by the first letter of its label; windows tell the place."""
    told = {label[0]: label for label in LABELS}
    examples = [
        made_example("a", told[letter], take, corpus=corpus, statement=str(take))
        for corpus, letters in corpora.items()
        for take, letter in enumerate(letters)
    ]
    return make_dataset(
        [
            FeatureItem(
                replace(one, digest=f"{place}"), "original", np.full((1, 2), place, np.float32)
            )
            for place, one in enumerate(examples)
        ],
        LABELS,
    )


def epoch(dataset: Dataset, number: int = 0, **hyperparameters: object) -> list[Batch]:
    return list(draw_epoch(dataset, number, Hyperparameters(**hyperparameters)))


def epochs(dataset: Dataset, count: int, **hyperparameters: object) -> list[Batch]:
    return [batch for number in range(count) for batch in epoch(dataset, number, **hyperparameters)]


def windows_of(batches: list[Batch]) -> list[list[float]]:
    return np.concatenate([batch.windows for batch in batches]).tolist()


def places_of(batch: Batch) -> np.ndarray:
    return batch.windows[:, 0].astype(int)


def output_paths(batches: list[Batch]) -> np.ndarray:
    return np.concatenate([batch.targets for batch in batches])


def test_every_item_gives_one_window_an_epoch_and_keeps_its_label() -> None:
    dataset = numbered([1, 5, 2, 9, 1], [0, 1, 2, 1, 0])

    batches = epoch(dataset, batch_size=2)

    places = [int(place) for place, _ in windows_of(batches)]
    assert sorted(places) == [0, 1, 2, 3, 4]
    told = dict(zip(places, output_paths(batches).tolist(), strict=True))
    assert told == {place: np.eye(4)[label].tolist() for place, label in enumerate((0, 1, 2, 1, 0))}


def test_over_many_epochs_every_window_has_its_turn() -> None:
    seen = {tuple(window) for window in windows_of(epochs(numbered([1, 4, 2]), 60))}

    assert seen == {(0, 0), (1, 0), (1, 1), (1, 2), (1, 3), (2, 0), (2, 1)}


def test_an_epoch_draws_as_ever_so_that_older_trainings_can_be_made_again() -> None:
    """First the order, then the windows one by one: else the five systems would change."""
    dataset = numbered([3, 1, 4, 2, 5, 9, 2])
    random = np.random.default_rng([5, 2])
    places = np.arange(7)
    random.shuffle(places)
    wanted = [
        [[place, random.integers(len(dataset.windows[place]))] for place in some]
        for some in np.array_split(places, 2)
    ]

    batches = epoch(dataset, 2, seed=5, batch_size=3)

    assert [batch.windows.tolist() for batch in batches] == wanted


BALANCED = {"abroad": 0.25, "smoothing": 0.1, "mixup": 0.5, "batch_size": 8}


@pytest.mark.parametrize("hyperparameters", [{}, {"oversample": True}, BALANCED], ids=str)
def test_an_epoch_is_the_same_for_the_same_seed_and_number_and_another_for_another(
    hyperparameters: dict[str, object],
) -> None:
    dataset = travelled(main_corpus="nchs" * 8, other="ns" * 8)

    def drawn(number: int, seed: int) -> list[list[list[float]]]:
        batches = epoch(dataset, number, seed=seed, **hyperparameters)
        return [windows_of(batches), output_paths(batches).tolist()]

    first = drawn(4, 1)
    assert drawn(4, 1) == first
    assert drawn(5, 1) != first
    assert drawn(4, 2) != first


@given(st.integers(1, 200), st.integers(1, 64))
def test_batches_are_nearly_equal_and_about_as_large_as_wanted(items: int, wanted: int) -> None:
    dataset = numbered([1] * items)

    batches = epoch(dataset, batch_size=wanted)

    sizes = [len(batch.windows) for batch in batches]
    assert len(sizes) == steps(dataset, Hyperparameters(batch_size=wanted))
    assert sum(sizes) == items
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= 1.5 * wanted + 1


def test_with_oversampling_all_classes_come_equally_often() -> None:
    dataset = numbered([1, 1, 1, 1, 1, 2], [0, 0, 0, 0, 0, 1])

    batches = epoch(dataset, batch_size=4, oversample=True)

    assert output_paths(batches).sum(axis=0).tolist() == [5, 5, 0, 0]
    assert len(batches) == steps(dataset, Hyperparameters(batch_size=4, oversample=True))


def test_without_smoothing_targets_are_certain_and_every_class_is_in_reach() -> None:
    (batch,) = epoch(numbered([1, 1, 1], [NEUTRAL, HAPPY, SAD]))

    assert set(batch.targets.flatten()) == {0.0, 1.0}
    assert not batch.reach.any()


def test_smoothing_spreads_its_share_over_all_classes() -> None:
    batch, *_ = epoch(numbered([1], [HAPPY]), label_smoothing=0.2)

    assert batch.targets.tolist() == [pytest.approx([0.05, 0.05, 0.85, 0.05])]


def test_smoothing_stays_within_the_classes_of_a_corpus_and_sums_to_1() -> None:
    dataset = travelled(main_corpus="nch" * 4, other="nnss")

    batch, *_ = epoch(dataset, label_smoothing=0.3, other_corpora_share=0.5, batch_size=8)

    wanted = {
        (0, NEUTRAL): [0.8, 0.1, 0.1, 0],
        (0, CALM): [0.1, 0.8, 0.1, 0],
        (0, HAPPY): [0.1, 0.1, 0.8, 0],
        (1, NEUTRAL): [0.85, 0, 0, 0.15],
        (1, SAD): [0.15, 0, 0, 0.85],
    }
    for place, target in zip(places_of(batch), batch.targets, strict=True):
        assert target == pytest.approx(wanted[dataset.corpora[place], dataset.labels[place]])


def test_classes_that_a_corpus_lacks_are_out_of_reach_for_its_recordings() -> None:
    dataset = travelled(main_corpus="nch" * 4, other="nnss")

    batch, *_ = epoch(dataset, other_corpora_share=0.5, batch_size=8)

    for place, reach in zip(places_of(batch), batch.reach, strict=True):
        lacking = [SAD] if dataset.corpora[place] == 0 else [CALM, HAPPY]
        assert np.flatnonzero(reach == OUT_OF_REACH).tolist() == lacking
        assert np.count_nonzero(reach) == len(lacking)


@pytest.mark.parametrize(
    ("others", "abroad", "wanted"),
    [
        ({}, 0.25, {0: 16}),
        ({"b": "ns"}, 0.25, {0: 12, 1: 4}),
        ({"b": "ns"}, 0.5, {0: 8, 1: 8}),
        ({"b": "ns", "c": "h" * 40}, 0.25, {0: 12, 1: 2, 2: 2}),
        ({"b": "ns", "c": "h", "d": "s"}, 0.5, {0: 8, 1: 3, 2: 2, 3: 3}),
        ({"b": "ns", "c": "h"}, 0.05, {0: 15, 2: 1}),
    ],
)
def test_each_batch_has_its_share_of_other_corpora_whatever_their_size(
    others: dict[str, str], other_corpora_share: float, wanted: dict[int, int]
) -> None:
    dataset = travelled(main_corpus="nchs" * 12, **others)

    batches = epoch(dataset, other_corpora_share=other_corpora_share, batch_size=16)

    assert batches
    for batch in batches:
        assert Counter(dataset.corpora[places_of(batch)].tolist()) == wanted


def test_the_corpus_at_home_always_has_its_part() -> None:
    dataset = travelled(main_corpus="nchs", other="ns")

    batch, *_ = epoch(dataset, other_corpora_share=0.99, batch_size=8)

    assert Counter(dataset.corpora[places_of(batch)].tolist()) == {0: 1, 1: 7}


def test_inside_each_corpus_classes_come_equally_often_however_rare() -> None:
    dataset = travelled(main_corpus="n" * 90 + "cchhss", other="n" * 30 + "s")

    batches = epochs(dataset, 40, other_corpora_share=0.5, batch_size=32)

    places = np.concatenate([places_of(batch) for batch in batches])
    for corpus, present in ((0, [NEUTRAL, CALM, HAPPY, SAD]), (1, [NEUTRAL, SAD])):
        labels = dataset.labels[places[dataset.corpora[places] == corpus]]
        shares = np.bincount(labels, minlength=4) / len(labels)
        assert shares[present] == pytest.approx(1 / len(present), abs=0.05)


def test_a_balanced_epoch_hears_as_many_as_the_corpus_at_home_has_recordings() -> None:
    """Copies make no epoch longer, nor do the recordings of other corpora."""
    dataset = travelled(main_corpus="nchs" * 12, other="ns" * 50)
    copied = replace(dataset, recordings=dataset.recordings // 2)

    assert steps(dataset, Hyperparameters(other_corpora_share=0.25, batch_size=16)) == 48 // 12
    assert len(epoch(dataset, other_corpora_share=0.25, batch_size=16)) == 48 // 12
    assert steps(copied, Hyperparameters(other_corpora_share=0.25, batch_size=16)) == 24 // 12


def test_mixup_blends_within_a_corpus_only() -> None:
    dataset = travelled(main_corpus="nc" * 6, other="hs" * 6)
    other_corpora_share = {"abroad": 0.5, "batch_size": 8}

    batches = epochs(dataset, 20, mixup=1.0, **other_corpora_share)

    blended = 0
    for batch in batches:
        at_home = batch.reach[:, NEUTRAL] == 0
        assert np.count_nonzero(at_home) == 4
        assert not batch.targets[at_home][:, [HAPPY, SAD]].any()
        assert not batch.targets[~at_home][:, [NEUTRAL, CALM]].any()
        assert (batch.windows[at_home] <= 11).all()
        assert (batch.windows[~at_home] >= 12).all()
        assert batch.targets.sum(axis=1) == pytest.approx(1)
        blended += np.count_nonzero((batch.targets > 0).sum(axis=1) > 1)
    assert blended > len(batches)


def test_mixup_happens_to_its_share_of_batches() -> None:
    dataset = numbered([1] * 8, [0, 1] * 4)

    def blended(share: float) -> float:
        batches = epochs(dataset, 100, mixup=share, batch_size=8)
        return float(np.mean([(batch.windows % 1 != 0).any() for batch in batches]))

    assert blended(0.0) == 0
    assert blended(0.5) == pytest.approx(0.5, abs=0.15)
    assert blended(1.0) > 0.9


def test_with_augment_pictures_are_of_one_length_and_never_the_same() -> None:
    picture = np.random.default_rng(0).normal(size=(1, 300, 8)).astype(np.float32)
    items = [FeatureItem(made_example("a", "sad"), "original", picture)]
    dataset = make_dataset(items, LABELS, floor=-2.0)

    one, other = (epoch(dataset, number, augment_spectrograms=True)[0].windows for number in (0, 1))

    assert one.shape == other.shape == (1, 240, 8)
    assert not np.allclose(one, other, atol=0.1)


def test_pictures_whose_padding_is_not_known_are_not_changed_by_guess() -> None:
    with pytest.raises(ValueError, match="padding"):
        epoch(numbered([1]), augment_spectrograms=True)
