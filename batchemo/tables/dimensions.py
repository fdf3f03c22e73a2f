"""Where emotions lie between unpleasant and pleasant, calm and excited, controlled and in control.

The one place that holds the coordinates; docs/tables.md tells where they come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

COORDINATES = {
    "neutral": (0.0, 0.0, 0.0),
    "calm": (0.5, -0.4, 0.1),
    "happy": (0.8, 0.5, 0.5),
    "sad": (-0.6, -0.3, -0.3),
    "angry": (-0.5, 0.6, 0.3),
    "fearful": (-0.6, 0.6, -0.4),
    "disgust": (-0.6, 0.4, 0.1),
    "surprised": (0.4, 0.7, -0.1),
    "boredom": (-0.7, -0.6, -0.3),
}
"""Valence, arousal and dominance of each emotion, from -1 to 1."""


def expected(probabilities: NDArray[Any], labels: Sequence[str]) -> NDArray[np.float32]:
    """Give the mean of the labels' coordinates, weighed by each row's probabilities.

    >>> expected(np.array([[0.5, 0.5]]), ["happy", "neutral"]).tolist()
    [[0.4000000059604645, 0.25, 0.25]]
    """
    total = np.zeros((len(probabilities), 3))
    # Label by label: a matrix product has other last bits for other numbers of rows.
    for column, label in zip(probabilities.T, labels, strict=True):
        total += column[:, None].astype(np.float64) * COORDINATES[label]
    return total.astype(np.float32)
