"""What is learnt from: a scaling of its own, and epochs that only the seed decides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_items import LABELS, made_example, made_items

from batchemo.training.balance import Labels
from batchemo.training.choices import Choices
from batchemo.training.lessons import Lessons, make_lessons
from batchemo.training.pictures import Float32


def numbered(counts: list[int], labels: list[int] | None = None) -> Lessons:
    """Items of so many windows; every window holds its item's place, and its own."""
    windows = tuple(
        np.array([[place, own] for own in range(count)], np.float32)
        for place, count in enumerate(counts)
    )
    return Lessons(windows, np.array(labels or [0] * len(counts), np.intp))


def epoch(lessons: Lessons, number: int = 0, **choices: object) -> list[tuple[Float32, Labels]]:
    return list(lessons.epoch(number, Choices(**choices)))


def windows_of(batches: list[tuple[Float32, Labels]]) -> list[list[float]]:
    return np.concatenate([windows for windows, _ in batches]).tolist()


@pytest.mark.parametrize("shape", [(4,), (7, 4)])
def test_the_scaling_is_that_of_scikit_learn(shape: tuple[int, ...]) -> None:
    from sklearn.preprocessing import StandardScaler

    examples = [made_example("a", label, n) for label in LABELS for n in range(5)]
    items = made_items(examples, shape=shape)
    lessons = make_lessons(items, LABELS)
    rows = np.concatenate([item.windows.reshape(-1, 4) for item in items])
    scaler = StandardScaler().fit(rows.astype(np.float64))

    mean, spread = lessons.scaling()

    assert mean == pytest.approx(scaler.mean_, rel=1e-6)
    assert spread == pytest.approx(scaler.scale_, rel=1e-6)


@given(st.floats(-1e6, 1e6, width=32), st.lists(st.integers(1, 9), min_size=1, max_size=40))
def test_a_feature_that_never_varies_gets_spread_1(value: float, counts: list[int]) -> None:
    still = tuple(np.full((count, 3), value, np.float32) for count in counts)

    mean, spread = Lessons(still, np.zeros(len(counts), np.intp)).scaling()

    assert mean == pytest.approx([value] * 3, rel=1e-6, abs=1e-30)
    assert spread.tolist() == [1, 1, 1]


def test_what_is_not_learnt_from_does_not_touch_the_scaling() -> None:
    items = made_items([made_example("a", "sad", n) for n in range(8)])
    learnt, others = items[:5], items[5:]

    alone = make_lessons(learnt, LABELS).scaling()

    assert not np.array_equal(alone, make_lessons((*learnt, *others), LABELS).scaling())
    assert np.array_equal(alone, make_lessons(learnt, LABELS).scaling())
    assert alone[0] == pytest.approx(
        np.concatenate([item.windows for item in learnt]).mean(axis=0), rel=1e-5
    )


def test_labels_are_numbered_by_their_places() -> None:
    items = made_items([made_example("a", label) for label in ("sad", "neutral", "sad")])

    assert make_lessons(items, LABELS).labels.tolist() == [2, 0, 2]


def test_every_item_gives_one_window_an_epoch_and_keeps_its_label() -> None:
    lessons = numbered([1, 5, 2, 9, 1], [0, 1, 2, 1, 0])

    batches = epoch(lessons, batch_size=2)

    told = {
        int(place): int(label) for w, ls in batches for (place, _), label in zip(w, ls, strict=True)
    }
    assert sorted(place for place, _ in windows_of(batches)) == [0, 1, 2, 3, 4]
    assert told == {0: 0, 1: 1, 2: 2, 3: 1, 4: 0}


def test_over_many_epochs_every_window_has_its_turn() -> None:
    lessons = numbered([1, 4, 2])

    seen = {tuple(window) for n in range(60) for window in windows_of(epoch(lessons, n))}

    assert seen == {(0, 0), (1, 0), (1, 1), (1, 2), (1, 3), (2, 0), (2, 1)}


def test_an_epoch_is_the_same_for_the_same_seed_and_number_and_another_for_another() -> None:
    lessons = numbered([3] * 30)

    first = windows_of(epoch(lessons, 4, seed=1))

    assert windows_of(epoch(lessons, 4, seed=1)) == first
    assert windows_of(epoch(lessons, 5, seed=1)) != first
    assert windows_of(epoch(lessons, 4, seed=2)) != first


@given(st.integers(1, 200), st.integers(1, 64))
def test_batches_are_nearly_equal_and_about_as_large_as_wanted(items: int, wanted: int) -> None:
    batches = epoch(numbered([1] * items), batch_size=wanted)

    sizes = [len(labels) for _, labels in batches]
    assert sum(sizes) == items
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= 1.5 * wanted + 1


def test_with_oversampling_all_classes_come_equally_often() -> None:
    lessons = numbered([1, 1, 1, 1, 1, 2], [0, 0, 0, 0, 0, 1])

    batches = epoch(lessons, batch_size=4, oversample=True)

    labels = np.concatenate([labels for _, labels in batches])
    assert np.bincount(labels).tolist() == [5, 5]
