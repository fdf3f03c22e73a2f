"""Figures are means of seeds of means of folds; adapted and changed recordings stay apart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from made_predictions import LABELS, make_evaluation, make_info, make_prediction, random_predictions

from batchemo.evaluation import evaluate
from batchemo.evaluation.metrics import COVERAGES
from batchemo.evaluation.predictions import Prediction


def test_a_figure_is_the_mean_over_seeds_of_the_mean_over_folds() -> None:
    # Fold 1 has three recordings and fold 2 one: pooled, the first seed's accuracy would be 3/4.
    fold_1 = [
        make_prediction("sad", "sad", seed=seed, name=f"{take}.wav")
        for seed in (0, 1)
        for take in range(3)
    ]
    fold_2 = [
        make_prediction("sad", predicted, seed=seed, fold="2")
        for seed, predicted in ((0, "happy"), (1, "sad"))
    ]

    found = evaluate(fold_1 + fold_2, LABELS, info=make_info())

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
    predictions = [make_prediction("sad", "sad"), make_prediction("happy", "sad", speaker="b")]

    uar = evaluate(predictions, LABELS, info=make_info()).figures["uar"]

    assert (uar.mean, uar.spread_over_seeds, uar.spread_over_folds) == (0.5, None, None)
    assert uar.interval_over_speakers is None


def test_unknown_speakers_give_no_interval() -> None:
    named = [make_prediction("sad", "sad", speaker=name) for name in "abcd"]
    nameless = make_prediction("sad", "sad", speaker="")

    known = evaluate(named, LABELS, info=make_info())
    unknown = evaluate([*named, nameless], LABELS, info=make_info())

    assert known.figures["uar"].interval_over_speakers == (1, 1)
    assert unknown.figures["uar"].interval_over_speakers is None
    assert unknown.speakers == 4


def test_accuracy_at_a_coverage_is_a_point_of_the_curve() -> None:
    found = make_evaluation()
    curve = {point.coverage: point.accuracy for point in found.coverage}

    assert tuple(curve) == COVERAGES
    assert found.figures["accuracy"].mean == curve[1.0]
    assert found.figures["accuracy_at_80"].mean == curve[0.8]
    assert found.figures["accuracy_at_50"].mean == curve[0.5]


def test_each_fold_keeps_its_own_most_confident() -> None:
    # The models of two folds differ in their confidence: that must not decide which one is kept.
    confident = [make_prediction("sad", "sad", name=f"{n}.wav", confidence=0.9) for n in range(2)]
    cautious = [make_prediction("sad", "happy", name="c.wav", fold="2", confidence=0.5)]
    cautious += [make_prediction("sad", "sad", name="d.wav", fold="2", confidence=0.6)]

    found = evaluate([*confident, *cautious], LABELS, info=make_info())

    assert found.figures["accuracy"].mean == 0.75
    assert found.figures["accuracy_at_50"].mean == 1
    assert found.coverage[10].confidence == pytest.approx(0.75)


def test_figures_before_calibration_need_all_uncalibrated_probabilities() -> None:
    predictions = [
        make_prediction("sad", "sad", uncalibrated=0.6, confidence=0.9, name=f"{n}")
        for n in range(4)
    ]
    partly = [*predictions[1:], replace(predictions[0], uncalibrated=())]

    known = evaluate(predictions, LABELS, info=make_info()).figures
    partly_known = evaluate(partly, LABELS, info=make_info()).figures

    assert known["ece"].mean == pytest.approx(0.1)
    assert known["ece_uncalibrated"].mean == pytest.approx(0.4)
    assert known["brier"].mean == pytest.approx(0.1**2 + 2 * 0.05**2)
    assert known["brier_uncalibrated"].mean == pytest.approx(0.4**2 + 2 * 0.2**2)
    assert not {"ece_uncalibrated", "brier_uncalibrated"} & set(partly_known)


def biased(speaker: str, *, takes: int) -> list[Prediction]:
    """A voice for which the model always predicts happy, though less so for other emotions."""
    probabilities = {"sad": (0.3, 0.6, 0.1), "happy": (0.1, 0.8, 0.1), "angry": (0.1, 0.6, 0.3)}
    return [
        replace(
            make_prediction(
                emotion, "happy", speaker=speaker, name=f"{speaker}-{emotion}-{take}.wav"
            ),
            probabilities=probabilities[emotion],
        )
        for emotion in LABELS
        for take in range(takes)
    ]


def test_adaptation_removes_what_all_recordings_of_a_speaker_share() -> None:
    found = evaluate([*biased("a", takes=6), *biased("b", takes=7)], LABELS, info=make_info())

    assert found.figures["accuracy"].mean == pytest.approx(1 / 3, abs=1e-6)
    assert found.speaker_adapted
    assert (found.speaker_adapted.fewest, found.speaker_adapted.most) == (18, 21)
    assert found.speaker_adapted.figures["accuracy"].mean == 1
    assert (
        found.speaker_adapted.title
        == "adapted to each speaker (18 to 21 recordings each, no labels)"
    )


def test_the_model_of_each_seed_and_fold_is_adapted_on_its_own() -> None:
    seed_0 = biased("a", takes=6)
    # A model with another bias for the same voice: together they would cancel each other out.
    seed_1 = [
        replace(one, seed=1, probabilities=tuple(np.roll(one.probabilities, 1).tolist()))
        for one in seed_0
    ]

    found = evaluate([*seed_0, *seed_1], LABELS, info=make_info())

    assert found.speaker_adapted
    assert found.speaker_adapted.figures["accuracy"].mean == pytest.approx(0.5)
    assert found.speaker_adapted.figures["accuracy"].spread_over_seeds is not None


@pytest.mark.parametrize(
    ("predictions", "protocol", "why"),
    [
        (biased("a", takes=5), "speaker", "fifteen of a speaker are too few"),
        ([*biased("a", takes=6), *biased("b", takes=1)], "speaker", "one speaker has too few"),
        ([*biased("a", takes=6), *biased("", takes=6)], "speaker", "a speaker is not known"),
        (biased("a", takes=6), "random", "the model was trained on these voices"),
    ],
)
def test_no_adapted_figures_where_they_would_mean_nothing(
    predictions: list[Prediction], protocol: str, why: str
) -> None:
    found = evaluate(predictions, LABELS, info=make_info(protocol))

    assert found.speaker_adapted is None, why


def under(
    condition: str, predictions: Iterable[Prediction], emotion: str = "", predicted: str = ""
) -> list[Prediction]:
    """The same recordings under a condition; those of an emotion are predicted as another."""
    changed = tuple(float(label == predicted) for label in LABELS)
    return [
        replace(
            one,
            variant=condition,
            probabilities=changed if one.example.emotion == emotion else one.probabilities,
        )
        for one in predictions
    ]


def test_conditions_have_no_part_in_the_other_figures() -> None:
    predictions = random_predictions()
    telephone = under("telephone", predictions, "sad", "angry")

    without = evaluate(predictions, LABELS, info=make_info())
    found = evaluate([*telephone, *predictions], LABELS, info=make_info())

    assert replace(found, conditions=()) == without
    assert [one.name for one in found.conditions] == ["telephone"]


def test_a_condition_is_compared_with_the_same_recordings_unchanged() -> None:
    predictions = [
        make_prediction(emotion, emotion, speaker=speaker, name=f"{speaker}-{emotion}.wav")
        for emotion in LABELS
        for speaker in "abcd"
    ]
    # One that is predicted wrong unchanged, and has no speech any more in noise.
    lost = make_prediction("angry", "sad", speaker="a", name="lost.wav")
    noisy = under("noise0", predictions, "sad", "happy")

    found = evaluate([*predictions, lost, *noisy], LABELS, info=make_info())

    [noise] = found.conditions
    assert found.figures["uar"].mean == pytest.approx((1 + 1 + 0.8) / 3, abs=1e-6)
    assert noise.uar.mean == pytest.approx(2 / 3, abs=1e-6)
    assert noise.change == pytest.approx(-1 / 3, abs=1e-6), "without the lost one all were correct"
    assert (noise.recordings, noise.without_speech) == (12, 1)
    assert noise.change_spread_over_seeds is None


def test_conditions_have_a_fixed_order_and_augmentations_are_none() -> None:
    predictions = random_predictions()
    changed = [one for name in ("music", "noise", "telephone") for one in under(name, predictions)]

    found = evaluate([*predictions, *changed], LABELS, info=make_info())

    assert [one.name for one in found.conditions] == ["telephone", "music"]
    assert found.predictions == 2 * len(predictions), "noise is an augmentation of the recordings"
    assert {one.change for one in found.conditions} == {0.0}
    assert found.conditions[0].change_spread_over_seeds == 0
