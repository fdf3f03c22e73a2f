"""Before calibration, by speaker, heard otherwise: each beside the figures, never among them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from made_predictions import LABELS, make_info, make_prediction, random_predictions

from batchemo.evaluation import evaluate
from batchemo.evaluation.predictions import Prediction


def test_before_calibration_is_told_where_all_of_it_is_known() -> None:
    every = [
        make_prediction("sad", "sad", uncalibrated=0.6, sure=0.9, name=f"{n}") for n in range(4)
    ]

    known = evaluate(every, LABELS, info=make_info()).figures
    some = evaluate(
        [*every[1:], replace(every[0], uncalibrated=())], LABELS, info=make_info()
    ).figures

    assert known["ece"].mean == pytest.approx(0.1)
    assert known["ece_uncalibrated"].mean == pytest.approx(0.4)
    assert known["brier"].mean == pytest.approx(0.1**2 + 2 * 0.05**2)
    assert known["brier_uncalibrated"].mean == pytest.approx(0.4**2 + 2 * 0.2**2)
    assert not {"ece_uncalibrated", "brier_uncalibrated"} & set(some)


def biased(speaker: str, *, takes: int) -> list[Prediction]:
    """A voice that sounds happy to the net, whatever it expresses: all else is told as happy."""
    weights = {"sad": (0.3, 0.6, 0.1), "happy": (0.1, 0.8, 0.1), "angry": (0.1, 0.6, 0.3)}
    return [
        replace(
            make_prediction(
                emotion, "happy", speaker=speaker, name=f"{speaker}-{emotion}-{take}.wav"
            ),
            probabilities=weights[emotion],
        )
        for emotion in LABELS
        for take in range(takes)
    ]


def test_grouped_by_speaker_sees_each_recording_against_the_others_of_its_voice() -> None:
    found = evaluate([*biased("a", takes=6), *biased("b", takes=7)], LABELS, info=make_info())

    assert found.figures["accuracy"].mean == pytest.approx(1 / 3, abs=1e-6)
    assert found.speaker_adapted
    assert (found.speaker_adapted.fewest, found.speaker_adapted.most) == (18, 21)
    assert found.speaker_adapted.figures["accuracy"].mean == 1
    assert found.speaker_adapted.title == "grouped by speaker (18 to 21 recordings each, no labels)"


def test_each_net_and_each_fold_is_adapted_by_its_own() -> None:
    ones = biased("a", takes=6)
    # Another net that hears the same voice as angry: together they would cancel each other out.
    others = [
        replace(one, seed=1, probabilities=tuple(np.roll(one.probabilities, 1).tolist()))
        for one in ones
    ]

    both = evaluate([*ones, *others], LABELS, info=make_info())

    assert both.speaker_adapted
    assert both.speaker_adapted.figures["accuracy"].mean == pytest.approx(0.5)
    assert both.speaker_adapted.figures["accuracy"].spread_over_seeds is not None


@pytest.mark.parametrize(
    ("every", "protocol", "why"),
    [
        (biased("a", takes=5), "speaker", "fifteen of a speaker are too few"),
        ([*biased("a", takes=6), *biased("b", takes=1)], "speaker", "one speaker has too few"),
        ([*biased("a", takes=6), *biased("", takes=6)], "speaker", "a speaker is not known"),
        (biased("a", takes=6), "random", "the net knows these voices"),
    ],
)
def test_nothing_is_grouped_where_it_would_tell_nothing(
    every: list[Prediction], protocol: str, why: str
) -> None:
    assert evaluate(every, LABELS, info=make_info(protocol)).speaker_adapted is None, why


def under(name: str, every: Iterable[Prediction], emotion: str, told: str) -> list[Prediction]:
    """The same recordings under a condition, those of an emotion told as another."""
    sure = tuple(float(label == told) for label in LABELS)
    return [
        replace(one, variant=name, probabilities=sure if one.example.emotion == emotion else p)
        for one in every
        for p in [one.probabilities]
    ]


def test_conditions_have_no_part_in_the_figures() -> None:
    every = random_predictions()
    telephone = under("telephone", every, "sad", "angry")

    plain = evaluate(every, LABELS, info=make_info())
    found = evaluate([*telephone, *every], LABELS, info=make_info())

    assert replace(found, conditions=()) == plain
    assert [one.name for one in found.conditions] == ["telephone"]


def test_a_condition_is_compared_with_the_same_recordings_as_they_are() -> None:
    every = [
        make_prediction(emotion, emotion, speaker=speaker, name=f"{speaker}-{emotion}.wav")
        for emotion in LABELS
        for speaker in "abcd"
    ]
    # One that is told wrong as it is, and in noise is no speech any more.
    lost = make_prediction("angry", "sad", speaker="a", name="lost.wav")

    found = evaluate(
        [*every, lost, *under("noise0", every, "sad", "happy")], LABELS, info=make_info()
    )

    [noise] = found.conditions
    assert found.figures["uar"].mean == pytest.approx((1 + 1 + 0.8) / 3, abs=1e-6)
    assert noise.uar.mean == pytest.approx(2 / 3, abs=1e-6)
    assert noise.change == pytest.approx(-1 / 3, abs=1e-6), "without the lost one all were right"
    assert (noise.recordings, noise.without_speech) == (12, 1)
    assert noise.change_spread_over_seeds is None


def test_conditions_stand_in_a_fixed_order_and_copies_are_none() -> None:
    every = random_predictions()
    changed = [one for n in ("music", "noise", "telephone") for one in under(n, every, "", "")]

    found = evaluate([*every, *changed], LABELS, info=make_info())

    assert [one.name for one in found.conditions] == ["telephone", "music"]
    assert found.predictions == 2 * len(every), "a copy to learn from is one of the recordings"
    assert {one.change for one in found.conditions} == {0.0}
    assert found.conditions[0].change_spread_over_seeds == 0
