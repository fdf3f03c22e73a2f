"""A bundle's ONNX graph: checked against an allow-list, then run by ONNX Runtime on one thread."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from batchemo.bundles.bundle import Bundle, ForwardFn
from batchemo.bundles.schema import GRAPH, MAX_FILE_BYTES
from batchemo.common.arrays import Float32
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


_LOG_ERRORS = 3
MAX_MEMORY = 2 * 2**30
"""Bytes that nets may have at work; more is refused, whatever memory there is."""
_TRIED_FRAMES = 301


def open_graph(bundle: Bundle) -> ForwardFn:
    """Check the bundle's ONNX graph and make it ready to run."""
    # On Linux too it would write a device's number to disk and send word of its use.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    content = bundle.read(GRAPH)
    check_onnx(content)
    where, labels = bundle.path / GRAPH, len(bundle.labels)
    with _told_as_refusal(where):
        # As it is: what is improved is computed in part while it is opened, and without a limit.
        plain = _session(content, improved=False)
    _check_ends(plain, where, labels)
    _try_out(_runner(plain, where, labels), plain)
    with _told_as_refusal(where):
        return _runner(_session(content, improved=True), where, labels)


def _session(content: bytes, *, improved: bool) -> Any:
    import onnxruntime

    _limit_memory()
    levels = onnxruntime.GraphOptimizationLevel
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.graph_optimization_level = levels.ORT_ENABLE_ALL if improved else levels.ORT_DISABLE_ALL
    options.log_severity_level = _LOG_ERRORS
    options.add_session_config_entry("session.use_env_allocators", "1")
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _check_ends(session: Any, where: Path, labels: int) -> None:
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if (
        [each.type for each in (*inputs, *outputs)] != ["tensor(float)"] * 2
        or len(inputs) != 1
        or list(outputs[0].shape or ())[-1:] != [labels]
    ):
        raise BundleError(
            f"{where}: should have one input and one output of {labels} logits, one for each label"
        )


def _runner(session: Any, where: Path, labels: int) -> ForwardFn:
    name = session.get_inputs()[0].name

    def run(batch: Float32) -> Float32:
        with _told_as_refusal(where):
            logits: Float32 = session.run(None, {name: batch})[0]
        if logits.shape != (len(batch), labels):
            raise BundleError(f"{where}: gives {logits.shape} for {len(batch)} items")
        return logits

    return run


def _try_out(run: ForwardFn, session: Any) -> None:
    """Give it one item of nothing, before it is given anything of a user's."""
    sizes = session.get_inputs()[0].shape[1:]
    run(np.zeros([1, *(size if isinstance(size, int) else _TRIED_FRAMES for size in sizes)], "f4"))


@lru_cache(maxsize=1)
def _limit_memory() -> None:
    """Have all sessions of this process take memory from one place that has an end."""
    import onnxruntime as ort

    kind, use = ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, ort.OrtMemType.DEFAULT
    limits = ort.OrtArenaCfg(MAX_MEMORY, -1, -1, -1)
    with suppress(RuntimeError):  # The program that called us has set limits of its own.
        ort.create_and_register_allocator(ort.OrtMemoryInfo("Cpu", kind, 0, use), limits)


@contextmanager
def _told_as_refusal(where: Path) -> Iterator[None]:
    from onnxruntime.capi import onnxruntime_pybind11_state as refusals

    try:
        yield
    except (
        refusals.Fail,
        refusals.InvalidArgument,
        refusals.InvalidGraph,
        refusals.InvalidProtobuf,
        refusals.NotImplemented,
        refusals.RuntimeException,
    ) as error:
        raise BundleError(f"{where}: ONNX Runtime refuses it: {error}") from error
