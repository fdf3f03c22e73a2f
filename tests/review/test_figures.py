"""What labels say about predictions: unbiased from a sample, with intervals."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from made_review import made_candidates

from batchemo.review.candidates import Candidates
from batchemo.review.figure_tables import figure_tables, figures_json
from batchemo.review.figures import compute_figures, wilson
from batchemo.review.queues import open_queue
from batchemo.tables.labels import Answer, Key, Labels

CANDIDATES = made_candidates(1500)
CORRECT = np.random.default_rng(3).random(1500) < CANDIDATES.confidence


def true_label(row: int) -> str:
    labels = CANDIDATES.labels
    return labels[(CANDIDATES.predicted[row] + (0 if CORRECT[row] else 1)) % 3]


def labels_of(rows: list[int], candidates: Candidates = CANDIDATES) -> Labels:
    keys = [candidates.keys[row] for row in rows]
    answers = [Answer(*key, true_label(row), "anna") for key, row in zip(keys, rows, strict=True)]
    return Labels(answers)


def queued(by: str, count: int, seed: int = 0) -> list[int]:
    return open_queue(by, CANDIDATES, seed=seed).next(count, {}).tolist()


def test_wilsons_interval_of_a_published_example() -> None:
    # Newcombe (1998), method 3: 81 of 263.
    assert wilson(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(0.0, 20)[0] == 0.0


def test_a_random_sample_estimates_all_recordings_and_its_intervals_hold() -> None:
    inside = total = 0
    accuracies = []
    for seed in range(40):
        figures = compute_figures(CANDIDATES, labels_of(queued("random", 120, seed)), seed=seed)
        assert figures.is_random
        accuracies.append(figures.accuracy.share)
        for number, each in enumerate(figures.precision):
            truth = CORRECT[CANDIDATES.predicted == number].mean()
            inside += each.precision.low <= truth <= each.precision.high
            total += 1
    assert np.mean(accuracies) == pytest.approx(CORRECT.mean(), abs=0.02)
    assert inside / total > 0.88


def test_answers_that_a_biased_queue_asked_for_do_not_count_beside_a_sample() -> None:
    sample, uncertain = queued("random", 60), queued("uncertain", 200)
    alone = compute_figures(CANDIDATES, labels_of(sample))
    both = compute_figures(CANDIDATES, labels_of([*sample, *uncertain]))
    assert both.is_random
    assert both.answers == len({*sample, *uncertain})
    # A few of them may have been the next of the sample.
    assert alone.used <= both.used <= alone.used + 10


def test_without_a_sample_labels_are_weighted_by_confidence_and_it_is_said() -> None:
    rows = sorted({*queued("uncertain", 250), *range(0, 1500, 10)})
    figures = compute_figures(CANDIDATES, labels_of(rows))
    plain = CORRECT[rows].mean()
    assert not figures.is_random
    assert abs(figures.accuracy.share - CORRECT.mean()) < abs(plain - CORRECT.mean())
    text = json.dumps(figure_tables(figures, CANDIDATES))
    assert "no random sample" in text


def test_the_confusion_names_the_recordings_behind_each_cell() -> None:
    rows = list(range(30))
    figures = compute_figures(CANDIDATES, labels_of(rows))
    assert sorted(row for cell in figures.confusion.values() for row in cell) == rows
    for (label, predicted), cell in figures.confusion.items():
        assert {true_label(row) for row in cell} == {label}
        assert {CANDIDATES.prediction(row) for row in cell} == {predicted}
    values = json.loads(json.dumps(figures_json(figures, CANDIDATES)))
    named = [each["file"] for cell in values["confusion"] for each in cell["recordings"]]
    assert sorted(named) == [CANDIDATES.keys[row].file for row in rows]


def test_unsure_and_unknown_recordings_are_counted_and_no_speech_is_wrong() -> None:
    keys = CANDIDATES.keys
    answers = [
        Answer(*keys[0], "unsure", "anna"),
        Answer(*keys[1], "sad", "anna", CANDIDATES.prediction(1)),
        Answer(*keys[1], "happy", "ben"),
        Answer("/elsewhere", "x.wav", None, None, "sad", "anna"),
        Answer(*keys[2], "no_speech", "anna"),
    ]
    figures = compute_figures(CANDIDATES, Labels(answers))
    assert (figures.answers, figures.unsure, figures.elsewhere, figures.shown) == (3, 2, 1, 1)
    assert (figures.used, figures.accuracy.share) == (1, 0.0)
    assert figures.agreement.recordings == 1
    assert "no_speech" in json.dumps(figure_tables(figures, CANDIDATES))


def test_the_threshold_is_the_lowest_that_is_precise_enough() -> None:
    rows = queued("random", 400)
    figures = compute_figures(CANDIDATES, labels_of(rows), precision=0.85)
    found = figures.thresholds[0]
    above = CANDIDATES.confidence >= np.float32(found.confidence)
    assert found.label is None
    assert found.kept == pytest.approx(above.mean())
    assert found.precision.share >= 0.85
    assert CORRECT[above].mean() == pytest.approx(0.85, abs=0.07)
    assert [each.label for each in figures.thresholds[1:]] == list(CANDIDATES.labels)
    stricter = compute_figures(CANDIDATES, labels_of(rows), precision=0.95).thresholds[0]
    assert stricter.confidence is None or stricter.confidence > found.confidence


def test_nothing_is_said_where_nothing_is_known() -> None:
    figures = compute_figures(CANDIDATES, Labels([]))
    assert figures.accuracy.share is None
    assert {each.confidence for each in figures.thresholds} == {None}
    assert figures.agreement.alpha is None
    figure_tables(figures, CANDIDATES)
    json.dumps(figures_json(figures, CANDIDATES), allow_nan=False)


def test_confidence_is_compared_with_the_truth_in_each_stratum() -> None:
    figures = compute_figures(CANDIDATES, labels_of(list(range(1500))))
    assert sum(each.recordings for each in figures.confidence) == 1500
    for each in figures.confidence:
        inside = (CANDIDATES.confidence >= np.float32(each.low)) & (
            CANDIDATES.confidence < np.float32(each.high)
        )
        assert each.correct.answers == inside.sum()
        assert each.correct.share == pytest.approx(CORRECT[inside].mean())


def test_names_are_harmless_in_tables() -> None:
    keys = [replace_name(key) for key in CANDIDATES.keys]
    hostile = replace(CANDIDATES, keys=keys)
    rows = [row for row in range(20) if not CORRECT[row]]
    text = json.dumps(figure_tables(compute_figures(hostile, labels_of(rows, hostile)), hostile))
    assert "\\u001b" not in text
    assert "\\\\x1b" in text


def replace_name(key: Key) -> Key:
    return key._replace(file="\x1b[2J" + key.file)
