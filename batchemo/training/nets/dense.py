"""The net of the recipe accurate: one hidden layer on the statistics of the encoder."""

from __future__ import annotations

from batchemo.training.nets.layers import Model, NetSpec, normalised_input

_HIDDEN = 256
_INPUT_DROPOUT = 0.2
"""Less than inside of the net: what is left out of the input is hard to make up for."""


def build_dense(spec: NetSpec) -> Model:
    """Build the net for vectors of any width."""
    import keras
    from keras import layers

    features, x = normalised_input(spec)
    x = layers.Dense(_HIDDEN)(layers.Dropout(_INPUT_DROPOUT)(x))
    x = layers.Activation("silu")(layers.LayerNormalization()(x))
    x = layers.Dropout(spec.dropout)(x)
    return keras.Model(features, layers.Dense(spec.labels, name="logits")(x))
