"""An evaluation says what was judged, averages it as it claims to, and reads back equal."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_predictions import LABELS, make_evaluation, make_info, make_prediction, random_predictions

from batchemo.errors import UsageError
from batchemo.evaluation import (
    CorpusCounts,
    Evaluation,
    EvaluationInfo,
    evaluate,
)

anything = st.builds(
    make_prediction,
    st.sampled_from(LABELS),
    st.sampled_from(LABELS),
    speaker=st.text(max_size=3),
    fold=st.text(max_size=2),
    seed=st.integers(0, 2),
    sure=st.floats(0.34, 1),
    gender=st.text(max_size=2),
    uncalibrated=st.none() | st.floats(0.34, 1),
)


def test_a_figure_is_the_mean_over_seeds_of_the_mean_over_folds() -> None:
    # Fold 1 has three recordings and fold 2 one: pooled, the first seed's accuracy would be 3/4.
    ones = [
        make_prediction("sad", "sad", seed=s, name=f"{k}.wav") for s in (0, 1) for k in range(3)
    ]
    others = [
        make_prediction("sad", told, seed=s, fold="2") for s, told in ((0, "happy"), (1, "sad"))
    ]

    found = evaluate(ones + others, LABELS, info=make_info())

    accuracy = found.figures["accuracy"]
    assert [of.figures["accuracy"] for of in found.seeds] == [0.5, 1.0]
    assert accuracy.mean == 0.75
    assert accuracy.spread_over_seeds == pytest.approx(0.5 / 2**0.5, abs=1e-6)
    assert [(of.fold, of.recordings, of.accuracy) for of in found.folds] == [
        ("1", 3, 1.0),
        ("2", 1, 0.5),
    ]
    assert accuracy.spread_over_folds == pytest.approx(0.5 / 2**0.5, abs=1e-6)


def test_one_seed_one_fold_and_two_speakers_have_no_spread_and_no_interval() -> None:
    both = [make_prediction("sad", "sad"), make_prediction("happy", "sad", speaker="b")]

    uar = evaluate(both, LABELS, info=make_info()).figures["uar"]

    assert (uar.mean, uar.spread_over_seeds, uar.spread_over_folds) == (0.5, None, None)
    assert uar.interval_over_speakers is None


def test_speakers_that_are_not_known_give_no_interval() -> None:
    named = [make_prediction("sad", "sad", speaker=name) for name in "abcd"]

    known = evaluate(named, LABELS, info=make_info())
    unknown = evaluate(
        [*named, make_prediction("sad", "sad", speaker="")], LABELS, info=make_info()
    )

    assert known.figures["uar"].interval_over_speakers == (1, 1)
    assert unknown.figures["uar"].interval_over_speakers is None
    assert unknown.speakers == 4


def test_copies_and_seeds_of_a_recording_count_as_one_recording() -> None:
    every = [
        make_prediction("sad", "sad", seed=s, variant=c)
        for s in (0, 1)
        for c in ("original", "noise")
    ]

    found = evaluate(every, LABELS, info=make_info())

    assert (found.recordings, found.predictions) == (1, 4)
    assert found.classes[0].support == 2
    assert found.groups["gender"][0].recordings == 1


def test_a_class_without_recordings_is_listed_without_figures() -> None:
    found = evaluate(
        [make_prediction("sad", "angry"), make_prediction("happy", "happy")],
        LABELS,
        info=make_info(),
    )

    assert [of.recall for of in found.classes] == [0, 1, None]
    assert found.figures["uar"].mean == 0.5
    assert found.confusion.counts == ((0, 0, 1), (0, 1, 0), (0, 0, 0))
    assert found.confusion.shares[2] == (None, None, None)


def test_groups_part_what_was_judged() -> None:
    women = [make_prediction("sad", "sad", speaker=name) for name in "ab"]
    nobody = make_prediction("happy", "sad", speaker="", gender="")

    groups = evaluate([*women, nobody], LABELS, info=make_info()).groups

    assert [(of.name, of.recordings, of.accuracy) for of in groups["gender"]] == [
        ("(unknown)", 1, 0),
        ("female", 2, 1),
    ]
    assert [of.name for of in groups["speaker"]] == ["(unknown)", "a", "b"]
    assert [of.name for of in groups["channel"]] == ["speech"]


def test_the_order_of_judgements_does_not_matter() -> None:
    every = random_predictions()

    assert evaluate(every, LABELS, info=make_info()) == evaluate(
        every[::-1], LABELS, info=make_info()
    )


def test_what_leaks_says_so() -> None:
    title = make_info("leaky").title

    assert "LEAKY: copies of the same recordings are in the training data" in title
    assert "not a measure of accuracy on new speech" in title
    assert "LEAKY" not in make_info("speaker").title


def test_nothing_judged_is_refused() -> None:
    with pytest.raises(UsageError, match="no recording was judged"):
        evaluate([], LABELS, info=make_info())


def test_an_emotion_that_is_no_label_is_refused() -> None:
    with pytest.raises(UsageError, match="bored: not among the labels sad, happy, angry"):
        evaluate([make_prediction("bored", "sad")], LABELS, info=make_info())


@settings(max_examples=25, deadline=None)
@given(st.lists(anything, min_size=1, max_size=8))
def test_any_evaluation_is_read_back_equal_and_keeps_its_bounds(every: list) -> None:
    found = evaluate(every, LABELS, info=make_info())

    assert Evaluation.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    for name, figure in found.figures.items():
        assert 0 <= figure.mean <= (2 if name.startswith("brier") else 1)
        low, high = figure.interval_over_speakers or (0, 1)
        assert 0 <= low <= high <= 1


def test_all_that_it_is_about_is_read_back() -> None:
    whole = EvaluationInfo(
        subject="x",
        kind="bundle",
        protocol="random",
        protocol_description="",
        corpora={"made": CorpusCounts(3, 2)},
        left_out={"too short": 1},
        notes=("one",),
        options={"copies": ("noise",), "rate": 1e-3, "folds": None},
    )

    found = evaluate([make_prediction("sad", "sad")], LABELS, info=whole)

    assert Evaluation.from_dict(found.to_dict()) == found
    assert found.info.options["copies"] == ["noise"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"colour": 1}, "too many or too few keys: colour"),
        ({"recordings": "3"}, r"evaluation\.recordings must be of type int"),
        ({"recordings": True}, r"evaluation\.recordings must be of type int"),
        ({"labels": "sad"}, r"evaluation\.labels must be a list"),
        ({"groups": []}, r"evaluation\.groups must be an object"),
        ({"info": None}, r"evaluation\.info must be an object"),
        ({"format": 1}, "format is 1, not 3: another version of batchemo wrote it"),
        ({"title": "better"}, "title does not fit"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Evaluation.from_dict({**make_evaluation().to_dict(), **change})


def test_a_kind_that_does_not_exist_is_refused() -> None:
    told = make_evaluation().to_dict()
    told["info"]["kind"] = "guess"

    with pytest.raises(UsageError, match=r"about\.kind must be one of recipe, bundle"):
        Evaluation.from_dict(told)
