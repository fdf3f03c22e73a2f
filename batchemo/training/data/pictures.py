"""The shapes of what nets learn from: signals, windows, and pictures with their padding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """How recordings are cut."""

    seconds: float
    hop: float


def sounding(frames: npt.NDArray[np.floating], floor: float) -> npt.NDArray[np.bool_]:
    """Which frames are no padding, which lies at the floor in all bands.

    >>> sounding(np.array([[-2.0, 1.0], [-2.0, -2.0]]), floor=-2.0).tolist()
    [True, False]
    """
    heard: npt.NDArray[np.bool_] = frames.max(axis=1) > floor + FLOOR_MARGIN
    return heard


def sound_length(picture: npt.NDArray[np.floating], floor: float) -> int:
    """The number of frames before the padding at the end; at least one."""
    places = np.flatnonzero(sounding(picture, floor))
    return int(places[-1]) + 1 if len(places) else 1


FLOOR_MARGIN = 0.01
"""A frame whose bands all lie this close to the floor holds no sound."""
