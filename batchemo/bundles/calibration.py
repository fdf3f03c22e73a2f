"""How logits become calibrated probabilities: softmax at a temperature.

The temperature may depend on each window's familiarity: of windows that are unlike the training
recordings a model is wrong more often, and should say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from batchemo.bundles.schema import FAMILIARITY_TEMPERATURE, TEMPERATURE
from batchemo.common.arrays import Float32, Float64


@dataclass(frozen=True, slots=True)
class Calibration:
    """The temperature of a window: `temperature × exp(slope × (1 − familiarity))`.

    >>> Calibration(1.5).temperatures(None)
    1.5
    >>> familiarity = np.array([1.0, 0.0], np.float32)
    >>> Calibration(1.5, slope=1.0).temperatures(familiarity).round(2).tolist()
    [[1.5], [4.08]]
    """

    temperature: float
    """Of windows that are as the training recordings; of all, where there is no slope."""
    slope: float | None = None
    """By how much the logarithm of the temperature grows from familiarity 1 to 0."""

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Calibration:
        """Read the `calibration` of a bundle.json."""
        return cls(float(data["temperature"]), data.get("slope"))

    def to_dict(self) -> dict[str, Any]:
        """Return the `calibration` of a bundle.json.

        >>> Calibration(2.0).to_dict()
        {'method': 'temperature', 'temperature': 2.0}
        """
        if self.slope is None:
            return {"method": TEMPERATURE, "temperature": self.temperature}
        return {
            "method": FAMILIARITY_TEMPERATURE,
            "temperature": self.temperature,
            "slope": self.slope,
        }

    def temperatures(self, familiarity: Float32 | None) -> float | Float64:
        """Return the divisor of the logits: one for all, or a column with one for each window."""
        if self.slope is None:
            return self.temperature
        if familiarity is None:
            raise ValueError("the temperature depends on the familiarity, which is not given")
        unfamiliarity = 1.0 - familiarity.astype(np.float64).reshape(-1, 1)
        divisors: Float64 = self.temperature * np.exp(self.slope * unfamiliarity)
        return divisors


def softmax(logits: npt.ArrayLike, temperature: float | Float64 = 1.0) -> Float64:
    """Return the probabilities of each row of logits; the temperature may be a column.

    >>> softmax([[0.0, 0.0], [1000.0, 0.0]]).round(3).tolist()
    [[0.5, 0.5], [1.0, 0.0]]
    """
    scaled = np.asarray(logits, np.float64) / temperature
    # Less the greatest: exp of a large logit would overflow, and the quotient is the same.
    weights = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    normalised: Float64 = weights / weights.sum(axis=1, keepdims=True)
    return normalised
