"""The shapes of what nets learn from: signals, windows, and pictures with their padding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Float32: TypeAlias = npt.NDArray[np.float32]
Variant: TypeAlias = Callable[[Float32, int, np.random.Generator], Float32]
"""(signal, rate, random) → the signal as it might have been recorded otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """How recordings are cut."""

    seconds: float
    hop: float


def as_long_as(signal: Float32, changed: npt.NDArray[np.floating]) -> Float32:
    """What was made of a signal, cut or padded to its length.

    >>> as_long_as(np.zeros(3, np.float32), np.ones(2)).tolist()
    [1.0, 1.0, 0.0]
    """
    whole = np.zeros(len(signal), np.float32)
    heard = changed[: len(signal)]
    whole[: len(heard)] = heard
    return whole


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
