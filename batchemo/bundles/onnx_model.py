"""A bundle's ONNX graph: checked against an allow-list, then run by ONNX Runtime on one thread.

The check reads the bytes of the file itself: the onnx package is not installed where a scan runs,
and ONNX Runtime would follow references to other files before it could be asked what is inside.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from batchemo.bundles.bundle import Bundle, ForwardFn
from batchemo.bundles.model_input import ModelInput
from batchemo.bundles.schema import GRAPH, MAX_FILE_BYTES
from batchemo.common.arrays import Float32
from batchemo.errors import BundleError

MAX_MEMORY = 2 * 2**30
"""Bytes that graphs may use at work; more is refused, whatever memory there is."""

ALLOWED_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})

# Operators that compute numbers from numbers, in one pass: none that loops, branches, draws random
# numbers, or handles texts, sequences and images.
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

# Message → field number → the message that the field holds, or the rule for it (onnx.proto, IR 3
# to 13). Fields that are not listed hold nothing that could do harm.
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
_MAX_DEPTH = 32  # Each level of nested graphs takes part of the stack.


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
            # Numbers on the wire are unsigned, so that a negative size is a huge one.
            values *= math.prod(_numbers(value))
            if values > MAX_FILE_BYTES:
                raise BundleError(
                    f"model.onnx: has a tensor of {values:,} values, more than any model's"
                )
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
    """Yield the numbers of a field that may hold several, packed or not."""
    if isinstance(value, int):
        yield value
        return
    position = 0
    while position < len(value):
        number, position = _varint(value, position)
        yield number


def _fields(content: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield the fields of a message in wire format: integers decoded, all else as bytes."""
    position = 0
    while position < len(content):
        tag, position = _varint(content, position)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == 0:
            value, position = _varint(content, position)
            yield number, value
            continue
        if wire_type == 2:
            length, position = _varint(content, position)
        elif wire_type in (1, 5):
            length = 8 if wire_type == 1 else 4
        else:
            raise ValueError(f"wire type {wire_type} is not used by ONNX")
        if position + length > len(content):
            raise ValueError("it ends in the middle of a field")
        yield number, content[position : position + length]
        position += length


def _varint(content: memoryview, position: int) -> tuple[int, int]:
    """Decode the integer at that position; return it and the position after it."""
    value = 0
    for shift in range(0, 70, 7):
        byte = content[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (2**64 - 1), position
    raise ValueError("a number is longer than 64 bits")


def open_graph(bundle: Bundle) -> ForwardFn:
    """Check the bundle's ONNX graph and make it ready to compute the logits of batches."""
    # On Linux too it would write a device identifier to disk and send usage data.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    content = bundle.read(GRAPH)
    check_onnx(content)
    where = bundle.path / GRAPH
    with _refusals_as_errors(where):
        # Without optimisation: constant folding computes parts of the graph while it is opened,
        # where no limit of memory holds. The trial below finds graphs that take too much.
        plain = _session(content, optimised=False)
    _check_input(plain, where, bundle.input)
    _check_outputs(plain, where, bundle.info["outputs"])
    _try_run(plain, where, bundle)
    with _refusals_as_errors(where):
        session = _session(content, optimised=True)
    return _runner(session, where, bundle.info["outputs"]["classes"]["name"], len(bundle.labels))


def _session(content: bytes, *, optimised: bool) -> Any:
    import onnxruntime

    _limit_memory()
    levels = onnxruntime.GraphOptimizationLevel
    options = onnxruntime.SessionOptions()
    # Workers are processes, one a core; and sums over several threads have other last bits.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    level = levels.ORT_ENABLE_ALL if optimised else levels.ORT_DISABLE_ALL
    options.graph_optimization_level = level
    options.log_severity_level = 3  # Errors, no warnings.
    options.add_session_config_entry("session.use_env_allocators", "1")
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _check_input(session: Any, where: Path, model_input: ModelInput) -> None:
    """Refuse a graph that cannot take what the bundle says it takes."""
    inputs = session.get_inputs()
    if [each.type for each in inputs] != ["tensor(float)"]:
        raise BundleError(f"{where}: should have one input, of single precision numbers")
    sizes = list(inputs[0].shape or ())[1:]  # Sizes that are free have names instead of numbers.
    for window in (model_input.window, *model_input.window_range):
        shape = model_input.shape(window)
        if len(sizes) != len(shape) or any(
            isinstance(size, int) and size != given
            for size, given in zip(sizes, shape, strict=True)
        ):
            raise BundleError(
                f"{where}: takes arrays of {_shown(sizes)} a window, but a window of {window:g} s"
                f" gives {_shown(shape)} as the bundle's input says"
            )


def _check_outputs(session: Any, where: Path, outputs: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse a graph whose outputs are not those that the bundle names."""
    found = {each.name: each for each in session.get_outputs()}
    for kind, output in outputs.items():
        name, size = output["name"], _size_of(output)
        if name not in found:
            raise BundleError(
                f"{where}: has no output {name!r} for the {kind}; it has: {', '.join(found)}"
            )
        shape = list(found[name].shape or ())
        fits = len(shape) == 2 and (shape[1] == size or not isinstance(shape[1], int))
        if found[name].type != "tensor(float)" or not fits:
            raise BundleError(
                f"{where}: its output {name!r} for the {kind} should give {size} numbers of single"
                f" precision a window, but is {found[name].type} of {_shown(shape)}"
            )


def _size_of(output: Mapping[str, Any]) -> int:
    """Return how many numbers an output gives for each window."""
    if "size" in output:
        return int(output["size"])
    return len(output["labels"] if "labels" in output else output["dimensions"])


def _shown(shape: Sequence[object]) -> str:
    return " × ".join(map(str, shape)) or "single numbers"


def _try_run(session: Any, where: Path, bundle: Bundle) -> None:
    """Run all outputs on a window of zeros, before the graph is given anything of a user's."""
    model_input, outputs = bundle.input, bundle.info["outputs"]
    windows = [model_input.window]
    if model_input.padding == "forbidden":
        windows.append(model_input.window_range[0])
    for window in windows:
        batch = np.zeros((1, *model_input.shape(window)), np.float32)
        for output in outputs.values():
            _runner(session, where, output["name"], _size_of(output))(batch)


def _runner(session: Any, where: Path, output: str, size: int) -> ForwardFn:
    """Return the function from a batch to one output of the graph; no other is computed."""
    name = session.get_inputs()[0].name

    def run(batch: Float32) -> Float32:
        with _refusals_as_errors(where):
            result: Float32 = session.run([output], {name: batch})[0]
        if result.shape != (len(batch), size):
            raise BundleError(
                f"{where}: its output {output!r} is {_shown(result.shape)} for {len(batch)} windows"
                f", not {len(batch)} × {size}"
            )
        return result

    return run


@lru_cache(maxsize=1)
def _limit_memory() -> None:
    """Let all sessions of this process allocate from one arena of limited size."""
    import onnxruntime as ort

    kind, use = ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, ort.OrtMemType.DEFAULT
    limits = ort.OrtArenaCfg(MAX_MEMORY, -1, -1, -1)
    with suppress(RuntimeError):  # The program that uses us has set limits of its own.
        ort.create_and_register_allocator(ort.OrtMemoryInfo("Cpu", kind, 0, use), limits)


@contextmanager
def _refusals_as_errors(where: Path) -> Iterator[None]:
    """Raise BundleError for what ONNX Runtime raises where a graph is at fault."""
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
