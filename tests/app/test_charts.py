import json

import altair
import numpy as np
import pytest

from batchemo.app.charts import (
    STEPS,
    classes,
    colours_of,
    comparison,
    joined,
    over_time,
    steps_of,
    waveform_chart,
)
from batchemo.app.results import ModelPrediction
from batchemo.app.waveform import Waveform
from batchemo.tables.rows import WindowResults

LABELS = ("neutral", "happy", "sad")
JUDGEMENT = ModelPrediction(LABELS, np.array([0.2, 0.7, 0.1], np.float32))


def windows(count: int, silent: tuple[int, ...] = ()) -> WindowResults:
    starts = np.arange(count) * 1.5
    shares = np.tile(np.array([0.5, 0.3, 0.2], np.float32), (count, 1))
    shares[list(silent)] = np.nan
    return WindowResults(starts, starts + 3, shares)


SPECS = {
    "waveform": waveform_chart(Waveform(0.01, np.full(50, -0.5), np.full(50, 0.5))),
    "classes": classes(JUDGEMENT),
    "over time": over_time(windows(5, (2,)), LABELS),
    "comparison": comparison({"one": JUDGEMENT, "two": JUDGEMENT}),
}


@pytest.mark.parametrize("name", SPECS)
def test_every_chart_is_valid_vega_lite(name):
    altair.Chart.from_dict(SPECS[name]).to_dict()
    json.dumps(SPECS[name], allow_nan=False)


def test_bars_come_with_the_likeliest_first():
    assert [bar["label"] for bar in SPECS["classes"]["data"]["values"]] == [
        "happy",
        "neutral",
        "sad",
    ]


def test_a_window_without_speech_is_a_gap():
    drawn = SPECS["over time"]["data"]["values"]
    assert {value["from"] for value in drawn} == {0.0, 2.25, 5.25, 6.75}
    assert len(drawn) == 4 * len(LABELS)


def test_the_classes_of_a_step_stand_on_one_another():
    first = SPECS["over time"]["data"]["values"][: len(LABELS)]
    assert [(v["low"], v["high"]) for v in first] == [(0, 0.5), (0.5, 0.8), (0.8, 1.0)]


def test_the_chart_over_time_is_as_wide_as_the_waveform():
    waveform = Waveform(9 / 100, np.zeros(100), np.zeros(100))
    wide = waveform_chart(waveform)["encoding"]["x"]["scale"]
    assert over_time(windows(5), LABELS)["encoding"]["x"]["scale"] == wide


@pytest.mark.parametrize("count", [STEPS, STEPS + 1, 2399])
def test_hours_are_drawn_in_few_steps(count):
    found = windows(count, silent=tuple(range(0, count, 3)))
    edges, shares = joined(*steps_of(found))
    assert len(shares) == STEPS
    assert len(edges) == STEPS + 1
    assert edges[-1] == found.ends[-1]
    assert (np.diff(edges) > 0).all()
    heard = shares[~np.isnan(shares).any(axis=1)]
    assert np.allclose(heard, [0.5, 0.3, 0.2]), "silence takes nothing from the mean"


def test_labels_that_were_never_seen_have_colours_of_their_own():
    colours = colours_of(["bored", "neutral", "tired"])
    assert len(set(colours)) == 3
    assert colours[1] == colours_of(["neutral"])[0]
