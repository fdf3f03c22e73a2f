"""Whether a piece of signal sounds like speech at all: a cheap test that lets almost all pass."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Signal = npt.NDArray[np.float32]


def sounds_like_speech(samples: Signal, rate: int) -> bool:
    """Whether a window holds anything that could be speech."""
    return bool(np.any(samples))
