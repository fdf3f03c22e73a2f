"""From a Keras model to an ONNX graph, and large weights of the graph in 8 bits."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from batchemo.common.arrays import Float32
from batchemo.training.nets.layers import Model, outputs_of

OPSET = 17
_IR_VERSION = 8
"""Old enough for every ONNX Runtime that batchemo allows."""

_LARGE = 50_000
"""Numbers of a weight tensor from which on it is stored in 8 bits."""


def convert(model: Model, *, eight_bits: bool = False) -> bytes:
    """Return the model as an ONNX graph with batch and time free, its outputs by their names.

    With `eight_bits`, large weights that are multiples of a scale for each output channel are
    stored as 8-bit integers, a fourth of the size. They stay what they are; others are not changed.
    """
    import tensorflow as tf
    import tf2onnx

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    shape: tuple[int | None, ...] = tuple(model.inputs[0].shape)
    features = tf.TensorSpec(shape, tf.float32, name="features")
    # A dictionary, so that the outputs get these names instead of some that the converter counts.
    forward = tf.function(lambda features: outputs_of(model, features), input_signature=[features])
    model_proto, _ = tf2onnx.convert.from_function(forward, input_signature=[features], opset=OPSET)
    model_proto.ir_version = _IR_VERSION
    if eight_bits:
        _store_in_8_bits(model_proto.graph)
    content: bytes = model_proto.SerializeToString()
    return content


def _store_in_8_bits(graph: Any) -> None:
    """Replace large matrices of products and convolutions by integers and their scales."""
    from onnx import helper, numpy_helper

    channel_axis = {
        node.input[1]: 0 if node.op_type == "Conv" else -1
        for node in graph.node
        if node.op_type in ("MatMul", "Gemm", "Conv")
    }
    scaled = []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.name not in channel_axis or values.size < _LARGE:
            continue
        axis = channel_axis[tensor.name] % values.ndim
        integers, scale = quantise(values, axis)
        shape = [-1 if n == axis else 1 for n in range(values.ndim)]
        if not np.allclose(integers * scale.reshape(shape), values, rtol=1e-5, atol=1e-7):
            continue
        name = tensor.name
        scaled.append(
            helper.make_node(
                "DequantizeLinear",
                [f"{name}_integers", f"{name}_scale"],
                [name],
                axis=axis,
                name=f"{name}_dequantise",
            )
        )
        tensor.CopyFrom(numpy_helper.from_array(integers, f"{name}_integers"))
        graph.initializer.append(numpy_helper.from_array(scale, f"{name}_scale"))
    nodes = [*scaled, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def quantise(values: Float32, axis: int) -> tuple[np.ndarray[Any, np.dtype[np.int8]], Float32]:
    """Return 8-bit integers and the scale of each channel along an axis.

    >>> integers, scale = quantise(np.array([[0.0, 1.0], [-2.0, 0.5]], np.float32), axis=0)
    >>> integers.tolist(), (scale * 127).tolist()
    ([[0, 127], [-127, 32]], [1.0, 2.0])
    """
    others = tuple(n for n in range(values.ndim) if n != axis)
    largest = np.abs(values).max(axis=others, keepdims=True)
    scale = (np.where(largest > 0, largest, 1) / 127).astype(np.float32)
    integers = np.clip(np.rint(values / scale), -127, 127).astype(np.int8)
    return integers, scale.reshape(-1)
