"""The ONNX graph of the light encoder, which multiplies in 8 bits, and the ranges it needs.

It is written by hand and not converted from Keras: only so do its products, biases and activations
become the single operators that ONNX Runtime has for 8 bits. What is multiplied is quantised to 8
bits by fixed ranges, which are measured on recordings beforehand: no window depends on others of
its batch. Sums, normalisation and attention scores stay in single precision.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from batchemo.common.arrays import Float32
from batchemo.training.data.augment_spectrogram import FLOOR_MARGIN
from batchemo.training.nets.convert import FEATURES, IR_VERSION, OPSET, STATISTICS, quantise
from batchemo.training.nets.encoder import (
    BANDS,
    BLOCKS,
    EPSILON,
    EXCLUDED,
    HEADS,
    SCALE,
    SHIFT,
    STATISTICS_SIZE,
    WIDTH,
    Weights,
)
from batchemo.training.nets.light_encoder import POSITIONS, STRIDE, TAPS

WEIGHT_BITS = 7
"""Of 8: products of 8 by 8 bits overflow on processors before 2019, and are then cut off unseen."""

_FLOAT = 1
"""The type of single precision numbers in ONNX."""

Ranges = Mapping[str, tuple[float, float]]
"""The least and the largest value of each layer's input, by the layer's name."""


def light_graph(weights: Weights, floor: float, ranges: Ranges | None) -> bytes:
    """Return the graph from log-mels (batch, time, bands); without ranges, in single precision."""
    content: bytes = _Builder(weights, floor, ranges).model().SerializeToString()
    return content


def measure_ranges(weights: Weights, floor: float, batches: Iterable[Float32]) -> Ranges:
    """Return the ranges of what the layers multiply, over batches of log-mels."""
    import onnxruntime
    from onnx import helper

    builder = _Builder(weights, floor, None)
    model = builder.model()
    for name in builder.layer_inputs.values():
        model.graph.output.append(helper.make_tensor_value_info(name, 1, None))
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    layers, names = zip(*builder.layer_inputs.items(), strict=True)
    ranges = dict.fromkeys(layers, (0.0, 0.0))
    for batch in batches:
        for layer, values in zip(layers, session.run(names, {FEATURES: batch}), strict=True):
            low, high = ranges[layer]
            ranges[layer] = min(low, float(values.min())), max(high, float(values.max()))
    return ranges


@dataclass(slots=True)
class _Builder:
    """Appends the operators of the encoder to a graph; without ranges, in single precision."""

    weights: Weights
    floor: float
    ranges: Ranges | None
    layer_inputs: dict[str, str] = field(default_factory=dict)
    """The name of what each layer multiplies, where nothing is quantised."""
    _nodes: list[Any] = field(default_factory=list)
    _values: dict[str, Any] = field(default_factory=dict)
    """The constants by name."""

    def model(self) -> Any:
        """Return the whole graph as an ONNX model."""
        from onnx import TensorProto, helper, numpy_helper

        self._encoder()
        graph = helper.make_graph(
            self._nodes,
            "light_encoder",
            [helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, ["batch", "time", BANDS])],
            [
                helper.make_tensor_value_info(
                    STATISTICS, TensorProto.FLOAT, ["batch", STATISTICS_SIZE]
                )
            ],
            [numpy_helper.from_array(values, name) for name, values in self._values.items()],
        )
        return helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="batchemo",
        )

    def _encoder(self) -> None:
        add, number = self._add, self._number
        loudest = add("ReduceMax", FEATURES, axes=[2], keepdims=1)
        is_loud = add("Greater", loudest, number(self.floor + FLOOR_MARGIN))
        is_signal = add("Cast", is_loud, to=_FLOAT)
        scaled = add("Add", add("Mul", FEATURES, number(SCALE)), number(SHIFT))
        # Zeros stand for padding and for what lies beyond the ends, as far as the taps reach.
        ends = self._integers(0, 2, 0, 0, TAPS - 1, 0)
        x = add("Pad", add("Mul", scaled, is_signal), ends, number(0.0))
        x = self._convolution(x, "conv1", taps=3, stride=1)
        x = self._convolution(x, "conv2", taps=TAPS, stride=STRIDE)
        mask = self._mask(is_signal)
        x = add("Add", self._frames(x, mask), self._positions(mask))
        excluded = add("Mul", add("Sub", mask, number(1.0)), number(EXCLUDED))
        excluded = add("Unsqueeze", add("Transpose", excluded, perm=[0, 2, 1]), self._integers(1))
        count = add("Max", add("ReduceSum", mask, self._integers(1), keepdims=1), number(1.0))
        shares = add("Transpose", add("Div", mask, count), perm=[0, 2, 1])
        statistics: list[str] = []
        for block in range(BLOCKS):
            x = self._block(x, mask, excluded, f"block{block}")
            statistics += self._mean_and_std(x, shares)
        joined = add("Concat", *statistics, axis=2)
        add("Squeeze", joined, self._integers(1), output=STATISTICS)

    def _convolution(self, x: str, name: str, *, taps: int, stride: int) -> str:
        """Return rows (batch * time, channels): the product of each frame with its neighbours."""
        add = self._add
        # Quantised before the frames are repeated: they are fewer, and bytes are less to copy.
        x = self._quantised(x, name)
        last = np.iinfo(np.int64).max
        stacked = [
            add(
                "Slice",
                x,
                self._integers(tap),
                self._integers(tap - taps + 1 or last),
                self._integers(1),
                self._integers(stride),
            )
            for tap in range(taps)
        ]
        joined = add("Concat", *stacked, axis=2)
        width = self.weights[f"{name}.weight"].shape[0]
        rows = add("Reshape", joined, self._integers(-1, width))
        rows = self._product(rows, name)
        if stride > 1:
            # Not Relu: where no quantised product follows, it would be joined with the product, in
            # single precision.
            return add("Max", rows, self._number(0.0))
        rows = add("Relu", rows)
        shape = add("Concat", add("Shape", joined, end=2), self._integers(WIDTH), axis=0)
        return add("Reshape", rows, shape)

    def _mask(self, is_signal: str) -> str:
        """Return 1 for each frame of the encoder that has a frame of signal, (batch, time, 1)."""
        row = self._add("Transpose", is_signal, perm=[0, 2, 1])
        # As many frames as strides, the last of which may lack some.
        row = self._add("Pad", row, self._integers(0, 0, 0, 0, 0, STRIDE - 1), self._number(0.0))
        row = self._add("MaxPool", row, kernel_shape=[STRIDE], strides=[STRIDE])
        return self._add("Transpose", row, perm=[0, 2, 1])

    def _positions(self, mask: str) -> str:
        """Return what is added for each position; the last one stands for all beyond it."""
        add = self._add
        frames = add("Squeeze", add("Shape", mask, start=1, end=2), self._integers(0))
        zero, one = (self._constant(f"scalar{n}", np.array(n, np.int64)) for n in (0, 1))
        last = self._constant("last_position", np.array(POSITIONS - 1, np.int64))
        indices = add("Min", add("Range", zero, frames, one), last)
        return add("Gather", self._weight("positions.weight"), indices)

    def _block(self, x: str, mask: str, excluded: str, name: str) -> str:
        add, size = self._add, WIDTH // HEADS
        rows = self._product(self._rows(self._normalised(x, f"{name}_norm1")), f"{name}_attention")
        joined = self._frames(rows, mask, 3 * WIDTH)
        query, key, value = self._split(joined)
        heads = self._integers(0, 0, HEADS, size)
        query, value = (
            add("Transpose", add("Reshape", part, heads), perm=[0, 2, 1, 3])
            for part in (query, value)
        )
        key = add("Transpose", add("Reshape", key, heads), perm=[0, 2, 3, 1])
        scores = add("Softmax", add("Add", add("MatMul", query, key), excluded), axis=-1)
        attended = add("Transpose", add("MatMul", scores, value), perm=[0, 2, 1, 3])
        rows = self._product(self._rows(attended), f"{name}_out")
        x = add("Add", x, self._frames(rows, mask))
        rows = self._rows(self._normalised(x, f"{name}_norm2"))
        rows = self._product(add("Relu", self._product(rows, f"{name}_expand")), f"{name}_project")
        return add("Add", x, self._frames(rows, mask))

    def _split(self, joined: str) -> list[str]:
        from onnx import helper

        outputs = [f"{joined}_{part}" for part in ("query", "key", "value")]
        self._nodes.append(
            helper.make_node(
                "Split", [joined, self._integers(WIDTH, WIDTH, WIDTH)], outputs, axis=2
            )
        )
        return outputs

    def _normalised(self, x: str, name: str) -> str:
        weight, bias = self._weight(f"{name}.weight"), self._weight(f"{name}.bias")
        return self._add("LayerNormalization", x, weight, bias, axis=-1, epsilon=EPSILON)

    def _mean_and_std(self, x: str, shares: str) -> list[str]:
        add = self._add
        mean = add("MatMul", shares, x)
        deviation = add("Sub", x, mean)
        variance = add("MatMul", shares, add("Mul", deviation, deviation))
        return [mean, add("Sqrt", add("Add", variance, self._number(EPSILON)))]

    def _rows(self, x: str) -> str:
        return self._add("Reshape", x, self._integers(-1, WIDTH))

    def _frames(self, rows: str, mask: str, width: int = WIDTH) -> str:
        """Return rows (batch * time, width) as (batch, time, width)."""
        shape = self._add("Concat", self._add("Shape", mask, end=2), self._integers(width), axis=0)
        return self._add("Reshape", rows, shape)

    def _quantised(self, x: str, layer: str) -> str:
        """Return the input of a layer as 8-bit integers; as it is without ranges."""
        self.layer_inputs[layer] = x
        return x if self.ranges is None else self._add("QuantizeLinear", x, *self._scale(layer))

    def _product(self, rows: str, name: str) -> str:
        """Return rows times the weights of a layer, plus its bias."""
        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        if self.ranges is None:
            self.layer_inputs.setdefault(name, rows)
            return self._add(
                "Gemm", rows, self._weight(f"{name}.weight"), self._weight(f"{name}.bias")
            )
        # A convolution's input was quantised before its frames were stacked.
        if name not in self.layer_inputs:
            rows = self._quantised(rows, name)
        scale, zero = self._scale(name)
        integers, scales = quantise(weight, axis=1, bits=WEIGHT_BITS)
        product_scales = scales * self._values[scale]
        matrix = self._dequantised(f"{name}.weight", integers, scales, axis=1)
        added = np.rint(bias / product_scales).astype(np.int32)
        offsets = self._dequantised(f"{name}.bias", added, product_scales, axis=0)
        numbers = self._add("DequantizeLinear", rows, scale, zero)
        return self._add("Gemm", numbers, matrix, offsets)

    def _dequantised(self, name: str, integers: Any, scales: Float32, axis: int) -> str:
        # The zeros could be left out, but then ONNX Runtime would multiply in single precision.
        zeros = self._constant(f"{name}.zeros", np.zeros(len(scales), integers.dtype))
        stored = self._constant(f"{name}.integers", integers)
        return self._add(
            "DequantizeLinear",
            stored,
            self._constant(f"{name}.scales", scales),
            zeros,
            axis=axis,
        )

    def _scale(self, layer: str) -> tuple[str, str]:
        """Return the names of scale and zero of a layer's input."""
        if self.ranges is None:
            raise ValueError("a graph in single precision has no scales")
        low, high = self.ranges[layer]
        scale = np.float32(max(high - low, 1e-6) / 255)
        zero = np.uint8(np.clip(np.rint(-low / scale), 0, 255))
        return self._constant(f"{layer}.scale", scale), self._constant(f"{layer}.zero", zero)

    def _add(
        self, operator: str, *inputs: str, output: str | None = None, **attributes: Any
    ) -> str:
        from onnx import helper

        output = output or f"{operator}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def _weight(self, name: str) -> str:
        return self._constant(name, self.weights[name])

    def _number(self, value: float) -> str:
        return self._constant(f"number_{value!r}", np.array(value, np.float32))

    def _integers(self, *values: int) -> str:
        return self._constant(f"integers_{'_'.join(map(str, values))}", np.array(values, np.int64))

    def _constant(self, name: str, values: Any) -> str:
        self._values.setdefault(name, np.asarray(values))
        return name
