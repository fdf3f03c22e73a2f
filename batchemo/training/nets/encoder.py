"""A pretrained speech encoder, cut to its first blocks: from log-mels to statistics over time.

The encoder is that of Whisper tiny (Radford et al., 2022), as smart-turn 3.2 has it: a network that
was pretrained on the speech of the web, and then on turns of conversations. Its weights are read
from `smart-turn-v3.2-cpu.onnx`, a file of the wheel `pipecat-ai`, and are never changed here: what
is trained is a small net on its outputs. That file holds 8-bit weights, which are read as the
numbers that they stand for; the file's own input of 8 s, its other blocks and its classifier are
not used.

Unlike Whisper's own, this input is as long as the speech in it: frames of padding are recognised
and masked everywhere, and the outputs are statistics over the frames of signal alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from batchemo.common.arrays import Float32
from batchemo.errors import UsageError
from batchemo.training.data.augment_spectrogram import FLOOR_MARGIN
from batchemo.training.nets.layers import Model, Tensor

BLOCKS = 2
"""Blocks that are used, of four: with a third one, nothing was recognised better."""
WIDTH = 384
HEADS = 6
BANDS = 80
STATISTICS_SIZE = 2 * BLOCKS * WIDTH
"""Outputs of a window: mean and standard deviation over time, after each block."""
POSITIONS = 400
MAX_SECONDS = 8.0
"""The longest window: the encoder knows so many positions, one every 20 ms."""

SCALE, SHIFT = 0.5, 0.764
"""From the features `logmel80`, -2 … 2 for 80 dB, to Whisper's: their mean difference over speech.
Whisper scales 80 dB to 2, below a maximum that depends on the signal."""
EXCLUDED = 1e4
"""Subtracted from the attention scores of padding: far beyond all scores, yet no overflow."""
EPSILON = 1e-5
"""Added to variances before their root is taken."""
_GELU_SCALE = float(np.sqrt(2))

HOW_TO_GET = (
    "get it with `pip download --no-deps pipecat-ai==1.14.0`, unzip the wheel, and give the file"
    " pipecat/audio/turn/smart_turn/data/smart-turn-v3.2-cpu.onnx"
)

Weights = Mapping[str, Float32]


def read_encoder(path: Path) -> Weights:
    """Read the weights of the convolutions and of the first blocks; UsageError for other files."""
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        graph = onnx.load(path).graph
    except OSError as error:
        raise UsageError(
            f"--encoder {path}: cannot be read: {error.strerror}; {HOW_TO_GET}"
        ) from error
    except DecodeError as error:
        raise UsageError(f"--encoder {path}: is not an ONNX file; {HOW_TO_GET}") from error
    try:
        weights = _named_weights(graph)
    except (KeyError, ValueError) as error:
        raise UsageError(
            f"--encoder {path}: is not the encoder that is expected ({error}); {HOW_TO_GET}"
        ) from error
    return weights


def build_encoder(weights: Weights, floor: float) -> Model:
    """Build the encoder for log-mels (batch, time, bands) that are padded with the floor."""
    import keras
    from keras import ops

    features = keras.Input((None, BANDS), name="features")
    *blocks, mask = _frames(features, floor)
    statistics = [part for frames in blocks for part in mean_and_std(frames, mask)]
    return _finished(features, ops.concatenate(statistics, axis=-1), weights)


def build_frame_encoder(weights: Weights, floor: float) -> Model:
    """Build the encoder with the frames after each block, and 1 or 0 for which are signal."""
    import keras

    features = keras.Input((None, BANDS), name="features")
    return _finished(features, _frames(features, floor), weights)


def _finished(features: Tensor, outputs: Tensor, weights: Weights) -> Model:
    import keras

    model = keras.Model(features, outputs, name="encoder")
    _set_weights(model, weights)
    model.trainable = False
    return model


def _frames(features: Tensor, floor: float) -> list[Tensor]:
    """Return the frames after each block, every 20 ms, and which of them are signal."""
    from keras import layers, ops

    loudest_band = ops.max(features, axis=-1, keepdims=True)
    # 1 for frames of signal, 0 for padding: (batch, time, 1).
    is_signal = ops.cast(loudest_band > floor + FLOOR_MARGIN, "float32")
    # Padding is set to 0, like what lies beyond the ends: so its length changes nothing.
    x = (features * SCALE + SHIFT) * is_signal
    x = _gelu(layers.Conv1D(WIDTH, 3, padding="same", name="conv1")(x))
    x = x * ops.cast(is_signal, x.dtype)
    # Padded by hand: Keras pads strides at the end alone, the encoder at both ends.
    x = layers.ZeroPadding1D(1)(x)
    x = _gelu(layers.Conv1D(WIDTH, 3, strides=2, name="conv2")(x))
    mask = layers.MaxPooling1D(2, padding="same")(is_signal)
    # The last position stands for all beyond it: windows are shorter, padding may not be.
    count = ops.minimum(ops.cumsum(ops.ones_like(mask[:, :, 0]), axis=1), POSITIONS)
    positions = ops.cast(count, "int32") - 1
    x = x + layers.Embedding(POSITIONS, WIDTH, name="positions")(positions)
    blocks = []
    for block in range(BLOCKS):
        x = _block(x, mask, f"block{block}")
        blocks.append(x)
    return [*blocks, mask]


def _block(x: Tensor, mask: Tensor, name: str) -> Tensor:
    """Apply a block of a transformer: attention, then two dense layers, each beside a shortcut."""
    from keras import layers, ops

    def dense(inputs: Tensor, units: int, role: str, bias: bool = True) -> Tensor:
        return layers.Dense(units, use_bias=bias, name=f"{name}_{role}")(inputs)

    def split_heads(inputs: Tensor) -> Tensor:
        return ops.transpose(layers.Reshape((-1, HEADS, WIDTH // HEADS))(inputs), (0, 2, 1, 3))

    y = layers.LayerNormalization(epsilon=EPSILON, name=f"{name}_norm1")(x)
    query = split_heads(dense(y, WIDTH, "query")) * (WIDTH // HEADS) ** -0.5
    key = split_heads(dense(y, WIDTH, "key", bias=False))
    value = split_heads(dense(y, WIDTH, "value"))
    excluded = ops.transpose(ops.expand_dims((mask - 1) * EXCLUDED, -1), (0, 3, 2, 1))
    scores = ops.cast(ops.matmul(query, ops.transpose(key, (0, 1, 3, 2))), "float32") + excluded
    attended = ops.matmul(ops.cast(ops.softmax(scores, axis=-1), value.dtype), value)
    merged = layers.Reshape((-1, WIDTH))(ops.transpose(attended, (0, 2, 1, 3)))
    x = x + dense(merged, WIDTH, "out")
    y = layers.LayerNormalization(epsilon=EPSILON, name=f"{name}_norm2")(x)
    return x + dense(_gelu(dense(y, 4 * WIDTH, "expand")), WIDTH, "project")


def _gelu(x: Tensor) -> Tensor:
    """The exact GELU, written as ONNX Runtime recognises and fuses it; Keras's has no ONNX form."""
    from keras import ops

    return x * (ops.erf(x / _GELU_SCALE) + 1.0) * 0.5


