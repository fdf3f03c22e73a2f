"""An evaluation is read back equal, names its protocol, and is refused where it does not fit."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_predictions import LABELS, make_evaluation, make_info, make_prediction

from batchemo.errors import UsageError
from batchemo.evaluation import CorpusCounts, Evaluation, EvaluationInfo, evaluate

predictions = st.builds(
    make_prediction,
    st.sampled_from(LABELS),
    st.sampled_from(LABELS),
    speaker=st.text(max_size=3),
    fold=st.text(max_size=2),
    seed=st.integers(0, 2),
    confidence=st.floats(0.34, 1),
    gender=st.text(max_size=2),
    uncalibrated=st.none() | st.floats(0.34, 1),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(predictions, min_size=1, max_size=8))
def test_any_evaluation_is_read_back_equal_and_its_figures_are_in_bounds(every: list) -> None:
    found = evaluate(every, LABELS, info=make_info())

    assert Evaluation.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    for name, figure in found.figures.items():
        assert 0 <= figure.mean <= (2 if name.startswith("brier") else 1)
        low, high = figure.interval_over_speakers or (0, 1)
        assert 0 <= low <= high <= 1


def test_all_of_the_info_is_read_back() -> None:
    info = EvaluationInfo(
        subject="x",
        kind="bundle",
        protocol="random",
        protocol_description="",
        corpora={"made": CorpusCounts(3, 2)},
        left_out={"too short": 1},
        notes=("one",),
        options={"augmentations": ("noise",), "rate": 1e-3, "folds": None},
    )

    found = evaluate([make_prediction("sad", "sad")], LABELS, info=info)

    assert Evaluation.from_dict(found.to_dict()) == found
    assert found.info.options["augmentations"] == ["noise"]


def test_the_title_of_a_leaky_evaluation_says_so() -> None:
    title = make_info("leaky").title

    assert "LEAKY: copies of the same recordings are in the training data" in title
    assert "not a measure of accuracy on new speech" in title
    assert "LEAKY" not in make_info("speaker").title


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": 1}, "too many or too few keys: colour"),
        ({"recordings": "3"}, r"evaluation\.recordings must be of type int"),
        ({"recordings": True}, r"evaluation\.recordings must be of type int"),
        ({"labels": "sad"}, r"evaluation\.labels must be a list"),
        ({"groups": []}, r"evaluation\.groups must be an object"),
        ({"info": None}, r"evaluation\.info must be an object"),
        ({"format": 1}, "format is 1, not 4: another version of batchemo wrote it"),
        ({"title": "better"}, "title does not fit"),
    ],
)
def test_contents_that_do_not_fit_are_refused(change: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Evaluation.from_dict({**make_evaluation().to_dict(), **change})


def test_a_kind_that_does_not_exist_is_refused() -> None:
    contents = make_evaluation().to_dict()
    contents["info"]["kind"] = "guess"

    with pytest.raises(UsageError, match=r"info\.kind must be one of recipe, bundle"):
        Evaluation.from_dict(contents)
