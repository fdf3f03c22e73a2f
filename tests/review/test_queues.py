"""What is asked next, by each queue."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_review import made_candidates

from batchemo.errors import UsageError
from batchemo.review.candidates import Candidates
from batchemo.review.queues import (
    FIRST,
    InformativeQueue,
    disagreement,
    open_queue,
    relevant_points,
    updated_probabilities,
)

CANDIDATES = made_candidates(200, models=2)


def embedding_of(rows: int, groups: int = 20, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(groups, 6)) * 10
    points = centres[np.arange(rows) % groups] + rng.normal(size=(rows, 6)) / 10
    return points.astype(np.float32), np.ones(rows, bool)


@pytest.mark.parametrize("by", ["informative", "uncertain", "disagreement", "random", "label:sad"])
def test_a_queue_asks_nothing_twice_and_is_the_same_each_time(by: str) -> None:
    queue = open_queue(by, CANDIDATES, embedding=embedding_of(200))
    first = queue.next(10, {})
    second = queue.next(10, dict.fromkeys(first.tolist(), "sad"))
    assert len({*first, *second}) == 20
    again = open_queue(by, CANDIDATES, embedding=embedding_of(200))
    np.testing.assert_array_equal(again.next(10, {}), first)
    rest = queue.next(10_000, {})
    assert len(set(rest)) == len(rest)
    assert queue.next(5, dict.fromkeys(rest.tolist(), "sad")).tolist() == []


def test_the_uncertain_come_by_the_margin_of_their_two_likeliest_labels() -> None:
    rows = open_queue("uncertain", CANDIDATES).next(200, {})
    top = np.sort(CANDIDATES.probabilities[rows], axis=1)
    assert (np.diff(top[:, -1] - top[:, -2]) >= 0).all()


def test_a_label_has_its_hits_the_most_confident_first() -> None:
    rows = open_queue("label:sad", CANDIDATES).next(200, {})
    assert {CANDIDATES.prediction(row) for row in rows} == {"sad"}
    assert len(rows) == (CANDIDATES.predicted == 2).sum()
    assert (np.diff(CANDIDATES.confidence[rows]) <= 0).all()


def test_models_disagree_where_their_labels_differ() -> None:
    rows = open_queue("disagreement", CANDIDATES).next(200, {})
    tops = [values.argmax(axis=1) for values in CANDIDATES.models.values()]
    assert set(rows) == set(np.flatnonzero(tops[0] != tops[1]))
    _, distance = disagreement(CANDIDATES.models)
    assert (np.diff(distance[rows]) <= 0).all()
    with pytest.raises(UsageError, match="several"):
        open_queue("disagreement", made_candidates(5))


def test_unknown_queues_and_labels_are_named() -> None:
    with pytest.raises(UsageError, match="there is no queue 'best'"):
        open_queue("best", CANDIDATES)
    with pytest.raises(UsageError, match="no label bored; it has angry, happy, sad"):
        open_queue("label:bored", CANDIDATES)


def predicted_alike(groups: int) -> Candidates:
    """Candidates of which those of one group have the same probabilities."""
    rows = np.arange(len(CANDIDATES.probabilities)) % groups
    return replace(CANDIDATES, probabilities=CANDIDATES.probabilities[rows], models={})


def test_the_informative_first_ask_for_one_of_each_cluster() -> None:
    points, known = embedding_of(200, groups=FIRST)
    alike = predicted_alike(FIRST)
    rows = open_queue("informative", alike, embedding=(points, known)).next(FIRST, {})
    assert sorted(rows % FIRST) == list(range(FIRST))


def test_copies_of_what_was_answered_are_not_asked() -> None:
    points, known = embedding_of(200, groups=40)
    queue = open_queue("informative", predicted_alike(40), embedding=(points, known))
    answered: dict[int, str] = {}
    while len(answered) < 40:
        answered |= dict.fromkeys(queue.next(8, answered).tolist(), "sad")
    assert len({row % 40 for row in answered}) > 35


def test_recordings_that_are_like_no_other_are_asked_late() -> None:
    points = np.random.default_rng(0).normal(size=(200, 8)).astype(np.float32)
    points[:10] *= 20
    flat = replace(CANDIDATES, probabilities=np.full((200, 3), 1 / 3, np.float32), models={})
    queue = InformativeQueue(flat, points, np.ones(200, bool))
    answered = {row: ("sad", "happy")[row % 2] for row in range(20, 60)}
    assert (queue.next(8, answered) < 10).sum() <= 1


def test_numbers_that_have_nothing_to_do_with_the_predictions_count_little() -> None:
    random = np.random.default_rng(0)
    logs = random.normal(size=(500, 3)).astype(np.float32)
    logs -= logs.mean(axis=0)
    others = random.normal(size=(500, 3)).astype(np.float32)
    points = relevant_points(np.concatenate([logs, others], axis=1), np.ones(500, bool), logs)
    variances = points.var(axis=0)
    assert variances[:3].min() > 5 * variances[3:].max()
    assert np.square(points).sum(axis=1).mean() == pytest.approx(1, rel=0.01)


def test_what_answers_made_certain_is_asked_later() -> None:
    rows = 300
    points = np.random.default_rng(0).normal(size=(rows, 2)).astype(np.float32)
    flat = replace(
        made_candidates(rows), probabilities=np.full((rows, 3), 1 / 3, np.float32), models={}
    )
    queue = InformativeQueue(flat, points, np.ones(rows, bool))
    answered = {row: "sad" if points[row, 0] < 0 else "happy" for row in range(0, rows, 3)}
    asked = queue.next(10, answered)
    others = np.setdiff1d(np.arange(rows), [*answered, *asked])
    assert np.abs(points[asked, 0]).mean() < np.abs(points[others, 0]).mean()


def test_the_order_of_the_answers_does_not_matter() -> None:
    queue = open_queue("informative", CANDIDATES, embedding=embedding_of(200))
    answered = {row: ("sad", "happy", "bored")[row % 3] for row in range(30)}
    backwards = dict(reversed(answered.items()))
    np.testing.assert_array_equal(queue.next(8, answered), queue.next(8, backwards))


def test_without_answers_they_are_the_probabilities_of_the_model() -> None:
    points, _ = embedding_of(200)
    found = updated_probabilities(CANDIDATES, points, {})
    np.testing.assert_array_equal(found, CANDIDATES.probabilities)


def test_labels_that_the_model_lacks_are_learnt_too() -> None:
    points = np.random.default_rng(0).normal(size=(300, 2)).astype(np.float32)
    flat = replace(
        made_candidates(300), probabilities=np.full((300, 3), 1 / 3, np.float32), models={}
    )
    answered = {row: "bored" if points[row, 0] < 0 else "happy" for row in range(0, 300, 3)}
    probabilities = updated_probabilities(flat, points, answered)
    far = np.abs(points[:, 0]) > 0.7
    assert probabilities.shape == (300, 4)
    assert (probabilities[far].argmax(axis=1) == np.where(points[far, 0] < 0, 3, 1)).all()


def test_rows_without_an_embedding_come_last() -> None:
    points, known = embedding_of(200)
    known[:50] = False
    points[:50] = 0
    rows = open_queue("informative", CANDIDATES, embedding=(points, known)).next(200, {})
    assert set(rows[150:]) == set(range(50))


def test_without_embeddings_the_probabilities_are_compared() -> None:
    rows = open_queue("informative", CANDIDATES).next(FIRST, {})
    assert len(set(CANDIDATES.predicted[rows])) == 3
