"""What is learnt from: a scaling of its own, and all that items are, by number."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_items import LABELS, made_example, made_items

from batchemo.corpora import Example
from batchemo.training.data.dataset import Dataset, make_dataset
from batchemo.training.data.feature_store import FeatureItem


def items_of(*windows: np.ndarray) -> list[FeatureItem]:
    return [
        FeatureItem(made_example("a", "sad", n), "original", one) for n, one in enumerate(windows)
    ]


@pytest.mark.parametrize("shape", [(4,), (7, 4)])
def test_the_scaling_is_that_of_scikit_learn(shape: tuple[int, ...]) -> None:
    from sklearn.preprocessing import StandardScaler

    examples = [made_example("a", label, n) for label in LABELS for n in range(5)]
    items = made_items(examples, shape=shape)
    dataset = make_dataset(items, LABELS)
    rows = np.concatenate([item.windows.reshape(-1, 4) for item in items])
    scaler = StandardScaler().fit(rows.astype(np.float64))

    mean, spread = dataset.scaling()

    assert mean == pytest.approx(scaler.mean_, rel=1e-6)
    assert spread == pytest.approx(scaler.scale_, rel=1e-6)


@given(st.floats(-1e6, 1e6, width=32), st.lists(st.integers(1, 9), min_size=1, max_size=40))
def test_a_feature_that_never_varies_gets_spread_1(value: float, counts: list[int]) -> None:
    still = items_of(*(np.full((count, 3), value, np.float32) for count in counts))

    mean, spread = make_dataset(still, LABELS).scaling()

    assert mean == pytest.approx([value] * 3, rel=1e-6, abs=1e-30)
    assert spread.tolist() == [1, 1, 1]


def test_what_is_not_learnt_from_does_not_touch_the_scaling() -> None:
    items = made_items([made_example("a", "sad", n) for n in range(8)])
    learnt, others = items[:5], items[5:]

    alone = make_dataset(learnt, LABELS).scaling()

    assert not np.array_equal(alone, make_dataset((*learnt, *others), LABELS).scaling())
    assert np.array_equal(alone, make_dataset(learnt, LABELS).scaling())
    assert alone[0] == pytest.approx(
        np.concatenate([item.windows for item in learnt]).mean(axis=0), rel=1e-5
    )


def test_padding_that_can_be_told_has_no_part_in_the_scaling() -> None:
    random = np.random.default_rng(0)
    long, short = (random.normal(size=(1, frames, 4)).astype(np.float32) for frames in (30, 12))
    padded = np.pad(short, ((0, 0), (0, 18), (0, 0)), constant_values=-2.0)

    told = make_dataset(items_of(long, padded), LABELS, floor=-2.0).scaling()
    untold = make_dataset(items_of(long, padded), LABELS).scaling()

    frames = np.concatenate([long[0], short[0]])
    assert told[0] == pytest.approx(frames.mean(axis=0), abs=1e-6)
    assert told[1] == pytest.approx(frames.std(axis=0), abs=1e-6)
    assert (untold[0] < told[0] - 0.3).all()


def lessons_of(*examples: Example) -> Dataset:
    return make_dataset(made_items(examples, ("noise",)), LABELS)


def test_labels_are_numbered_by_their_places() -> None:
    dataset = lessons_of(*(made_example("a", label) for label in ("sad", "neutral", "sad")))

    assert dataset.labels.tolist() == [2, 2, 0, 0, 2, 2]
    assert dataset.classes == len(LABELS)


def test_corpora_are_numbered_as_they_come_so_that_the_first_is_0() -> None:
    corpora = ("there", "here", "there", "elsewhere")

    dataset = lessons_of(*(made_example("a", "sad", corpus=name) for name in corpora))

    assert dataset.corpora.tolist() == [0, 0, 1, 1, 0, 0, 2, 2]


def test_the_corpus_that_is_called_home_is_0_wherever_it_comes() -> None:
    examples = [made_example("a", "sad", corpus=name) for name in ("there", "here", "elsewhere")]

    def numbers(main_corpus: str) -> list[int]:
        return make_dataset(made_items(examples), LABELS, main_corpus=main_corpus).corpora.tolist()

    assert numbers("here") == [1, 0, 2]
    assert numbers("elsewhere") == [1, 2, 0]


def test_a_recording_and_its_copies_have_one_number() -> None:
    dataset = lessons_of(*(made_example("a", "sad", take) for take in (0, 1, 0)))

    assert dataset.recordings.tolist() == [0, 0, 1, 1, 0, 0]
