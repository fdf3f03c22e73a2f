"""Before and after: intervals, the refusal, the learning curve."""

from __future__ import annotations

import numpy as np
import pytest
from adaptation_examples import LABELS, corpus_of, make_examples

from batchemo.adaptation.fit import BaseOutput
from batchemo.adaptation.leave_out import Assessment, assess
from batchemo.adaptation.outcome import compare, learning_curve
from batchemo.adaptation.shares import ClassShares
from batchemo.errors import UsageError

BASE = BaseOutput.for_labels(LABELS, LABELS)


def outcome(count: int, **more: float):
    examples = make_examples(count, **more)
    groups = [key.file for key in examples.keys]
    assessment = assess(examples, BASE, corpus_of(examples), groups)
    return examples, groups, assessment, compare(examples, assessment, groups)


def test_what_helps_is_found_to_help() -> None:
    *_, comparison = outcome(45)
    assert comparison.helps
    assert comparison.gain == pytest.approx(comparison.after.uar - comparison.before.uar)
    low, high = comparison.gain_interval
    assert 0 < low < comparison.gain < high


def test_a_base_that_knows_all_already_is_left_alone() -> None:
    examples = make_examples(30, accent=0.0, signal=0.0)
    certain = np.log(0.97 * np.eye(3)[examples.classes[examples.example_of_window]] + 0.01)
    known = type(examples)(
        examples.labels,
        examples.classes,
        examples.keys,
        examples.example_of_window,
        examples.embedding,
        certain,
    )
    groups = [key.file for key in known.keys]
    assessment = assess(known, BASE, corpus_of(known), groups)
    worse = Assessment(
        assessment.before,
        assessment.before,
        assessment.before * 0.5 + 1 / 6,
        assessment.before * 0.5 + 1 / 6,
        1,
        20,
    )
    assert not compare(known, worse, groups).helps


def test_a_fall_of_the_recall_is_refused_even_if_answers_got_likelier() -> None:
    examples, groups, assessment, _ = outcome(45)
    right = np.eye(3)[examples.classes]
    before = 0.4 * right + 0.3 * (1 - right)
    after = 0.49 * right + 0.5 * np.roll(right, 1, axis=1) + 0.01 * np.roll(right, 2, axis=1)
    found = compare(examples, Assessment(before, before, after, after, 1, 20), groups)
    assert found.likelier > 10
    assert found.gain == -1
    assert not found.helps


def test_a_label_that_becomes_impossible_is_refused_even_if_most_became_more_probable() -> None:
    examples, groups, _, _ = outcome(45)
    right = np.eye(3)[examples.classes]
    before = 0.6 * right + 0.2 * (1 - right)
    after = 0.7 * right + 0.15 * (1 - right)
    same = np.flatnonzero(examples.classes == examples.classes[0])
    before[same[1]] = np.roll(before[same[1]], 1)
    after[same[0]] = np.roll(right[same[0]], 1)
    found = compare(examples, Assessment(before, before, after, after, 1, 20), groups)
    assert found.likelier > 3
    assert found.gain == 0
    assert not found.helps


def test_few_groups_have_no_interval() -> None:
    examples = make_examples(20)
    groups = [str(index % 4) for index in range(20)]
    assessment = assess(examples, BASE, corpus_of(examples), groups)
    assert compare(examples, assessment, groups).gain_interval is None


def test_the_curve_rises_with_the_answers() -> None:
    examples, groups, assessment, comparison = outcome(60)
    points = learning_curve(examples, BASE, corpus_of(examples), assessment, groups)
    assert [point.answers for point in points] == [0, 15, 30, 45, 57]
    assert points[0].uar == comparison.before.uar
    assert points[0].uar < points[1].uar < points[-1].uar


def test_shares_make_frequent_classes_likelier() -> None:
    examples, groups, assessment, _ = outcome(45)
    shares = ClassShares.parse("calm=0.9,happy=0.05,sad=0.05")
    added = shares.left_out_logarithms(examples)
    with_shares = assess(examples, BASE, corpus_of(examples), groups, added)
    assert with_shares.after[:, 0].mean() > assessment.after[:, 0].mean()
    assert with_shares.balanced.shape == assessment.balanced.shape


def test_an_answer_has_no_part_in_its_own_share() -> None:
    examples = make_examples(9)
    rows = np.exp(ClassShares().left_out_logarithms(examples))
    for row, own in zip(rows, examples.classes, strict=True):
        assert row[own] == pytest.approx(2.5 / 9.5)


@pytest.mark.parametrize("text", ["", "sad,happy=1", "sad=x", "sad=-1", "sad=inf", "=1"])
def test_shares_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--class-shares"):
        ClassShares.parse(text)


def test_shares_of_other_labels_are_refused() -> None:
    with pytest.raises(UsageError, match="needs a share for each of calm, happy, sad"):
        ClassShares.parse("calm=1,bored=1").logarithms(make_examples(9))
