import json

import altair
import numpy as np
import pytest

from batchemo.app.charts import (
    MAX_STEPS,
    TEXT_COLOUR,
    class_chart,
    comparison_chart,
    merge_steps,
    spectrogram_chart,
    time_chart,
    waveform_chart,
    window_steps,
)
from batchemo.app.results import ModelPrediction
from batchemo.app.spectrogram import Spectrogram
from batchemo.app.waveform import Waveform
from batchemo.common.colours import colours_of
from batchemo.tables.rows import WindowResults

LABELS = ("neutral", "happy", "sad")
PREDICTION = ModelPrediction(LABELS, np.array([0.2, 0.7, 0.1], np.float32))


def window_results(count: int, without_speech: tuple[int, ...] = ()) -> WindowResults:
    starts = np.arange(count) * 1.5
    probabilities = np.tile(np.array([0.5, 0.3, 0.2], np.float32), (count, 1))
    probabilities[list(without_speech)] = np.nan
    return WindowResults(starts, starts + 3, probabilities)


SPECS = {
    "waveform": waveform_chart(Waveform(0.01, np.full(50, -0.5), np.full(50, 0.5)), 0.5),
    "spectrogram": spectrogram_chart(Spectrogram(0.5, 8000.0, np.ones((4, 9), np.uint8)), 0.5),
    "classes": class_chart(PREDICTION),
    "time": time_chart(window_results(5, (2,)), LABELS, 9),
    "comparison": comparison_chart({"one": PREDICTION, "two": PREDICTION}),
}


@pytest.mark.parametrize("name", SPECS)
def test_every_chart_is_valid_vega_lite(name):
    altair.Chart.from_dict(SPECS[name]).to_dict()
    json.dumps(SPECS[name], allow_nan=False)


def test_bars_are_sorted_by_probability():
    labels = [bar["label"] for bar in SPECS["classes"]["data"]["values"]]
    assert labels == ["happy", "neutral", "sad"]


def test_a_window_without_speech_is_a_gap():
    values = SPECS["time"]["data"]["values"]
    assert {value["from"] for value in values} == {0.0, 2.25, 5.25, 6.75}
    assert len(values) == 4 * len(LABELS)


def test_the_classes_of_a_step_are_stacked():
    first = SPECS["time"]["data"]["values"][: len(LABELS)]
    assert [(v["low"], v["high"]) for v in first] == [(0, 0.5), (0.5, 0.8), (0.8, 1.0)]


def test_the_time_chart_has_the_time_scale_of_the_waveform():
    waveform = Waveform(9 / 100, np.zeros(100), np.zeros(100))
    scale = waveform_chart(waveform, 9)["encoding"]["x"]["scale"]
    assert time_chart(window_results(5), LABELS, 9)["encoding"]["x"]["scale"] == scale


@pytest.mark.parametrize("count", [MAX_STEPS, MAX_STEPS + 1, 2399])
def test_hours_are_drawn_in_few_steps(count):
    windows = window_results(count, without_speech=tuple(range(0, count, 3)))
    edges, probabilities = merge_steps(*window_steps(windows))
    assert len(probabilities) == MAX_STEPS
    assert len(edges) == MAX_STEPS + 1
    assert edges[-1] == windows.ends[-1]
    assert (np.diff(edges) > 0).all()
    speech = probabilities[~np.isnan(probabilities).any(axis=1)]
    assert np.allclose(speech, [0.5, 0.3, 0.2]), "windows without speech do not lower the mean"


def test_unknown_labels_have_distinct_colours():
    colours = colours_of(["bored", "neutral", "tired"])
    assert len(set(colours)) == 3
    assert colours[1] == colours_of(["neutral"])[0]


def test_the_time_chart_says_what_it_shows():
    chart = time_chart(window_results(5), LABELS, 9)

    assert chart["title"]["text"] == "Probabilities over time"
    assert chart["encoding"]["x"]["axis"] is not None
    assert chart["encoding"]["color"]["legend"]["orient"] == "bottom"


def test_numbers_beside_bars_can_be_read_on_a_dark_page_too():
    bars, numbers = class_chart(PREDICTION)["layer"]

    assert bars["mark"]["type"] == "bar"
    assert numbers["mark"]["color"] == TEXT_COLOUR


def test_no_title_of_the_heat_map_is_left_out_where_there_is_little_room():
    assert SPECS["comparison"]["encoding"]["x"]["axis"]["labelOverlap"] is False
