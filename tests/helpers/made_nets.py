"""Small untrained nets of the kind that is shipped."""

from __future__ import annotations

from typing import Any

import numpy as np

from batchemo.training.nets.conformer import Conformer, build_conformer
from batchemo.training.nets.layers import NetSpec

FLOOR = -2.0
BANDS = 16
TINY = Conformer(channels=(4, 4, 4), width=8, blocks=1, heads=2)


def net_spec(bands: int = BANDS, labels: int = 3, **changes: Any) -> NetSpec:
    """Return the specification of a net for spectrograms of a few bands, padded with `FLOOR`."""
    values = {
        "shape": (100, bands),
        "mean": np.zeros(bands, np.float32),
        "std": np.ones(bands, np.float32),
        "labels": labels,
        "dropout": 0.0,
        "l2": 0.0,
        "floor": FLOOR,
    }
    return NetSpec(**{**values, **changes})


def tiny_conformer(spec: NetSpec | None = None, *, seed: int = 0) -> Any:
    """Return a conformer of the smallest size that has all of its parts."""
    import keras

    keras.utils.set_random_seed(seed)
    return build_conformer(spec or net_spec(), TINY)
