"""What a long recording sounds like: how much of its speaking time each label has.

A mean over an hour is nobody's emotion. So the windows are joined to stretches of one label, as in
every timeline, and the stretches are counted by their length.
"""

from __future__ import annotations

import numpy as np

from batchemo.common.arrays import Float32, Float64
from batchemo.timelines.stretches import Joining, Windows, join_windows


def speaking_shares(starts: Float64, ends: Float64, probabilities: Float32) -> Float32:
    """Return the share of the speaking time that each label has; they add up to 1.

    `probabilities` are those of windows in the order of time, NaN for windows without speech, of
    which there must be another.

    >>> starts = np.arange(4.0) * 5
    >>> p = np.array([[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [np.nan, np.nan]], np.float32)
    >>> speaking_shares(starts, starts + 5, p).round(2).tolist()
    [0.6700000166893005, 0.33000001311302185]
    """
    windows = Windows(starts, ends, probabilities.astype(np.float64))
    count = probabilities.shape[1]
    seconds = np.zeros(count)
    for stretch in join_windows(windows, [str(index) for index in range(count)], Joining()):
        seconds[int(stretch.label)] += stretch.end - stretch.start
    shares: Float32 = (seconds / seconds.sum()).astype(np.float32)
    return shares
