"""Refuses model files that could do more than compute: read other files, run foreign code, or take
all memory and time there is.

An ONNX file is walked as the protocol buffer that it is, along the few fields that can hold what
is not allowed; this needs no `onnx` package, which a scan does not install.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from batchemo.bundles.schema import MAX_FILE_BYTES
from batchemo.errors import BundleError

ALLOWED_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})

# Those that compute numbers from numbers, in one pass: nothing that loops, branches, draws by
# chance, or handles texts, sequences and pictures.
_OPERATORS = """
    Abs Add And ArgMax ArgMin AveragePool BatchNormalization Cast Ceil Celu Clip Concat Constant
    ConstantOfShape Conv ConvTranspose Cos CumSum DepthToSpace Div Dropout Einsum Elu Equal Erf
    Exp Expand Flatten Floor GRU Gather GatherElements GatherND Gelu Gemm GlobalAveragePool
    GlobalLpPool GlobalMaxPool Greater GreaterOrEqual GroupNormalization HardSigmoid HardSwish
    Hardmax Identity InstanceNormalization IsInf IsNaN LRN LSTM LayerNormalization LeakyRelu
    Less LessOrEqual Log LogSoftmax LpNormalization LpPool MatMul Max MaxPool Mean
    MeanVarianceNormalization Min Mish Mod Mul Neg NonZero Not OneHot Or PRelu Pad Pow RNN Range
    Reciprocal ReduceL1 ReduceL2 ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd
    ReduceSum ReduceSumSquare Relu Reshape ReverseSequence Round ScatterElements ScatterND Selu
    Shape Shrink Sigmoid Sign Sin Size Slice Softmax Softplus Softsign SpaceToDepth Split Sqrt
    Squeeze Sub Sum Swish Tan Tanh ThresholdedRelu Tile TopK Transpose Trilu Unsqueeze Where Xor
"""
ALLOWED_OPERATORS = frozenset(_OPERATORS.split())

# Message → field number → the message, or the rule, that the field holds (onnx.proto, IR 3 to 13).
_ONNX: Mapping[str, Mapping[int, str]] = {
    "model": {7: "graph", 8: "operator set", 20: "no training part", 25: "no functions"},
    "operator set": {1: "domain"},
    "graph": {1: "node", 5: "tensor", 15: "no sparse tensors"},
    "node": {4: "operator", 5: "attribute", 7: "domain"},
    "attribute": {
        5: "tensor",
        6: "graph",
        10: "tensor",
        11: "graph",
        22: "no sparse tensors",
        23: "no sparse tensors",
    },
    "tensor": {1: "sizes", 13: "no external data", 14: "data location"},
}
_MAX_DEPTH = 32


def check_onnx(content: bytes) -> None:
    """Raise BundleError for a graph with foreign operators, functions, or data in other files."""
    try:
        _check_message("model", memoryview(content), 0)
    except (IndexError, ValueError) as error:
        raise BundleError(f"model.onnx: is no ONNX graph: {error}") from error


def _check_message(kind: str, content: memoryview, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise ValueError("it is nested too deeply")
    values = 1
    for number, value in _fields(content):
        rule = _ONNX[kind].get(number)
        if rule is None:
            continue
        if rule.startswith("no "):
            raise BundleError(f"model.onnx: has {rule[3:]}, which a bundle may not have")
        if rule == "data location":
            if value != 0:
                raise BundleError("model.onnx: has data in another file, which no bundle may have")
        elif rule == "sizes":
            values *= math.prod(_numbers(value))
            if values > MAX_FILE_BYTES:
                raise BundleError(f"model.onnx: has a tensor of {values:,} values, more than any's")
        elif not isinstance(value, memoryview):
            raise ValueError(f"field {number} of a {kind} is a number")
        elif rule == "domain":
            _check_domain(bytes(value).decode("utf-8"))
        elif rule == "operator":
            _check_operator(bytes(value).decode("utf-8"))
        else:
            _check_message(rule, value, depth + 1)


def _check_domain(domain: str) -> None:
    if domain not in ALLOWED_DOMAINS:
        raise BundleError(
            f"model.onnx: uses operators of {domain!r}; a bundle may only use those of ONNX itself"
        )


def _check_operator(name: str) -> None:
    if name not in ALLOWED_OPERATORS:
        raise BundleError(f"model.onnx: uses the operator {name!r}, which a bundle may not use")


def _numbers(value: int | memoryview) -> Iterator[int]:
    """The numbers of a field that may hold several, packed or not."""
    if isinstance(value, int):
        yield value
        return
    at = 0
    while at < len(value):
        number, at = _varint(value, at)
        yield number


def _fields(content: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of a message on the wire: numbers as they are, all else as bytes."""
    at = 0
    while at < len(content):
        tag, at = _varint(content, at)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == 0:
            value, at = _varint(content, at)
            yield number, value
            continue
        if wire_type == 2:
            length, at = _varint(content, at)
        elif wire_type in (1, 5):
            length = 8 if wire_type == 1 else 4
        else:
            raise ValueError(f"wire type {wire_type} is not used by ONNX")
        if at + length > len(content):
            raise ValueError("it ends in the middle of a field")
        yield number, content[at : at + length]
        at += length


def _varint(content: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = content[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (2**64 - 1), at
    raise ValueError("a number is longer than 64 bits")
