"""A finished bundle that takes samples, or windows of any length, is evaluated as it scans."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from inline_map import map_inline
from made_items import made_example
from voices import write_voice

from batchemo import predict
from batchemo.bundles import Bundle
from batchemo.corpora import Corpus, Example
from batchemo.errors import BatchemoError, UsageError
from batchemo.training.experiment.evaluate import evaluate_bundle, predict_as_scan

LABELS = ("neutral", "happy", "sad", "angry")
INPUTS = pytest.mark.parametrize("changes", [{"waveform": True}, {"padding": "forbidden"}])


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batchemo.training.experiment.evaluate.map_in_processes", map_inline)


@pytest.fixture
def examples(tmp_path: Path) -> tuple[Example, ...]:
    """Return recordings of two lengths, and one that is none."""
    for number, seconds in enumerate((1.5, 4.0)):
        write_voice(tmp_path / f"{number}.wav", seconds=seconds, seed=number)
    (tmp_path / "2.wav").write_bytes(b"no sound")
    return tuple(
        replace(made_example("ann", emotion, take), path=tmp_path / f"{take}.wav")
        for take, emotion in enumerate(("happy", "sad", "sad"))
    )


@INPUTS
def test_predictions_are_those_of_predict(
    make_bundle: Callable[..., Bundle], examples: tuple[Example, ...], changes: dict[str, object]
) -> None:
    bundle = make_bundle(**changes)

    predictions, failures = predict_as_scan(bundle, examples, LABELS)

    for prediction, example in zip(predictions, examples[:2], strict=True):
        row = predict(example.path, model=str(bundle.path)).to_pylist()[0]
        expected = [row[f"p_{label}"] for label in LABELS]
        np.testing.assert_allclose(prediction.probabilities, expected, atol=1e-6)
    [(failed, reason)] = failures
    assert failed == examples[2]
    assert reason.startswith("not_audio: ")


@INPUTS
def test_the_evaluation_counts_what_was_predicted_and_what_failed(
    make_bundle: Callable[..., Bundle],
    examples: tuple[Example, ...],
    tmp_path: Path,
    changes: dict[str, object],
) -> None:
    evaluation = evaluate_bundle(
        make_bundle(**changes), Corpus(examples, LABELS), "speaker", feature_folder=tmp_path
    )

    assert evaluation.info.corpora["made"].recordings == 2
    assert sum(evaluation.info.left_out.values()) == 1


def test_conditions_are_refused(
    make_bundle: Callable[..., Bundle], examples: tuple[Example, ...], tmp_path: Path
) -> None:
    bundle, corpus = make_bundle(waveform=True), Corpus(examples, LABELS)

    with pytest.raises(UsageError, match="--conditions needs a model that takes features"):
        evaluate_bundle(bundle, corpus, "speaker", conditions=("mp3",), feature_folder=tmp_path)


def test_where_nothing_can_be_analysed_the_first_reason_is_told(
    make_bundle: Callable[..., Bundle], examples: tuple[Example, ...], tmp_path: Path
) -> None:
    bundle, corpus = make_bundle(waveform=True), Corpus(examples[2:], LABELS)

    with pytest.raises(BatchemoError, match=r"none of .*2\.wav: not_audio"):
        evaluate_bundle(bundle, corpus, "speaker", feature_folder=tmp_path)
