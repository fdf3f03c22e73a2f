"""The types of arrays that signals, features and probabilities are passed in."""

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
