"""A file with the structure of the pretrained encoder's, and random weights of 8 bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from batchemo.common.arrays import Float32
from batchemo.training.nets.encoder import BANDS, BLOCKS, POSITIONS, WIDTH

FLOOR = -2.0
_HIDDEN = 4 * WIDTH
_PRODUCTS = (
    ("query", "self_attn.q_proj", WIDTH, WIDTH),
    ("value", "self_attn.v_proj", WIDTH, WIDTH),
    ("out", "self_attn.out_proj", WIDTH, WIDTH),
    ("expand", "fc1", WIDTH, _HIDDEN),
    ("project", "fc2", _HIDDEN, WIDTH),
)
_NORMS = (("norm1", "self_attn_layer_norm"), ("norm2", "final_layer_norm"))


class _Graph:
    """The nodes and tensors of the file, and the numbers that its integers stand for."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(0)
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: list[onnx.TensorProto] = []
        self.weights: dict[str, Float32] = {}

    def stored(self, name: str, values: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> str:
        self.tensors.append(numpy_helper.from_array(values, name))
        return name

    def node(self, operator: str, inputs: list[str], output: str, **attributes: int) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def floats(self, name: str, shape: tuple[int, ...], around: float = 0.0) -> Float32:
        values = (around + self.random.normal(scale=0.1, size=shape)).astype(np.float32)
        self.stored(name, values)
        return values

    def integers(self, name: str, shape: tuple[int, ...], axis: int) -> tuple[str, Float32]:
        """Store a matrix as integers, and return its name in the graph, and its numbers."""
        integers = self.random.integers(-20, 21, shape).astype(np.int8)
        # As quantisation leaves them: each channel has the largest integer.
        np.moveaxis(integers, axis, 0).reshape(shape[axis], -1)[:, 0] = 127
        spread = 10 * np.sqrt(integers.size / shape[axis])
        scale = (self.random.uniform(0.5, 1.5, shape[axis]) / spread).astype(np.float32)
        zero = np.zeros(shape[axis], np.int8)
        return self._dequantised(name, integers, scale, zero, axis)

    def bias(self, name: str, size: int) -> tuple[str, Float32]:
        """Store a bias as integers whose 0 is elsewhere."""
        integers = self.random.integers(-1000, 1000, size).astype(np.int32)
        scale = self.random.uniform(1e-5, 1e-4, size).astype(np.float32)
        return self._dequantised(name, integers, scale, np.full(size, 70, np.int32), 0)

    def _dequantised(
        self,
        name: str,
        integers: np.ndarray[tuple[int, ...], np.dtype[np.signedinteger]],
        scale: Float32,
        zero: np.ndarray[tuple[int, ...], np.dtype[np.signedinteger]],
        axis: int,
    ) -> tuple[str, Float32]:
        parts = zip(("quantized", "scale", "zero_point"), (integers, scale, zero), strict=True)
        inputs = [self.stored(f"{name}_{part}", values) for part, values in parts]
        along = [-1 if n == axis else 1 for n in range(integers.ndim)]
        numbers = (integers - zero.reshape(along).astype(np.float32)) * scale.reshape(along)
        output = self.node("DequantizeLinear", inputs, f"{name}_dequantised", axis=axis)
        return output, numbers.astype(np.float32)


def write_encoder(path: Path) -> dict[str, Float32]:
    """Write the file, and return its weights by the names of the encoder's layers."""
    graph = _Graph()
    prefix = "inner.encoder"
    positions = graph.floats(f"{prefix}.embed_positions.weight", (POSITIONS, WIDTH))
    graph.weights["positions.weight"] = positions
    output = "input_features"
    for name, inputs in (("conv1", BANDS), ("conv2", WIDTH)):
        matrix, numbers = graph.integers(f"{prefix}.{name}.weight", (WIDTH, inputs, 3), 0)
        bias, graph.weights[f"{name}.bias"] = graph.bias(f"{prefix}.{name}.bias", WIDTH)
        graph.weights[f"{name}.weight"] = numbers.transpose(2, 1, 0)
        output = graph.node("Conv", [output, matrix, bias], name)
    for block in range(BLOCKS):
        _add_block(graph, block, f"{prefix}.layers.{block}")
    onnx.save(
        helper.make_model(helper.make_graph(graph.nodes, "made", [], [], graph.tensors)), path
    )
    return graph.weights


def _add_block(graph: _Graph, block: int, prefix: str) -> None:
    for role, name in _NORMS:
        weight, bias = (
            graph.floats(f"{prefix}.{name}.{kind}", (WIDTH,), around)
            for kind, around in (("weight", 1.0), ("bias", 0.0))
        )
        graph.weights[f"block{block}_{role}.weight"] = weight
        graph.weights[f"block{block}_{role}.bias"] = bias
    normalised = f"normalised_{block}"
    # The keys first, as in the file itself: nothing but their input tells what they are.
    matrix, numbers = graph.integers(f"val_{block}_key", (WIDTH, WIDTH), 1)
    graph.weights[f"block{block}_key.weight"] = numbers
    graph.node("MatMul", [normalised, matrix], f"key_{block}")
    for role, name, inputs, outputs in _PRODUCTS:
        layer = f"block{block}_{role}"
        matrix, numbers = graph.integers(f"val_{block}_{role}", (inputs, outputs), 1)
        graph.weights[f"{layer}.weight"] = numbers
        given = normalised if role in ("query", "value") else f"given_{layer}"
        product = graph.node("MatMul", [given, matrix], f"product_{layer}")
        # Outputs are quantised too, by a scale that is of no matter here.
        scale = ["scale", "zero"]
        quantised = graph.node("QuantizeLinear", [product, *scale], f"quantised_{layer}")
        product = graph.node("DequantizeLinear", [quantised, *scale], f"again_{layer}")
        bias = f"{prefix}.{name}.bias"
        graph.weights[f"{layer}.bias"] = graph.floats(bias, (outputs,))
        graph.node("Add", [product, bias], layer)


def write_light_encoder(path: Path, pretrained: Path) -> None:
    """Write a light encoder that has learnt nothing yet, from the file of the pretrained one."""
    from batchemo.training.nets.encoder import read_encoder
    from batchemo.training.nets.light_encoder import build_light_encoder, weights_of
    from batchemo.training.nets.light_graph import light_graph, measure_ranges

    weights = weights_of(build_light_encoder(read_encoder(pretrained), FLOOR))
    random = np.random.default_rng(0)
    batch = random.uniform(-1.5, 2, (4, 120, BANDS)).astype(np.float32)
    path.write_bytes(light_graph(weights, FLOOR, measure_ranges(weights, FLOOR, [batch])))
