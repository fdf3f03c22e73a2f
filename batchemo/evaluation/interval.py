"""How far a figure might differ had other speakers like these been recorded (bootstrap)."""

from __future__ import annotations

from typing import Literal

import numpy as np

from batchemo.common.arrays import Float64

FEWEST_SPEAKERS = 3
"""With fewer, drawing them anew tells nothing."""

Kind = Literal["uar", "accuracy"]


def interval_over_speakers(
    right: Float64, count: Float64, kind: Kind, *, draws: int = 2000, seed: int = 0
) -> tuple[float, float] | None:
    """The 95 % interval of a figure, from counts by (seed, speaker, class).

    Speakers are drawn with all that was heard of them, copies too, and the same speakers for
    every seed; a draw's figure is the mean of its seeds'.

    >>> everyone = np.ones((1, 5, 2))
    >>> interval_over_speakers(everyone, everyone, "uar")
    (1.0, 1.0)
    """
    speakers = count.shape[1]
    if speakers < FEWEST_SPEAKERS:
        return None
    drawn = np.random.default_rng(seed).integers(speakers, size=(draws, speakers))
    by_seed = [
        _figures(own_right[drawn].sum(axis=1), own_count[drawn].sum(axis=1), kind)
        for own_right, own_count in zip(right, count, strict=True)
    ]
    figures = np.mean(by_seed, axis=0)
    low, high = np.percentile(figures, [2.5, 97.5])
    return float(low), float(high)


def _figures(right: Float64, count: Float64, kind: Kind) -> Float64:
    """Each draw's figure, from its counts by (draw, class)."""
    if kind == "accuracy":
        shares: Float64 = right.sum(axis=1) / np.maximum(count.sum(axis=1), 1)
        return shares
    heard = count > 0
    recalls = np.divide(right, count, out=np.zeros_like(right), where=heard)
    means: Float64 = recalls.sum(axis=1) / np.maximum(heard.sum(axis=1), 1)
    return means
