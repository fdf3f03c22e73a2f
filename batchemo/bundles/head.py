"""A head: what an adapted model computes of the outputs of the model that it was made from.

    logits ── temperature ── softmax ── + floor ── log ── × mixing ──┐
    embedding ── × weights ── + offset ──────────────────────────────┴── the adapted model's logits

The head stands twice in the bundle of an adapted model: at the end of `model.onnx`, and alone as
`head.onnx`, so that recordings whose embeddings and logits are known need not be decoded again.
Both have the same nodes, and give the same bits.

The onnx package is not installed where models are adapted, so the nodes are written here, in the
wire format of protobuf that `onnx_check` reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from batchemo.bundles.bundle import Bundle
from batchemo.bundles.calibration import Calibration, softmax
from batchemo.bundles.onnx_check import check_onnx, iter_fields
from batchemo.bundles.schema import GRAPH, GRAPH_DATA, HEAD_GRAPH
from batchemo.common.arrays import Float32, Float64
from batchemo.errors import BundleError

FLOOR = 1e-4
"""Added to probabilities before their logarithm: what a model holds for impossible must not
outweigh all that is learnt from answers."""

ADAPTED_LOGITS = "adapted/logits"
_MIN_IR = 4
"""The version of ONNX's format since which weights need not be inputs of the graph."""
_FLOAT = 1
_MODEL_IR, _MODEL_GRAPH = 1, 7
_GRAPH_NODE, _GRAPH_NAME, _GRAPH_WEIGHTS, _GRAPH_INPUT, _GRAPH_OUTPUT = 1, 2, 5, 11, 12


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """The numbers of a head."""

    mixing: Float64
    """(labels of the base, labels)"""
    weights: Float64
    """(embedding, labels)"""
    offset: Float64
    """(labels,)"""

    def logits(self, log_probabilities: Float64, embedding: Float64) -> Float64:
        """Return the logits, (windows, labels), of the base's log-probabilities and embedding."""
        result: Float64 = log_probabilities @ self.mixing + embedding @ self.weights + self.offset
        return result


def log_probabilities(
    logits: Float32, familiarity: Float32 | None, calibration: Calibration
) -> Float64:
    """Return what a head takes of the base's logits: the logarithm of probabilities, with a floor.

    >>> certain = np.array([[1000.0, 0.0]], np.float32)
    >>> log_probabilities(certain, None, Calibration(1.0)).round(1).tolist()
    [[0.0, -9.2]]
    """
    probabilities = softmax(logits, calibration.temperatures(familiarity))
    result: Float64 = np.log(probabilities + FLOOR)
    return result


def head_graphs(bundle: Bundle, head: Head) -> dict[str, bytes]:
    """Return the files of an adapted bundle's graphs: the base's with the head, and the head."""
    content = bundle.read(GRAPH)
    files = bundle.info["files"]
    check_onnx(content, {name: files[name]["bytes"] for name in (GRAPH_DATA,) if name in files})
    model = list(iter_fields(memoryview(content)))
    versions = [value for number, _, value in model if number == _MODEL_IR]
    if not any(isinstance(version, int) and version >= _MIN_IR for version in versions):
        raise BundleError(
            f"{bundle.path / GRAPH}: no head can be added to a graph of such an old format: export "
            f"it again with version {_MIN_IR} of ONNX's IR, or a later one"
        )
    parts = list(_parts(bundle, head))
    [graph] = [bytes(value) for number, _, value in model if number == _MODEL_GRAPH]
    alone = [_bytes(_GRAPH_NAME, b"head"), *parts, *_inputs(bundle)]
    rest = b"".join(
        _number(number, value) if isinstance(value, int) else _bytes(number, bytes(value))
        for number, _, value in model
        if number != _MODEL_GRAPH
    )
    graphs = {GRAPH: graph + b"".join(parts), HEAD_GRAPH: b"".join(alone)}
    return {name: rest + _bytes(_MODEL_GRAPH, content) for name, content in graphs.items()}


