"""The types of arrays that signals, features and probabilities are passed in, and frames of one."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Float32: TypeAlias = NDArray[np.float32]
Float64: TypeAlias = NDArray[np.float64]
Int64: TypeAlias = NDArray[np.int64]
Index: TypeAlias = NDArray[np.intp]
"""Positions in another array."""
Bool: TypeAlias = NDArray[np.bool_]


def overlapping_frames(signal: Float32, length: int, hop: int) -> Float32:
    """Return all whole frames of a contiguous signal, one every `hop` samples: a view, not a copy.

    numpy's `sliding_window_view` takes fifty times as long, more than many a feature.

    >>> overlapping_frames(np.arange(6, dtype=np.float32), 3, 2).tolist()
    [[0.0, 1.0, 2.0], [2.0, 3.0, 4.0]]
    """
    count = max(0, (len(signal) - length) // hop + 1)
    step = signal.itemsize
    frames: Float32 = np.ndarray((count, length), signal.dtype, signal, 0, (hop * step, step))
    frames.flags.writeable = False
    return frames
