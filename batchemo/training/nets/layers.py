"""What all nets are built with: their specification, the input, and types for mypy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from batchemo.bundles.keras_model import outputs_by_name
from batchemo.common.arrays import Float32

# Keras is not imported here and has no types of its own.
Tensor: TypeAlias = Any
Model: TypeAlias = Any

LOGITS = "logits"
"""The output that every net has. One may have an `embedding` and the `familiarity` as well."""

BATCH_NORM_MOMENTUM = 0.95
"""Keras's 0.99 is too slow: its statistics lag behind in trainings of a thousand steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetSpec:
    """What a net is built for: its input, its classes and its regularisation."""

    shape: tuple[int, ...]
    """The shape of the features of one window."""
    mean: Float32
    std: Float32
    labels: int
    dropout: float
    l2: float
    """The weight of the squared weights in the loss; 0 for none."""


def outputs_of(model: Model, batch: Tensor, name: str = LOGITS) -> dict[str, Tensor]:
    """Return what a net gives for a batch, by name; `name` is that of an only output."""
    outputs = outputs_by_name(model, model(batch, training=False))
    return outputs if len(outputs) > 1 else {name: next(iter(outputs.values()))}


def normalised_input(spec: NetSpec) -> tuple[Tensor, Tensor]:
    """Return the input of a net, and the input with each feature at mean 0 and deviation 1."""
    import keras

    features = keras.Input(spec.shape, name="features")
    return features, normalise(features, spec, epsilon=1e-12, name="normalise")


def normalise(
    features: Tensor, spec: NetSpec, *, epsilon: float, name: str | None = None
) -> Tensor:
    """Return the features at mean 0 and deviation 1, by constants that are part of the net."""
    from keras import layers

    # A frozen BatchNormalization only subtracts and divides. Keras's Normalization layer would be
    # the obvious one, but it cannot be converted to ONNX.
    frozen = layers.BatchNormalization(
        center=False, scale=False, epsilon=epsilon, trainable=False, name=name
    )
    normalised = frozen(features)
    frozen.set_weights([spec.mean, spec.std**2])
    return normalised