def mean_and_std(x: Tensor, mask: Tensor) -> list[Tensor]:
    """Return mean and standard deviation of each channel over the frames of signal."""
    from keras import ops

    # At least 1: a window without any signal must not divide by 0.
    weights = mask / ops.maximum(ops.sum(mask, axis=1, keepdims=True), 1.0)
    mean = ops.sum(weights * x, axis=1)
    # Around the mean, in a second pass: the difference of two large numbers would be inexact.
    deviation = ops.square(x - ops.expand_dims(mean, 1))
    return [mean, ops.sqrt(ops.sum(weights * deviation, axis=1) + EPSILON)]


def _set_weights(model: Model, weights: Weights) -> None:
    for layer in model.layers:
        names = [f"{layer.name}.{kind}" for kind in ("weight", "bias")]
        if layer.weights:
            layer.set_weights([weights[name] for name in names if name in weights])


def _named_weights(graph: Any) -> dict[str, Float32]:
    """Return the weights by the names of the layers that `build_encoder` makes."""
    from onnx import numpy_helper

    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    tensors = {**stored, **_dequantised(graph, stored)}
    producers = {output: node for node in graph.node for output in node.output}

    def layer(index: int, name: str) -> Float32:
        return np.asarray(stored[f"inner.encoder.layers.{index}.{name}"], np.float32)

    def matrix_before(bias: str) -> tuple[Any, Float32]:
        """Return the product to which a bias is added, and its matrix (inputs, outputs)."""
        (addition,) = [n for n in graph.node if bias in n.input and n.op_type == "Add"]
        (source,) = [name for name in addition.input if name != bias]
        node = producers[source]
        # Between them the outputs are quantised, which is left out here.
        while node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            node = producers[node.input[0]]
        return node, tensors[node.input[1]]

    positions = stored["inner.encoder.embed_positions.weight"]
    if positions.shape != (POSITIONS, WIDTH):
        raise ValueError(f"it has positions of the shape {positions.shape}")
    weights: dict[str, Float32] = {"positions.weight": positions}
    for node, name in zip(
        (n for n in graph.node if n.op_type == "Conv"), ("conv1", "conv2"), strict=True
    ):
        # (outputs, inputs, width) to Keras's order.
        weights[f"{name}.weight"] = tensors[node.input[1]].transpose(2, 1, 0)
        weights[f"{name}.bias"] = tensors[node.input[2]]
    for index in range(BLOCKS):
        block, source = f"block{index}", f"inner.encoder.layers.{index}"
        for norm, name in (("norm1", "self_attn_layer_norm"), ("norm2", "final_layer_norm")):
            weights[f"{block}_{norm}.weight"] = layer(index, f"{name}.weight")
            weights[f"{block}_{norm}.bias"] = layer(index, f"{name}.bias")
        taken = []
        for role, name in (
            ("query", "self_attn.q_proj"),
            ("value", "self_attn.v_proj"),
            ("out", "self_attn.out_proj"),
            ("expand", "fc1"),
            ("project", "fc2"),
        ):
            product, weights[f"{block}_{role}.weight"] = matrix_before(f"{source}.{name}.bias")
            weights[f"{block}_{role}.bias"] = layer(index, f"{name}.bias")
            taken.append(product.input[1])
            if role == "query":
                normalised = product.input[0]
        # The keys have no bias that would name them: they are the third product of that input.
        (keys,) = [
            node.input[1]
            for node in graph.node
            if node.op_type == "MatMul"
            and node.input[0] == normalised
            and node.input[1] not in taken
        ]
        weights[f"{block}_key.weight"] = tensors[keys]
    return {name: np.ascontiguousarray(values, np.float32) for name, values in weights.items()}


def _dequantised(graph: Any, stored: Mapping[str, Any]) -> dict[str, Float32]:
    """Return the stored integers as the numbers that they stand for."""
    numbers = {}
    for node in graph.node:
        if node.op_type != "DequantizeLinear" or node.input[0] not in stored:
            continue
        integers, scale, zero = (stored[name] for name in node.input)
        axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
        if scale.size > 1:
            shape = [-1 if n == axis else 1 for n in range(integers.ndim)]
            scale, zero = scale.reshape(shape), zero.reshape(shape)
        numbers[node.output[0]] = (integers.astype(np.float32) - zero.astype(np.float32)) * scale
    return numbers