def _parts(bundle: Bundle, head: Head) -> Iterator[bytes]:
    """Yield the fields that the head adds to a graph: nodes, weights and the output."""
    outputs, calibration = bundle.outputs, bundle.calibration
    logits, embedding = outputs["classes"]["name"], outputs["embedding"]["name"]
    constants: dict[str, Any] = {
        "temperature": calibration.temperature,
        "floor": FLOOR,
        "mixing": head.mixing,
        "weights": head.weights,
        "offset": head.offset,
    }
    nodes = []
    temperature = "adapted/temperature"
    if calibration.slope is not None:
        constants |= {"zero": 0.0, "one": 1.0, "slope": calibration.slope}
        nodes += [
            ("Max", [outputs["familiarity"]["name"], "adapted/zero"], "adapted/above zero"),
            ("Min", ["adapted/above zero", "adapted/one"], "adapted/familiarity"),
            ("Sub", ["adapted/one", "adapted/familiarity"], "adapted/unfamiliarity"),
            ("Mul", ["adapted/unfamiliarity", "adapted/slope"], "adapted/exponent"),
            ("Exp", ["adapted/exponent"], "adapted/factor"),
            ("Mul", ["adapted/factor", temperature], "adapted/temperatures"),
        ]
        temperature = "adapted/temperatures"
    nodes += [
        ("Div", [logits, temperature], "adapted/calibrated"),
        ("Softmax", ["adapted/calibrated"], "adapted/probabilities"),
        ("Add", ["adapted/probabilities", "adapted/floor"], "adapted/floored"),
        ("Log", ["adapted/floored"], "adapted/logarithms"),
        ("Gemm", [embedding, "adapted/weights", "adapted/offset"], "adapted/correction"),
        ("Gemm", ["adapted/logarithms", "adapted/mixing", "adapted/correction"], ADAPTED_LOGITS),
    ]
    for operator, given, result in nodes:
        fields = [_bytes(1, name.encode()) for name in given]
        fields += [_bytes(2, result.encode()), _bytes(4, operator.encode())]
        if operator == "Softmax":
            # Attribute `axis`, a whole number (type 2), for what was its default before ONNX 13.
            fields.append(_bytes(5, _bytes(1, b"axis") + _number(3, 1) + _number(20, 2)))
        yield _bytes(_GRAPH_NODE, b"".join(fields))
    for name, value in constants.items():
        yield _bytes(_GRAPH_WEIGHTS, _tensor(f"adapted/{name}", np.asarray(value, np.float32)))
    yield _bytes(_GRAPH_OUTPUT, _value_info(ADAPTED_LOGITS, head.weights.shape[1]))


def _inputs(bundle: Bundle) -> Iterator[bytes]:
    """Yield the inputs of the head alone, which are outputs of the base."""
    for kind, size in head_inputs(bundle).items():
        yield _bytes(_GRAPH_INPUT, _value_info(bundle.outputs[kind]["name"], size))


def head_inputs(bundle: Bundle) -> dict[str, int]:
    """Return the kinds of outputs that a head on this model takes, and their sizes."""
    sizes = {"classes": len(bundle.labels), "embedding": int(bundle.outputs["embedding"]["size"])}
    return sizes | ({} if bundle.calibration.slope is None else {"familiarity": 1})


def _tensor(name: str, values: Float32) -> bytes:
    sizes = b"".join(_number(1, size) for size in values.shape)
    content = np.ascontiguousarray(values, "<f4").tobytes()
    return sizes + _number(2, _FLOAT) + _bytes(8, name.encode()) + _bytes(9, content)


def _value_info(name: str, size: int) -> bytes:
    shape = _bytes(1, _bytes(2, b"n")) + _bytes(1, _number(1, size))
    return _bytes(1, name.encode()) + _bytes(2, _bytes(1, _number(1, _FLOAT) + _bytes(2, shape)))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    content = bytearray()
    while value >= 0x80:
        content.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*content, value])
