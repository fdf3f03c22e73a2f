"""From Keras models to one ONNX graph, and large weights of the graph in 8 bits."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from batchemo.common.arrays import Float32
from batchemo.training.nets.layers import LOGITS, Model, outputs_of

FEATURES, STATISTICS = "features", "statistics"
"""The names of a graph's input, and of the output of an encoder."""

OPSET = 17
IR_VERSION = 8
"""Old enough for every ONNX Runtime that batchemo allows."""

_LARGE = 50_000
"""Numbers of a weight tensor from which on it is stored in 8 bits."""


def convert(model: Model, *, name: str = LOGITS) -> bytes:
    """Return the model as an ONNX graph with batch and time free, its outputs by their names.

    `name` is what an only output is called.
    """
    import tensorflow as tf
    import tf2onnx

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    shape: tuple[int | None, ...] = tuple(model.inputs[0].shape)
    features = tf.TensorSpec(shape, tf.float32, name=FEATURES)
    # A dictionary, so that the outputs get these names instead of some that the converter counts.
    forward = tf.function(lambda features: outputs_of(model, features, name))
    model_proto, _ = tf2onnx.convert.from_function(forward, input_signature=[features], opset=OPSET)
    model_proto.ir_version = IR_VERSION
    content: bytes = model_proto.SerializeToString()
    return content


def join_graphs(encoder: bytes, net: bytes) -> bytes:
    """Return one graph: the net takes what the encoder gives. Large weights are stored in 8 bits.

    Those are the weights that are multiples of a scale for each output channel, and they stay what
    they are; others are not changed.
    """
    import onnx
    from onnx import compose

    first, second = (onnx.load_from_string(content) for content in (encoder, net))
    second = compose.add_prefix(second, "net_", rename_outputs=False)
    joined = compose.merge_models(
        first, second, io_map=[(first.graph.output[0].name, f"net_{FEATURES}")]
    )
    joined.graph.name = "encoder_and_net"
    _store_in_8_bits(joined.graph)
    _each_opset_once(joined)
    content: bytes = joined.SerializeToString()
    return content


def encoder_of(content: bytes) -> bytes:
    """Return the encoder that is a part of a graph, or the whole; KeyError where there is none."""
    import onnx

    model = onnx.load_from_string(content)
    producers = {output: node for node in model.graph.node for output in node.output}
    wanted, names = [producers[STATISTICS]], {STATISTICS}
    for node in wanted:
        for name in set(node.input) - names:
            names.add(name)
            if name in producers:
                wanted.append(producers[name])
    kept = {id(node) for node in wanted}
    nodes = [node for node in model.graph.node if id(node) in kept]
    constants = [tensor for tensor in model.graph.initializer if tensor.name in names]
    output = onnx.helper.make_tensor_value_info(
        STATISTICS, onnx.TensorProto.FLOAT, ["batch", "size"]
    )
    graph = onnx.helper.make_graph(nodes, "encoder", model.graph.input, [output], constants)
    encoder = onnx.helper.make_model(
        graph, opset_imports=model.opset_import, ir_version=model.ir_version
    )
    _each_opset_once(encoder)
    extracted: bytes = encoder.SerializeToString()
    return extracted


def _each_opset_once(model: Any) -> None:
    """Name each set of operators once: joining two graphs names those of both.

    Else an encoder would be other bytes each time that it was joined and extracted, and all that
    was computed with it would be computed again.
    """
    versions = {entry.domain: entry for entry in model.opset_import}
    del model.opset_import[:]
    model.opset_import.extend(versions.values())


def _store_in_8_bits(graph: Any) -> None:
    """Replace large matrices of products and convolutions by integers and their scales."""
    from onnx import TensorProto, helper, numpy_helper

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
        scale = scale.reshape([-1 if n == axis else 1 for n in range(values.ndim)])
        if not np.allclose(integers * scale, values, rtol=1e-5, atol=1e-7):
            continue
        name = tensor.name
        # Not DequantizeLinear: ONNX Runtime computes both of these once, on opening, but would
        # take that for leave to multiply in 8 bits.
        scaled += [
            helper.make_node("Cast", [f"{name}_integers"], [f"{name}_cast"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"{name}_cast", f"{name}_scale"], [name]),
        ]
        tensor.CopyFrom(numpy_helper.from_array(integers, f"{name}_integers"))
        graph.initializer.append(numpy_helper.from_array(scale, f"{name}_scale"))
    nodes = [*scaled, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def round_weights(model: Model) -> None:
    """Round the large matrices of a net, in place, to what 8 bits and a scale hold."""
    for variable in model.weights:
        if len(variable.shape) == 2 and np.prod(variable.shape) >= _LARGE:
            integers, scale = quantise(np.asarray(variable), axis=1)
            variable.assign(integers * scale)


def quantise(
    values: Float32, axis: int, bits: int = 8
) -> tuple[np.ndarray[Any, np.dtype[np.int8]], Float32]:
    """Return integers of 8 bits, or of fewer, and the scale of each channel along an axis.

    >>> integers, scale = quantise(np.array([[0.0, 1.0], [-2.0, 0.5]], np.float32), axis=0)
    >>> integers.tolist(), (scale * 127).tolist()
    ([[0, 127], [-127, 32]], [1.0, 2.0])
    """
    others = tuple(n for n in range(values.ndim) if n != axis)
    largest = np.abs(values).max(axis=others, keepdims=True)
    limit = 2 ** (bits - 1) - 1
    scale = (np.where(largest > 0, largest, 1) / limit).astype(np.float32)
    integers = np.clip(np.rint(values / scale), -limit, limit).astype(np.int8)
    return integers, scale.reshape(-1)
