"""What is told of a track over time in a few numbers: its middle, spread, trend and movement."""

from __future__ import annotations

import numpy as np

from batchemo.features.cepstrum import delta
from batchemo.features.fundamental import Mask
from batchemo.features.spectrum import Floats

PERCENTILES = (5, 20, 50, 80, 95)
NAMES = (
    "mean",
    "spread",
    *(f"p{percent}" for percent in PERCENTILES),
    "trend",
    "speed",
    "acceleration",
)


def statistics(tracks: Floats, where: Mask) -> Floats:
    """`NAMES` of each track over those frames, at least one, (statistics, tracks).

    The trend is by how much the track rises from the first frame to the last; speed and
    acceleration are the spreads of its Δ and ΔΔ.
    """
    chosen = tracks[where]
    return np.stack(
        [
            chosen.mean(axis=0),
            chosen.std(axis=0),
            *np.percentile(chosen, PERCENTILES, axis=0),
            trend(tracks, where),
            delta(tracks)[where].std(axis=0),
            delta(tracks, order=2)[where].std(axis=0),
        ]
    ).astype(np.float32)


def trend(tracks: Floats, where: Mask) -> Floats:
    """How far a line through those frames of a track rises from the first frame to the last.

    >>> float(trend(np.arange(10, dtype=np.float32), np.ones(10, dtype=bool)))
    9.0
    """
    chosen = tracks[where]
    times = np.linspace(0, 1, len(tracks))[where]
    times -= times.mean()
    squares = np.square(times).sum()
    rise: Floats = times @ (chosen - chosen.mean(axis=0)) / (squares or 1)
    return rise


def runs(mask: Mask) -> list[tuple[int, int]]:
    """The begin and the end of each run of frames that are set.

    >>> runs(np.array([True, False, True, True]))
    [(0, 1), (2, 4)]
    """
    edges = np.flatnonzero(np.diff(mask.astype(np.int8), prepend=0, append=0))
    return [(int(begin), int(end)) for begin, end in edges.reshape(-1, 2)]
