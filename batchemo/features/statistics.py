"""Statistics of a track over time in a few numbers: location, spread, trend and movement."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from batchemo.common.arrays import Bool, Float32, Index
from batchemo.features.mel import delta

PERCENTILES = (5, 20, 50, 80, 95)
_QUANTILES = np.array(PERCENTILES) / 100
NAMES = (
    "mean",
    "spread",
    *(f"p{percent}" for percent in PERCENTILES),
    "trend",
    "speed",
    "acceleration",
)


def statistics(tracks: Float32, where: Bool) -> Float32:
    """Return `NAMES` of each track over the selected frames, at least one, (statistics, tracks).

    The trend is by how much the track rises from the first frame to the last; speed and
    acceleration are the spreads of its Δ and ΔΔ.
    """
    selected = tracks[where]
    means, spreads = mean_and_spread(selected)
    speed, acceleration = mean_and_spread(delta(tracks, 1, 2)[where])[1].reshape(2, -1)
    table = [
        means,
        spreads,
        *percentiles(selected),
        trend(tracks, where),
        speed,
        acceleration,
    ]
    return np.array(table, np.float32)


# The functions below do by hand what np.mean, np.std, np.percentile and np.polyfit do: a window
# has a few hundred numbers, on which those spend most of their time checking arguments.


def mean_and_spread(values: NDArray[Any]) -> tuple[Any, Any]:
    """Return mean and standard deviation along the first axis; 0 where there are no values.

    >>> tuple(map(float, mean_and_spread(np.array([1, 3]))))
    (2.0, 1.0)
    """
    count = max(1, len(values))
    mean = np.add.reduce(values, axis=0) / count
    return mean, np.sqrt(np.add.reduce(np.square(values - mean), axis=0) / count)


def percentiles(values: Float32) -> Float32:
    """Return `PERCENTILES` along the first axis, interpolated linearly.

    >>> percentiles(np.arange(11.0)).tolist()
    [0.5, 2.0, 5.0, 8.0, 9.5]
    """
    ordered = np.sort(values, axis=0)
    positions = _QUANTILES * (len(values) - 1)
    below = positions.astype(np.intp)
    fraction = (positions - below).reshape(-1, *[1] * (values.ndim - 1))
    above = np.minimum(below + 1, len(values) - 1)
    interpolated: Float32 = ordered[below] + fraction * (ordered[above] - ordered[below])
    return interpolated


def trend(tracks: Float32, where: Bool) -> Float32:
    """Return how far a line fitted to the selected frames rises from the first frame to the last.

    >>> round(float(trend(np.arange(10), np.ones(10, dtype=bool))), 6)
    9.0
    """
    selected = tracks[where]
    # In units of the whole track, so that the slope is the rise; centred, so that the normal
    # equations are well conditioned and give the slope alone.
    times = np.flatnonzero(where) / max(1, len(tracks) - 1)
    times -= np.add.reduce(times) / len(times)
    centred = selected - np.add.reduce(selected, axis=0) / len(selected)
    rise: Float32 = times @ centred / (times @ times or 1)
    return rise


def runs(mask: Bool) -> Index:
    """Return begin and end of each run of frames that are set, (runs, 2).

    >>> runs(np.array([True, False, True, True])).tolist()
    [[0, 1], [2, 4]]
    """
    padded = np.zeros(len(mask) + 2, bool)
    padded[1:-1] = mask
    return np.flatnonzero(padded[1:] != padded[:-1]).reshape(-1, 2)
