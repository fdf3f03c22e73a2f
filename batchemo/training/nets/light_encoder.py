"""A light encoder that imitates the pretrained one: from log-mels to statistics over time.

It has the same two convolutions and two blocks, but gives a frame every 40 ms instead of 20, has
ReLU instead of GELU, and multiplies in 8 bits (`batchemo.training.nets.light_graph`): an eighth of
the time. It starts from the pretrained weights and learns to give the outputs of the pretrained
encoder, from recordings without labels (`batchemo.training.fit.distil`).
"""

from __future__ import annotations

import numpy as np

from batchemo.common.arrays import Float32
from batchemo.training.data.augment_spectrogram import FLOOR_MARGIN
from batchemo.training.nets.encoder import (
    BANDS,
    BLOCKS,
    EPSILON,
    EXCLUDED,
    HEADS,
    SCALE,
    SHIFT,
    WIDTH,
    Weights,
)
from batchemo.training.nets.layers import Model, Tensor

STRIDE = 4
"""Frames of the input for one of the output; the pretrained encoder has one for two."""
TAPS = 5
"""Frames that the second convolution sees: those of two outputs of the pretrained one."""
POSITIONS = 200


def build_light_encoder(pretrained: Weights, floor: float) -> Model:
    """Build the encoder for log-mels (batch, time, bands), with weights to start from.

    Its outputs are the frames after each block and, 1 or 0, which of them are signal.
    """
    import keras
    from keras import layers, ops

    features = keras.Input((None, BANDS), name="features")
    loudest_band = ops.max(features, axis=-1, keepdims=True)
    is_signal = ops.cast(loudest_band > floor + FLOOR_MARGIN, "float32")
    x = (features * SCALE + SHIFT) * is_signal
    # Zeros stand for padding and for what lies beyond the ends, as far as the taps reach.
    x = ops.pad(x, ((0, 0), (2, TAPS - 1), (0, 0)))
    x = layers.Dense(WIDTH, activation="relu", name="conv1")(_stack(x, 3, 1))
    x = layers.Dense(WIDTH, activation="relu", name="conv2")(_stack(x, TAPS, STRIDE))
    mask = layers.ZeroPadding1D((0, STRIDE - 1))(is_signal)
    mask = layers.MaxPooling1D(STRIDE)(mask)
    count = ops.cast(ops.cumsum(ops.ones_like(mask[:, :, 0]), axis=1), "int32")
    positions = ops.minimum(count, POSITIONS) - 1
    x = x + layers.Embedding(POSITIONS, WIDTH, name="positions")(positions)
    outputs = []
    for block in range(BLOCKS):
        x = _block(x, mask, f"block{block}")
        outputs.append(x)
    model = keras.Model(features, [*outputs, mask], name="light_encoder")
    _start_from(model, pretrained)
    return model


def weights_of(model: Model) -> Weights:
    """Return the weights by the names of the layers, as `light_graph` takes them."""
    weights: dict[str, Float32] = {}
    for layer in model.layers:
        kinds = ("weight", "bias")[: len(layer.weights)]
        for kind, values in zip(kinds, layer.get_weights(), strict=True):
            weights[f"{layer.name}.{kind}"] = np.asarray(values, np.float32)
    return weights


def _stack(x: Tensor, taps: int, stride: int) -> Tensor:
    """Return each frame beside the ones that follow it, for every stride-th frame."""
    from keras import ops

    ends = [tap - taps + 1 or None for tap in range(taps)]
    return ops.concatenate([x[:, tap : ends[tap] : stride] for tap in range(taps)], axis=-1)


def _block(x: Tensor, mask: Tensor, name: str) -> Tensor:
    """Apply a block of a transformer: attention, then two dense layers, each beside a shortcut."""
    from keras import layers, ops

    def normalise(inputs: Tensor, role: str) -> Tensor:
        return layers.LayerNormalization(epsilon=EPSILON, name=f"{name}_{role}")(inputs)

    def split_heads(inputs: Tensor) -> Tensor:
        return ops.transpose(layers.Reshape((-1, HEADS, WIDTH // HEADS))(inputs), (0, 2, 1, 3))

    joined = layers.Dense(3 * WIDTH, name=f"{name}_attention")(normalise(x, "norm1"))
    query, key, value = (split_heads(part) for part in ops.split(joined, 3, axis=-1))
    excluded = ops.transpose(ops.expand_dims((mask - 1) * EXCLUDED, -1), (0, 3, 2, 1))
    # In single precision also where the rest is of half: the mask is beyond what that can hold.
    scores = ops.cast(ops.matmul(query, ops.transpose(key, (0, 1, 3, 2))), "float32") + excluded
    attended = ops.matmul(ops.cast(ops.softmax(scores, axis=-1), value.dtype), value)
    merged = layers.Reshape((-1, WIDTH))(ops.transpose(attended, (0, 2, 1, 3)))
    x = x + layers.Dense(WIDTH, name=f"{name}_out")(merged)
    y = layers.Dense(4 * WIDTH, activation="relu", name=f"{name}_expand")(normalise(x, "norm2"))
    return x + layers.Dense(WIDTH, name=f"{name}_project")(y)


def _start_from(model: Model, pretrained: Weights) -> None:
    """Set weights by which the model is as near to the pretrained encoder as it gets untrained."""
    weights = dict(pretrained)
    narrow = pretrained["conv2.weight"]
    # The mean of two neighbouring outputs of the pretrained convolution, as one convolution.
    wide = np.zeros((TAPS, *narrow.shape[1:]), np.float32)
    wide[:3] += narrow / 2
    wide[2:] += narrow / 2
    weights["conv2.weight"] = wide
    for name in ("conv1.weight", "conv2.weight"):
        weights[name] = weights[name].reshape(-1, WIDTH)
    positions = pretrained["positions.weight"]
    weights["positions.weight"] = (positions[::2] + positions[1::2]) * np.float32(0.5)
    scale = (WIDTH // HEADS) ** -0.5
    for block in range(BLOCKS):
        name = f"block{block}"
        query, key, value = (
            pretrained[f"{name}_{role}.weight"] for role in ("query", "key", "value")
        )
        weights[f"{name}_attention.weight"] = np.concatenate([query * scale, key, value], axis=1)
        query, value = (pretrained[f"{name}_{role}.bias"] for role in ("query", "value"))
        without_bias = np.zeros(WIDTH, np.float32)
        weights[f"{name}_attention.bias"] = np.concatenate([query * scale, without_bias, value])
    for layer in model.layers:
        kinds = ("weight", "bias")[: len(layer.weights)]
        layer.set_weights([weights[f"{layer.name}.{kind}"] for kind in kinds])
