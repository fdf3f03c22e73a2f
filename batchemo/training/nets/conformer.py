"""The net of the recipes default and accurate: a convolutional front and conformer blocks.

What is told in the end are statistics over time of the blocks' output, and of what went into each.

It takes (batch, time, bands), both free. Frames that are padding are told from sound inside the
graph, so that a longer window around the same sound changes next to nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from batchemo.training.data.augment_spectrogram import FLOOR_MARGIN
from batchemo.training.nets.layers import (
    BATCH_MEMORY,
    Model,
    NetSpec,
    Tensor,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conformer:
    """The size of the net: a strided convolutional front, conformer blocks, pooling over time."""

    channels: tuple[int, int, int] = (16, 16, 32)
    width: int = 96
    blocks: int = 2
    heads: int = 4
    expansion: int = 2
    kernel: int = 15


SMALL = Conformer()


def build_conformer(spec: NetSpec, size: Conformer = SMALL) -> Model:
    """A fresh net for pictures of any length whose padding lies at `spec.floor`."""
    import keras
    from keras import layers, ops

    if spec.floor is None:
        raise ValueError("a conformer must be told what padding is made of")
    pictures = keras.Input((None, spec.shape[-1]), name="features")
    loudest = ops.max(pictures, axis=-1, keepdims=True)
    sound = ops.cast(loudest > spec.floor + FLOOR_MARGIN, "float32")
    # Frozen, it only subtracts and divides; Keras's Normalization layer has no way to ONNX.
    normalise = layers.BatchNormalization(center=False, scale=False, epsilon=1e-6, trainable=False)
    x = ops.expand_dims(normalise(pictures), -1)
    normalise.set_weights([spec.mean, spec.spread**2])
    first, second, third = size.channels
    x = layers.Conv2D(first, 5, strides=2, padding="same", use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization(momentum=BATCH_MEMORY)(x))
    x = _stage(x, second, (2, 2), _every(sound, 4))
    x = _stage(x, third, (1, 2), _every(sound, 4))
    x = layers.Reshape((-1, x.shape[2] * x.shape[3]))(x)
    x = layers.Dropout(spec.dropout)(layers.Dense(size.width)(x))
    sound = _every(sound, 4)
    told = []
    for _ in range(size.blocks):
        # What lies below is told as well: on unseen speakers that was right more often.
        told.append(layers.LayerNormalization()(_statistics(x, _evenly(sound))))
        x = _conformer_block(x, sound, size, spec.dropout)
    told.append(_statistics(x, _attention_over_time(x, sound, size.width // 2)))
    x = layers.Dropout(2 * spec.dropout)(ops.concatenate(told, axis=-1))
    return keras.Model(pictures, layers.Dense(spec.labels, name="logits")(x))


def _every(sound: Tensor, stride: int) -> Tensor:
    """Which of the frames that are left after a stride still hold sound."""
    from keras import layers

    return layers.MaxPooling1D(stride, padding="same")(sound)


def _stage(x: Tensor, channels: int, strides: tuple[int, int], sound: Tensor) -> Tensor:
    """Two convolutions with a squeeze-and-excite gate, beside a shortcut."""
    from keras import layers, ops

    shortcut = layers.AveragePooling2D(strides, padding="same")(x)
    shortcut = layers.Conv2D(channels, 1, use_bias=False)(shortcut)
    shortcut = layers.BatchNormalization(momentum=BATCH_MEMORY)(shortcut)
    x = layers.Conv2D(channels, 3, strides=strides, padding="same", use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization(momentum=BATCH_MEMORY)(x))
    x = layers.Conv2D(channels, 3, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization(momentum=BATCH_MEMORY)(x)
    mean = _mean_over_sound(ops.mean(x, axis=2), sound)
    gate = layers.Dense(channels // 4, activation="relu")(mean)
    gate = layers.Dense(channels, activation="sigmoid")(gate)
    return layers.ReLU()(x * layers.Reshape((1, 1, channels))(gate) + shortcut)


def _mean_over_sound(x: Tensor, sound: Tensor) -> Tensor:
    from keras import ops

    return ops.sum(x * _evenly(sound), axis=1)


def _evenly(sound: Tensor) -> Tensor:
    """What each frame counts where all frames of sound count the same."""
    from keras import ops

    return sound / ops.maximum(ops.sum(sound, axis=1, keepdims=True), 1.0)


def _conformer_block(x: Tensor, sound: Tensor, size: Conformer, dropout: float) -> Tensor:
    from keras import layers

    x = x + 0.5 * _feed_forward(x, size, dropout)
    x = x + layers.Dropout(dropout)(_attention(x, sound, size))
    x = x + layers.Dropout(dropout)(_convolution(x, sound, size))
    x = x + 0.5 * _feed_forward(x, size, dropout)
    return layers.LayerNormalization()(x)


def _feed_forward(x: Tensor, size: Conformer, dropout: float) -> Tensor:
    from keras import layers

    x = layers.LayerNormalization()(x)
    x = layers.Dense(size.expansion * size.width, activation="silu")(x)
    x = layers.Dense(size.width)(layers.Dropout(dropout)(x))
    return layers.Dropout(dropout)(x)


def _attention(x: Tensor, sound: Tensor, size: Conformer) -> Tensor:
    """Every frame looks at every frame of sound, with several heads, at no fixed positions."""
    from keras import layers, ops

    each = size.width // size.heads
    x = layers.LayerNormalization()(x)

    def heads(kind: str) -> Tensor:
        split = layers.Reshape((-1, size.heads, each))(layers.Dense(size.width)(x))
        return ops.transpose(split, (0, 2, 3, 1) if kind == "key" else (0, 2, 1, 3))

    scores = ops.matmul(heads("query"), heads("key")) * each**-0.5
    unheard = ops.transpose(ops.expand_dims((sound - 1) * 1e4, -1), (0, 3, 2, 1))
    attended = ops.matmul(ops.softmax(scores + unheard, axis=-1), heads("value"))
    joined = layers.Reshape((-1, size.width))(ops.transpose(attended, (0, 2, 1, 3)))
    return layers.Dense(size.width)(joined)


def _convolution(x: Tensor, sound: Tensor, size: Conformer) -> Tensor:
    from keras import layers

    x = layers.LayerNormalization()(x)
    x = layers.Dense(size.width)(x) * layers.Dense(size.width, activation="sigmoid")(x)
    x = layers.DepthwiseConv1D(size.kernel, padding="same", use_bias=False)(x * sound)
    x = layers.Activation("silu")(layers.BatchNormalization(momentum=BATCH_MEMORY)(x))
    return layers.Dense(size.width)(x)


def _attention_over_time(x: Tensor, sound: Tensor, hidden: int) -> Tensor:
    """What each frame of sound counts, by what is heard in it."""
    from keras import layers, ops

    score = layers.Dense(1)(layers.Dense(hidden, activation="tanh")(x))
    return ops.softmax(score + (sound - 1) * 1e4, axis=1)


def _statistics(x: Tensor, weight: Tensor) -> Tensor:
    """The mean and the deviation of each channel over time, frames weighed so."""
    from keras import ops

    mean = ops.sum(weight * x, axis=1)
    variance = ops.sum(weight * ops.square(x), axis=1) - ops.square(mean)
    return ops.concatenate([mean, ops.sqrt(ops.maximum(variance, 1e-5))], axis=-1)
