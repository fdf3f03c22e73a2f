"""The net of the recipe default: a convolutional front end and conformer blocks.

It takes (batch, time, bands), batch and time of any size, and gives logits from statistics over
time: of the last block's output, and of the input of each block. Frames of padding are recognised
inside the graph and masked everywhere, so that a longer window around the same signal changes next
to nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from batchemo.training.data.augment_spectrogram import FLOOR_MARGIN
from batchemo.training.nets.layers import (
    BATCH_NORM_MOMENTUM,
    Model,
    NetSpec,
    Tensor,
    normalise,
)

_EXCLUDED = 1e4
"""Subtracted from the attention scores of padding: far beyond all scores, yet no overflow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conformer:
    """The size of the net."""

    channels: tuple[int, int, int] = (16, 16, 32)
    """Of the convolutional front end."""
    width: int = 96
    blocks: int = 2
    heads: int = 4
    expansion: int = 2
    """How much wider the feed-forward layers are inside."""
    kernel: int = 15


SMALL = Conformer()


def build_conformer(spec: NetSpec, size: Conformer = SMALL) -> Model:
    """Build a net for spectrograms of any length that are padded with `spec.floor`."""
    import keras
    from keras import layers, ops

    if spec.floor is None:
        raise ValueError("a conformer needs the floor: the value that spectrograms are padded with")
    spectrograms = keras.Input((None, spec.shape[-1]), name="features")
    loudest_band = ops.max(spectrograms, axis=-1, keepdims=True)
    # 1 for frames of signal, 0 for padding: (batch, time, 1).
    is_signal = ops.cast(loudest_band > spec.floor + FLOOR_MARGIN, "float32")
    x = ops.expand_dims(normalise(spectrograms, spec, epsilon=1e-6), -1)
    first, second, third = size.channels
    x = layers.Conv2D(first, 5, strides=2, padding="same", use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM)(x))
    x = _residual_stage(x, second, (2, 2), _pool_mask(is_signal, 4))
    x = _residual_stage(x, third, (1, 2), _pool_mask(is_signal, 4))
    x = layers.Reshape((-1, x.shape[2] * x.shape[3]))(x)
    x = layers.Dropout(spec.dropout)(layers.Dense(size.width)(x))
    mask = _pool_mask(is_signal, 4)
    statistics = []
    for _ in range(size.blocks):
        # The inputs of the blocks are part of the result too: that was better on unseen speakers.
        statistics.append(layers.LayerNormalization()(_mean_and_std(x, _uniform_weights(mask))))
        x = _conformer_block(x, mask, size, spec.dropout)
    statistics.append(_mean_and_std(x, _attention_weights(x, mask, size.width // 2)))
    x = layers.Dropout(2 * spec.dropout)(ops.concatenate(statistics, axis=-1))
    return keras.Model(spectrograms, layers.Dense(spec.labels, name="logits")(x))


def _pool_mask(mask: Tensor, stride: int) -> Tensor:
    """Return the mask of the frames that a stride leaves: signal where any of them was."""
    from keras import layers

    return layers.MaxPooling1D(stride, padding="same")(mask)


def _residual_stage(x: Tensor, channels: int, strides: tuple[int, int], mask: Tensor) -> Tensor:
    """Apply two convolutions with squeeze and excitation, and add a shortcut."""
    from keras import layers, ops

    shortcut = layers.AveragePooling2D(strides, padding="same")(x)
    shortcut = layers.Conv2D(channels, 1, use_bias=False)(shortcut)
    shortcut = layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM)(shortcut)
    x = layers.Conv2D(channels, 3, strides=strides, padding="same", use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM)(x))
    x = layers.Conv2D(channels, 3, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM)(x)
    mean = ops.sum(ops.mean(x, axis=2) * _uniform_weights(mask), axis=1)
    gate = layers.Dense(channels // 4, activation="relu")(mean)
    gate = layers.Dense(channels, activation="sigmoid")(gate)
    return layers.ReLU()(x * layers.Reshape((1, 1, channels))(gate) + shortcut)


def _uniform_weights(mask: Tensor) -> Tensor:
    """Return the same weight for all frames of signal, in sum 1; 0 for padding."""
    from keras import ops

    # At least 1: a window without any signal must not divide by 0.
    return mask / ops.maximum(ops.sum(mask, axis=1, keepdims=True), 1.0)


def _conformer_block(x: Tensor, mask: Tensor, size: Conformer, dropout: float) -> Tensor:
    """Apply a block of Gulati et al. (2020): attention and convolution between half FFNs."""
    from keras import layers

    x = x + 0.5 * _feed_forward(x, size, dropout)
    x = x + layers.Dropout(dropout)(_self_attention(x, mask, size))
    x = x + layers.Dropout(dropout)(_convolution(x, mask, size))
    x = x + 0.5 * _feed_forward(x, size, dropout)
    return layers.LayerNormalization()(x)


def _feed_forward(x: Tensor, size: Conformer, dropout: float) -> Tensor:
    from keras import layers

    x = layers.LayerNormalization()(x)
    x = layers.Dense(size.expansion * size.width, activation="silu")(x)
    x = layers.Dense(size.width)(layers.Dropout(dropout)(x))
    return layers.Dropout(dropout)(x)


def _self_attention(x: Tensor, mask: Tensor, size: Conformer) -> Tensor:
    """Attend from every frame to the frames of signal, with several heads and no positions."""
    from keras import layers, ops

    head_width = size.width // size.heads
    x = layers.LayerNormalization()(x)

    def split_heads(role: str) -> Tensor:
        heads = layers.Reshape((-1, size.heads, head_width))(layers.Dense(size.width)(x))
        return ops.transpose(heads, (0, 2, 3, 1) if role == "key" else (0, 2, 1, 3))

    scores = ops.matmul(split_heads("query"), split_heads("key")) * head_width**-0.5
    excluded = ops.transpose(ops.expand_dims((mask - 1) * _EXCLUDED, -1), (0, 3, 2, 1))
    attended = ops.matmul(ops.softmax(scores + excluded, axis=-1), split_heads("value"))
    merged = layers.Reshape((-1, size.width))(ops.transpose(attended, (0, 2, 1, 3)))
    return layers.Dense(size.width)(merged)


def _convolution(x: Tensor, mask: Tensor, size: Conformer) -> Tensor:
    from keras import layers

    x = layers.LayerNormalization()(x)
    x = layers.Dense(size.width)(x) * layers.Dense(size.width, activation="sigmoid")(x)
    x = layers.DepthwiseConv1D(size.kernel, padding="same", use_bias=False)(x * mask)
    x = layers.Activation("silu")(layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM)(x))
    return layers.Dense(size.width)(x)


def _attention_weights(x: Tensor, mask: Tensor, hidden: int) -> Tensor:
    """Return learned weights of the frames of signal, in sum 1; next to 0 for padding."""
    from keras import layers, ops

    score = layers.Dense(1)(layers.Dense(hidden, activation="tanh")(x))
    return ops.softmax(score + (mask - 1) * _EXCLUDED, axis=1)


def _mean_and_std(x: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted mean and standard deviation of each channel over time."""
    from keras import ops

    mean = ops.sum(weights * x, axis=1)
    variance = ops.sum(weights * ops.square(x), axis=1) - ops.square(mean)
    # The difference can be slightly negative, and the root has no gradient at 0.
    return ops.concatenate([mean, ops.sqrt(ops.maximum(variance, 1e-5))], axis=-1)
