"""What every net is built from, and the names of what has no type of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from batchemo.common.arrays import Float32

Tensor: TypeAlias = Any
Model: TypeAlias = Any

BATCH_MEMORY = 0.95
"""Of batch statistics: Keras's 0.99 lags behind in trainings of a thousand steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetSpec:
    """What a net is built for, and how much it is held back."""

    shape: tuple[int, ...]
    mean: Float32
    spread: Float32
    labels: int
    dropout: float
    l2: float
    """The weight of the squared weights in the loss; 0 for none."""
    floor: float | None = None
    """What the padding of pictures is made of, where a net tells it from sound."""


def begin(spec: NetSpec) -> tuple[Tensor, Tensor]:
    """The input, and the input with each feature at mean 0 and spread 1."""
    import keras
    from keras import layers

    features = keras.Input(spec.shape, name="features")
    # Frozen, it only subtracts and divides; Keras's Normalization layer has no way to ONNX.
    normalise = layers.BatchNormalization(
        center=False, scale=False, epsilon=1e-12, trainable=False, name="normalise"
    )
    normalised = normalise(features)
    normalise.set_weights([spec.mean, spec.spread**2])
    return features, normalised
