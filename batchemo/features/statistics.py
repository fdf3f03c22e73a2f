"""What is told of a track over time in a few numbers: its middle, spread, trend and movement."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from batchemo.common.arrays import Bool, Float32
from batchemo.features.mel import delta

PERCENTILES = (5, 20, 50, 80, 95)
_SHARES = np.array(PERCENTILES) / 100
NAMES = (
    "mean",
    "spread",
    *(f"p{percent}" for percent in PERCENTILES),
    "trend",
    "speed",
    "acceleration",
)


def statistics(tracks: Float32, where: Bool) -> Float32:
    """`NAMES` of each track over those frames, at least one, (statistics, tracks).

    The trend is by how much the track rises from the first frame to the last; speed and
    acceleration are the spreads of its Δ and ΔΔ.
    """
    chosen = tracks[where]
    means, spreads = mean_and_spread(chosen)
    speed, acceleration = mean_and_spread(delta(tracks, 1, 2)[where])[1].reshape(2, -1)
    table = [
        means,
        spreads,
        *percentiles(chosen),
        trend(tracks, where),
        speed,
        acceleration,
    ]
    return np.array(table, np.float32)


def mean_and_spread(values: NDArray[Any]) -> tuple[Any, Any]:
    """The mean and the standard deviation along the first axis; 0 where there are no values.

    As numpy's own, which on a few hundred numbers take most of their time to get ready.

    >>> tuple(map(float, mean_and_spread(np.array([1, 3]))))
    (2.0, 1.0)
    """
    count = max(1, len(values))
    mean = np.add.reduce(values, axis=0) / count
    return mean, np.sqrt(np.add.reduce(np.square(values - mean), axis=0) / count)


def percentiles(values: Float32) -> Float32:
    """`PERCENTILES` along the first axis, between neighbours by the straight line.

    >>> percentiles(np.arange(11.0)).tolist()
    [0.5, 2.0, 5.0, 8.0, 9.5]
    """
    ordered = np.sort(values, axis=0)
    places = _SHARES * (len(values) - 1)
    below = places.astype(np.intp)
    part = (places - below).reshape(-1, *[1] * (values.ndim - 1))
    above = np.minimum(below + 1, len(values) - 1)
    between: Float32 = ordered[below] + part * (ordered[above] - ordered[below])
    return between


def trend(tracks: Float32, where: Bool) -> Float32:
    """How far a line through those frames of a track rises from the first frame to the last.

    >>> round(float(trend(np.arange(10), np.ones(10, dtype=bool))), 6)
    9.0
    """
    chosen = tracks[where]
    times = np.flatnonzero(where) / max(1, len(tracks) - 1)
    times -= np.add.reduce(times) / len(times)
    squares = times @ times
    rise: Float32 = times @ (chosen - np.add.reduce(chosen, axis=0) / len(chosen)) / (squares or 1)
    return rise


def runs(mask: Bool) -> NDArray[np.intp]:
    """The begin and the end of each run of frames that are set, (runs, 2).

    >>> runs(np.array([True, False, True, True])).tolist()
    [[0, 1], [2, 4]]
    """
    between = np.zeros(len(mask) + 2, bool)
    between[1:-1] = mask
    return np.flatnonzero(between[1:] != between[:-1]).reshape(-1, 2)
