"""The page's charts as Vega-Lite specifications: plain data, with no name of a visitor's in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from batchemo.app.results import ModelPrediction
from batchemo.app.waveform import Waveform
from batchemo.tables.rows import Windows

Spec = dict[str, Any]

COLOURS = {
    "neutral": "#9aa0a6",
    "calm": "#5bb8a6",
    "happy": "#f2b134",
    "sad": "#4c78a8",
    "angry": "#d64550",
    "fearful": "#8e6bbf",
    "disgust": "#7f9a3c",
    "surprised": "#f0803c",
}
"""One label has one colour, whatever the model."""
SPARE_COLOURS = ("#17a2b8", "#b07aa1", "#9c755f", "#59a14f", "#ff9da7", "#2f4b7c")
WAVE = "#5b7fa6"
STEPS = 240
"""Steps over time that are drawn at most; of more windows, neighbours are joined."""


def colours_of(labels: Sequence[str]) -> list[str]:
    """Give each label its colour.

    >>> colours_of(["sad", "bored", "tired"])
    ['#4c78a8', '#17a2b8', '#b07aa1']
    """
    spare = [label for label in labels if label not in COLOURS]
    drawn = {label: SPARE_COLOURS[i % len(SPARE_COLOURS)] for i, label in enumerate(spare)}
    return [COLOURS.get(label) or drawn[label] for label in labels]


def waveform_chart(waveform: Waveform) -> Spec:
    """Draw the outline over time."""
    drawn = zip(waveform.lows, waveform.highs, strict=True)
    values = [
        {"at": round((place + 0.5) * waveform.seconds, 4), "low": float(low), "high": float(high)}
        for place, (low, high) in enumerate(drawn)
    ]
    end = len(values) * waveform.seconds
    return {
        "data": {"values": values},
        "height": 120,
        "mark": {"type": "area", "color": WAVE, "line": {"color": WAVE, "strokeWidth": 0.5}},
        "encoding": {
            "x": _time("at", end),
            "y": {"field": "low", "type": "quantitative", "axis": None},
            "y2": {"field": "high"},
        },
    }


def classes(judgement: ModelPrediction) -> Spec:
    """Draw a bar for each class, the likeliest on top."""
    values = [{"label": label, "p": share} for label, share in judgement.ranked]
    order = [label for label, _ in judgement.ranked]
    label = {"field": "label", "type": "nominal", "sort": order}
    share = {"field": "p", "type": "quantitative", "scale": {"domain": [0, 1]}, "axis": None}
    return {
        "data": {"values": values},
        "height": {"step": 24},
        "encoding": {
            "y": {**label, "axis": {"title": None, "ticks": False, "domain": False}},
            "x": share,
        },
        "layer": [
            {
                "mark": {"type": "bar", "height": 14, "cornerRadiusEnd": 3},
                "encoding": {"color": {**_coloured(judgement.labels), "legend": None}},
            },
            {
                "mark": {"type": "text", "align": "left", "dx": 5},
                "encoding": {"text": {"field": "p", "type": "quantitative", "format": ".0%"}},
            },
        ],
    }


def over_time(windows: Windows, labels: Sequence[str]) -> Spec:
    """Draw the shares of all classes over time, one upon another; without speech, a gap.

    It stands between the waveform, whose axis it shares, and the bars that tell its colours.
    """
    edges, probabilities = joined(*steps_of(windows))
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
        "data": {"values": values},
        "height": 100,
        "mark": {"type": "rect"},
        "encoding": {
            "x": {**_time("from", float(edges[-1])), "axis": None},
            "x2": {"field": "to"},
            "y": {
                "field": "low",
                "type": "quantitative",
                "axis": None,
                "scale": {"domain": [0, 1]},
            },
            "y2": {"field": "high"},
            "color": {**_coloured(labels), "legend": None},
            "tooltip": [
                {"field": "label", "type": "nominal"},
                {"field": "p", "type": "quantitative", "format": ".0%", "title": "probability"},
                {"field": "from", "type": "quantitative", "format": ".1f", "title": "from (s)"},
            ],
        },
    }


def comparison(judgements: Mapping[str, ModelPrediction]) -> Spec:
    """Draw a row for each model and a column for each label: the darker, the likelier."""
    labels = list(dict.fromkeys(label for each in judgements.values() for label in each.labels))
    values = [
        {"model": model, "label": label, "p": share}
        for model, judgement in judgements.items()
        for label, share in judgement.ranked
    ]
    share = {"field": "p", "type": "quantitative"}
    white = {"condition": {"test": "datum.p > 0.5", "value": "white"}, "value": "#31333f"}
    return {
        "data": {"values": values},
        "height": {"step": 34},
        "encoding": {
            "y": {"field": "model", "type": "nominal", "sort": None, "title": None},
            "x": {
                "field": "label",
                "type": "nominal",
                "sort": labels,
                "title": None,
                "axis": {"orient": "top", "labelAngle": 0, "ticks": False, "domain": False},
            },
        },
        "layer": [
            {
                "mark": {"type": "rect", "cornerRadius": 3},
                "encoding": {
                    "color": {
                        **share,
                        "scale": {"domain": [0, 1], "range": ["#eef2f7", "#2f5f95"]},
                        "legend": None,
                    }
                },
            },
            {
                "mark": {"type": "text"},
                "encoding": {"text": {**share, "format": ".0%"}, "color": white},
            },
        ],
    }


def steps_of(windows: Windows) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Cut time half-way between the middles of neighbouring windows, which overlap.

    >>> found = Windows(np.array([0.0, 1.0]), np.array([2.0, 3.0]), np.ones((2, 1), np.float32))
    >>> steps_of(found)[0].tolist()
    [0.0, 1.5, 3.0]
    """
    middles = (windows.starts + windows.ends) / 2
    between = (middles[1:] + middles[:-1]) / 2
    edges = np.concatenate([windows.starts[:1], between, windows.ends[-1:]])
    return edges, windows.probabilities


def joined(
    edges: NDArray[np.float64], probabilities: NDArray[np.float32], most: int = STEPS
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Join neighbouring steps until there are few enough; a step without speech has no vote.

    >>> edges, shares = joined(np.arange(5.0), np.array([[1], [0], [np.nan], [1]]), most=2)
    >>> edges.tolist(), shares.tolist()
    ([0.0, 2.0, 4.0], [[0.5], [1.0]])
    """
    count = len(probabilities)
    if count <= most:
        return edges, probabilities
    firsts = np.linspace(0, count, most + 1).astype(int)[:-1]
    spoken = ~np.isnan(probabilities).any(axis=1, keepdims=True)
    sums = np.add.reduceat(np.where(spoken, probabilities, 0), firsts)
    votes = np.add.reduceat(spoken.astype(np.float32), firsts)
    means = np.divide(sums, votes, out=np.full_like(sums, np.nan), where=votes > 0)
    return np.append(edges[firsts], edges[-1]), means


def _time(field: str, end: float) -> Spec:
    """Give the axis that all charts over time share, so that they stand above each other."""
    axis = {"title": None, "grid": False, "tickCount": 8, "labelExpr": "datum.label + ' s'"}
    scale = {"domain": [0, round(end, 3)], "nice": False}
    return {"field": field, "type": "quantitative", "axis": axis, "scale": scale}


def _coloured(labels: Sequence[str]) -> Spec:
    scale = {"domain": list(labels), "range": colours_of(labels)}
    return {"field": "label", "type": "nominal", "scale": scale}
