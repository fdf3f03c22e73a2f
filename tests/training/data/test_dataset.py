"""A dataset scales features by its own items, numbers what they are, and balances its classes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_items import LABELS, made_example, made_items

from batchemo.common.arrays import Float32, Index
from batchemo.corpora import Example
from batchemo.training.data.dataset import (
    Dataset,
    balanced_weights,
    make_dataset,
    oversample,
)
from batchemo.training.data.feature_store import FeatureItem


def items_of(*windows: Float32) -> list[FeatureItem]:
    return [
        FeatureItem(made_example("a", "sad", n), "original", of_item)
        for n, of_item in enumerate(windows)
    ]


def dataset_of(*examples: Example) -> Dataset:
    return make_dataset(made_items(examples, ("noise",)), LABELS)


@pytest.mark.parametrize("shape", [(4,), (7, 4)])
def test_mean_and_std_are_those_of_scikit_learn(shape: tuple[int, ...]) -> None:
    from sklearn.preprocessing import StandardScaler

    examples = [made_example("a", label, n) for label in LABELS for n in range(5)]
    items = made_items(examples, shape=shape)
    rows = np.concatenate([item.windows.reshape(-1, 4) for item in items])
    scaler = StandardScaler().fit(rows.astype(np.float64))

    mean, std = make_dataset(items, LABELS).mean_and_std()

    assert mean == pytest.approx(scaler.mean_, rel=1e-6)
    assert std == pytest.approx(scaler.scale_, rel=1e-6)


@given(st.floats(-1e6, 1e6, width=32), st.lists(st.integers(1, 9), min_size=1, max_size=40))
def test_a_constant_feature_gets_a_std_of_1(value: float, counts: list[int]) -> None:
    constant = items_of(*(np.full((count, 3), value, np.float32) for count in counts))

    mean, std = make_dataset(constant, LABELS).mean_and_std()

    assert mean == pytest.approx([value] * 3, rel=1e-6, abs=1e-30)
    assert std.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("corpora", "competing"),
    [
        ({"main": "nhs", "other": "nh"}, ["nhs", "nh"]),
        ({"main": "nhs", "plain": "n"}, ["nhs", "nhs"]),
        ({"main": "nh", "plain": "n"}, ["nh", "nh"]),
        ({"plain": "n"}, ["n"]),
    ],
)
def test_the_classes_of_a_corpus_compete_and_all_where_it_has_one_only(
    corpora: dict[str, str], competing: list[str]
) -> None:
    label_of = {label[0]: label for label in LABELS}
    examples = [
        made_example("a", label_of[initial], corpus=corpus)
        for corpus, initials in corpora.items()
        for initial in initials
    ]

    found = dataset_of(*examples).competing_classes()

    assert ["".join(np.array(list("nhs"))[row]) for row in found] == competing


def test_items_outside_the_dataset_do_not_touch_its_scaling() -> None:
    items = made_items([made_example("a", "sad", n) for n in range(8)])
    train = items[:5]

    mean, std = make_dataset(train, LABELS).mean_and_std()

    of_all = make_dataset(items, LABELS).mean_and_std()
    assert not np.array_equal(mean, of_all[0])
    assert not np.array_equal(std, of_all[1])
    expected = np.concatenate([item.windows for item in train]).mean(axis=0)
    assert mean == pytest.approx(expected, rel=1e-5)


def test_labels_are_numbered_by_their_positions() -> None:
    dataset = dataset_of(*(made_example("a", label) for label in ("sad", "neutral", "sad")))

    assert dataset.labels.tolist() == [2, 2, 0, 0, 2, 2]
    assert dataset.classes == len(LABELS)


def test_corpora_are_numbered_in_their_order_so_that_the_first_is_0() -> None:
    corpora = ("b", "a", "b", "c")

    dataset = dataset_of(*(made_example("a", "sad", corpus=name) for name in corpora))

    assert dataset.corpora.tolist() == [0, 0, 1, 1, 0, 0, 2, 2]


def test_the_main_corpus_is_0_wherever_it_comes() -> None:
    items = made_items([made_example("a", "sad", corpus=name) for name in ("b", "a", "c")])

    def corpora(main_corpus: str) -> list[int]:
        return make_dataset(items, LABELS, main_corpus=main_corpus).corpora.tolist()

    assert corpora("a") == [1, 0, 2]
    assert corpora("c") == [1, 2, 0]


def test_all_variants_of_a_recording_have_one_number() -> None:
    dataset = dataset_of(*(made_example("a", "sad", take) for take in (0, 1, 0)))

    assert dataset.recordings.tolist() == [0, 0, 1, 1, 0, 0]


# Balance of classes.

labels_of_items = st.lists(st.integers(0, 5), min_size=1, max_size=60).map(
    lambda numbers: np.array(numbers, np.intp)
)


@given(labels_of_items)
def test_all_classes_weigh_the_same_and_the_mean_item_weighs_1(labels: Index) -> None:
    weights = balanced_weights(labels, 6)

    of_class = [float(weights[label] * np.sum(labels == label)) for label in np.unique(labels)]
    assert of_class == pytest.approx([len(labels) / len(of_class)] * len(of_class), rel=1e-5)
    assert float(weights[labels].mean()) == pytest.approx(1, rel=1e-5)


@given(labels_of_items)
def test_the_weights_are_those_that_scikit_learn_calls_balanced(labels: Index) -> None:
    from sklearn.utils.class_weight import compute_class_weight

    present = np.unique(labels)
    expected = compute_class_weight("balanced", classes=present, y=labels)

    assert balanced_weights(labels, 6)[present] == pytest.approx(expected, rel=1e-5)


def test_a_class_without_items_weighs_nothing() -> None:
    assert balanced_weights(np.array([0, 2]), 4).tolist() == [1, 0, 1, 0]


@given(labels_of_items, st.integers(0, 2**32))
def test_oversampled_classes_are_equal_and_repeats_differ_by_one_at_most(
    labels: Index, seed: int
) -> None:
    indices = oversample(labels, np.random.default_rng(seed))

    repeats = np.bincount(indices, minlength=len(labels))
    largest = np.bincount(labels).max()
    for label in np.unique(labels):
        of_class = repeats[labels == label]
        assert of_class.sum() == largest
        assert of_class.min() >= 1
        assert of_class.max() - of_class.min() <= 1


def test_which_items_are_repeated_once_more_is_drawn() -> None:
    labels = np.array([0] * 15 + [1] * 10)

    drawn = {tuple(sorted(oversample(labels, np.random.default_rng(seed)))) for seed in range(5)}

    assert len(drawn) > 1
