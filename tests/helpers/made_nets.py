"""Made nets: of the shipped kind, but small and untaught."""

from __future__ import annotations

from typing import Any

import numpy as np

from batchemo.training.nets.conformer import Conformer, build_conformer
from batchemo.training.nets.layers import NetSpec

FLOOR = -2.0
BANDS = 16
TINY = Conformer(channels=(4, 4, 4), width=8, blocks=1, heads=2)


def spec(bands: int = BANDS, labels: int = 3, **changes: Any) -> NetSpec:
    """What a net is built for: pictures of a few bands whose padding is known."""
    told = {
        "shape": (100, bands),
        "mean": np.zeros(bands, np.float32),
        "spread": np.ones(bands, np.float32),
        "labels": labels,
        "dropout": 0.0,
        "l2": 0.0,
        "floor": FLOOR,
    }
    return NetSpec(**{**told, **changes})


def tiny_conformer(told: NetSpec | None = None, *, seed: int = 0) -> Any:
    """A conformer of next to no size."""
    import keras

    keras.utils.set_random_seed(seed)
    return build_conformer(told or spec(), TINY)
