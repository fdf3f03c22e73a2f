"""The charts of the page as Vega-Lite specifications: plain data, without names from visitors."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from batchemo.app.results import ModelPrediction
from batchemo.app.spectrogram import Spectrogram
from batchemo.app.waveform import Waveform
from batchemo.common.arrays import Float32
from batchemo.common.colours import colours_of
from batchemo.tables.rows import WindowResults

Spec = dict[str, Any]

WAVEFORM_COLOUR = "#5b7fa6"
TEXT_COLOUR = "#808495"
"""Of numbers beside bars: can be read on a light page and on a dark one."""
SPECTROGRAM_COLOURS = ((16, 21, 32), (47, 74, 120), (122, 156, 198), (255, 236, 190))
"""From silence to the loudest point: dark on a light page and on a dark one."""
WAVEFORM_HEIGHT, SPECTROGRAM_HEIGHT, TIME_HEIGHT = 130, 210, 260
"""Of all of a chart: its title, its axis and its legend are taken from these."""
MAX_STEPS = 240
"""Steps of the chart over time: an hour has 2,400 windows, too many to send and to see."""


def waveform_chart(waveform: Waveform, seconds: float) -> Spec:
    """Return an area from the minimum to the maximum of each bin, over time."""
    bins = zip(waveform.minima, waveform.maxima, strict=True)
    values = [
        {"at": round((i + 0.5) * waveform.bin_seconds, 4), "low": float(low), "high": float(high)}
        for i, (low, high) in enumerate(bins)
    ]
    return {
        "description": "Waveform over time",
        "data": {"values": values},
        "height": WAVEFORM_HEIGHT,
        "mark": {
            "type": "area",
            # Readers of the screen would read out every bin.
            "aria": False,
            "color": WAVEFORM_COLOUR,
            # Without a line, bins of silence would have no height and not be visible.
            "line": {"color": WAVEFORM_COLOUR, "strokeWidth": 0.5},
        },
        "encoding": {
            "x": _time_axis("at", seconds),
            "y": {"field": "low", "type": "quantitative", "axis": None},
            "y2": {"field": "high"},
        },
    }


def spectrogram_chart(spectrogram: Spectrogram, seconds: float) -> Spec:
    """Return an image of the loudness of each frequency, over time."""
    scale = {"domain": [0, round(spectrogram.top)], "nice": False}
    return {
        "title": _title(f"Spectrogram, 0 to {spectrogram.top / 1000:g} kHz"),
        "description": "Spectrogram over time",
        "data": {
            "values": [
                {
                    "from": 0,
                    "to": round(spectrogram.seconds, 3),
                    "low": 0,
                    "high": round(spectrogram.top),
                    "image": image_url(spectrogram),
                }
            ]
        },
        "height": SPECTROGRAM_HEIGHT,
        "layer": [
            {
                "mark": {
                    "type": "image",
                    "aria": False,
                    "aspect": False,
                    "align": "left",
                    "baseline": "top",
                    "height": {"expr": "height"},
                    "width": {"expr": f"width * {spectrogram.seconds / seconds:.6f}"},
                    "clip": True,
                },
                "encoding": {
                    "x": _time_axis("from", seconds),
                    "y": {"field": "high", "type": "quantitative", "axis": None, "scale": scale},
                    "url": {"field": "image"},
                },
            }
        ],
    }


def image_url(spectrogram: Spectrogram) -> str:
    """Return the spectrogram as a PNG image, in a URL of its own."""
    from PIL import Image

    stops = np.array(SPECTROGRAM_COLOURS, np.float64)
    levels = spectrogram.levels[::-1] / 255 * (len(stops) - 1)
    below = np.minimum(levels.astype(int), len(stops) - 2)
    share = (levels - below)[..., None]
    colours = stops[below] * (1 - share) + stops[below + 1] * share
    sink = io.BytesIO()
    Image.fromarray(np.round(colours).astype(np.uint8)).save(sink, "PNG")
    return "data:image/png;base64," + base64.b64encode(sink.getvalue()).decode()


def class_chart(prediction: ModelPrediction) -> Spec:
    """Return a bar for the probability of each class, the most probable one on top."""
    values = [{"label": label, "p": p} for label, p in prediction.ranked]
    order = [label for label, _ in prediction.ranked]
    y = {"field": "label", "type": "nominal", "sort": order}
    x = {"field": "p", "type": "quantitative", "scale": {"domain": [0, 1]}, "axis": None}
    return {
        "description": "Probability of each label",
        "data": {"values": values},
        "height": {"step": 24},
        "encoding": {
            "y": {**y, "axis": {"title": None, "ticks": False, "domain": False}},
            "x": x,
        },
        "layer": [
            {
                "mark": {"type": "bar", "height": 14, "cornerRadiusEnd": 3},
                "encoding": {"color": {**_label_colour(prediction.labels), "legend": None}},
            },
            {
                "mark": {"type": "text", "align": "left", "dx": 5, "color": TEXT_COLOUR},
                "encoding": {"text": {"field": "p", "type": "quantitative", "format": ".0%"}},
            },
        ],
    }


def time_chart(windows: WindowResults, labels: Sequence[str], seconds: float) -> Spec:
    """Return the probabilities of all classes over time, stacked; a step without speech is a gap.

    Its time axis is that of the waveform above it.
    """
    edges, probabilities = merge_steps(*window_steps(windows))
    tops = np.cumsum(probabilities, axis=1)
    values = [
        {
            "label": label,
            "from": round(float(edges[step]), 3),
            "to": round(float(edges[step + 1]), 3),
            "low": round(float(tops[step, i] - probabilities[step, i]), 4),
            "high": round(float(tops[step, i]), 4),
            "p": round(float(probabilities[step, i]), 4),
        }
        for step in range(len(probabilities))
        if not np.isnan(probabilities[step]).any()
        for i, label in enumerate(labels)
    ]
    return {
        "title": _title("Probabilities over time"),
        "description": "Probabilities of all labels over time",
        "data": {"values": values},
        "height": TIME_HEIGHT,
        "mark": {"type": "rect"},
        "encoding": {
            "x": _time_axis("from", seconds),
            "x2": {"field": "to"},
            "y": {
                "field": "low",
                "type": "quantitative",
                "axis": None,
                "scale": {"domain": [0, 1]},
            },
            "y2": {"field": "high"},
            "color": {
                **_label_colour(labels),
                "legend": {"title": None, "orient": "bottom", "columns": 4},
            },
            "tooltip": [
                {"field": "label", "type": "nominal"},
                {"field": "p", "type": "quantitative", "format": ".0%", "title": "probability"},
                {"field": "from", "type": "quantitative", "format": ".1f", "title": "from (s)"},
            ],
        },
    }


def comparison_chart(predictions: Mapping[str, ModelPrediction]) -> Spec:
    """Return a heat map of probabilities, with a row for each model and a column for each label."""
    labels = list(dict.fromkeys(label for p in predictions.values() for label in p.labels))
    values = [
        {"model": title, "label": label, "p": p}
        for title, prediction in predictions.items()
        for label, p in prediction.ranked
    ]
    p = {"field": "p", "type": "quantitative"}
    text_colour = {"condition": {"test": "datum.p > 0.5", "value": "white"}, "value": "#31333f"}
    return {
        "description": "Probability of each label by model",
        "data": {"values": values},
        "height": {"step": 34},
        "encoding": {
            "y": {"field": "model", "type": "nominal", "sort": None, "title": None},
            "x": {
                "field": "label",
                "type": "nominal",
                "sort": labels,
                "title": None,
                "axis": {
                    "orient": "top",
                    # Steep, and none left out: so all of them fit on a phone.
                    "labelAngle": -60,
                    "labelOverlap": False,
                    "ticks": False,
                    "domain": False,
                },
            },
        },
        "layer": [
            {
                "mark": {"type": "rect", "cornerRadius": 3},
                "encoding": {
                    "color": {
                        **p,
                        "scale": {"domain": [0, 1], "range": ["#eef2f7", "#2f5f95"]},
                        "legend": None,
                    }
                },
            },
            {
                "mark": {"type": "text"},
                "encoding": {"text": {**p, "format": ".0%"}, "color": text_colour},
            },
        ],
    }


def window_steps(windows: WindowResults) -> tuple[NDArray[np.float64], Float32]:
    """Return the edges and the probabilities of one step for each window.

    Windows overlap, so each edge is half-way between the centres of two neighbouring windows.

    >>> starts, ends = np.array([0.0, 1.0]), np.array([2.0, 3.0])
    >>> edges, _ = window_steps(WindowResults(starts, ends, np.ones((2, 1), np.float32)))
    >>> edges.tolist()
    [0.0, 1.5, 3.0]
    """
    centres = (windows.starts + windows.ends) / 2
    between = (centres[1:] + centres[:-1]) / 2
    edges = np.concatenate([windows.starts[:1], between, windows.ends[-1:]])
    return edges, windows.probabilities


def merge_steps(
    edges: NDArray[np.float64], probabilities: Float32, max_steps: int = MAX_STEPS
) -> tuple[NDArray[np.float64], Float32]:
    """Average neighbouring steps until there are at most `max_steps`, leaving out those with NaN.

    >>> edges, means = merge_steps(np.arange(5.0), np.array([[1], [0], [np.nan], [1]]), max_steps=2)
    >>> edges.tolist(), means.tolist()
    ([0.0, 2.0, 4.0], [[0.5], [1.0]])
    """
    count = len(probabilities)
    if count <= max_steps:
        return edges, probabilities
    firsts = np.linspace(0, count, max_steps + 1).astype(int)[:-1]
    speech = ~np.isnan(probabilities).any(axis=1, keepdims=True)
    sums = np.add.reduceat(np.where(speech, probabilities, 0), firsts)
    counts = np.add.reduceat(speech.astype(np.float32), firsts)
    # A merged step without any speech stays NaN, which is a gap in the chart.
    means = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
    return np.append(edges[firsts], edges[-1]), means


def _title(text: str) -> Spec:
    return {"text": text, "anchor": "start", "fontSize": 13, "offset": 6}


def _time_axis(field: str, end: float) -> Spec:
    """Return the x axis of all charts over time: the same scale, so that they are aligned."""
    axis = {"title": None, "grid": False, "tickCount": 8, "labelExpr": "datum.label + ' s'"}
    scale = {"domain": [0, round(end, 3)], "nice": False}
    return {"field": field, "type": "quantitative", "axis": axis, "scale": scale}


def _label_colour(labels: Sequence[str]) -> Spec:
    scale = {"domain": list(labels), "range": colours_of(labels)}
    return {"field": "label", "type": "nominal", "scale": scale}
