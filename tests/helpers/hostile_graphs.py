"""Bundles that were forged: graphs of allowed operators that take all memory, or all time."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from tiny_bundle import tiny_info

from batchemo.bundles.schema import FORMAT


def write_unchecked(folder: Path, graph: bytes, **more: bytes) -> Path:
    """Write a bundle without any check: digests and sizes fit, whatever the files are."""
    files = {"model.onnx": graph, "README.md": b"# forged\n", **more}
    facts = {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        for name, content in files.items()
    }
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / "bundle.json").write_text(
        json.dumps({"format": FORMAT, **tiny_info(), "files": facts})
    )
    return folder


def graph_of(*nodes: Any, numbers: int = 1, kind: int = 1) -> bytes:
    """Return a graph whose logits `l` go through more nodes to `logits`; `size` holds a number."""
    from onnx import TensorProto, helper, numpy_helper

    weights = numpy_helper.from_array(np.ones((64, 4), np.float32), "w")
    size = numpy_helper.from_array(np.array([numbers], np.int64), "size")
    made = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["x"], ["m"], axes=[1], keepdims=0),
            helper.make_node("MatMul", ["m", "w"], ["l"]),
            *nodes,
        ],
        "forged",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", "time", 64])],
        [helper.make_tensor_value_info("logits", kind, ["n", 4])],
        [weights, size],
    )
    opset = [helper.make_opsetid("", 13)]
    content: bytes = helper.make_model(made, opset_imports=opset, ir_version=8).SerializeToString()
    return content


def expanded(numbers: int) -> bytes:
    """Return a graph that expands one number to many as it runs."""
    from onnx import helper

    return graph_of(
        helper.make_node("ReduceSum", ["l"], ["sum"], keepdims=0),
        helper.make_node("Expand", ["sum", "size"], ["many"]),
        helper.make_node("ReduceMax", ["many"], ["one"], keepdims=0),
        helper.make_node("Add", ["l", "one"], ["logits"]),
        numbers=numbers,
    )


def filled(numbers: int) -> bytes:
    """Return a graph with a constant of many numbers."""
    from onnx import helper

    return graph_of(
        helper.make_node("ConstantOfShape", ["size"], ["many"]),
        helper.make_node("ReduceSum", ["many"], ["one"], keepdims=0),
        helper.make_node("Add", ["l", "one"], ["logits"]),
        numbers=numbers,
    )


def folded(numbers: int) -> bytes:
    """Return a graph whose constants fold to a large square while it is opened."""
    from onnx import TensorProto, helper

    side = helper.make_tensor("side", TensorProto.FLOAT, [numbers, 1], np.ones(numbers, np.float32))
    return graph_of(
        helper.make_node("Constant", [], ["column"], value=side),
        helper.make_node("Transpose", ["column"], ["row"]),
        helper.make_node("MatMul", ["column", "row"], ["square"]),
        helper.make_node("ReduceMax", ["square"], ["one"], keepdims=0),
        helper.make_node("Add", ["l", "one"], ["logits"]),
    )


def endless_chain(length: int = 3000) -> bytes:
    """Return a graph that multiplies large matrices, one product after another."""
    from onnx import TensorProto, helper

    shape = helper.make_tensor("shape", TensorProto.INT64, [2], [1500, 1500])
    return graph_of(
        helper.make_node("Constant", [], ["shape"], value=shape),
        helper.make_node("ConstantOfShape", ["shape"], ["p0"]),
        *(helper.make_node("MatMul", [f"p{i}", "p0"], [f"p{i + 1}"]) for i in range(length)),
        helper.make_node("ReduceMax", [f"p{length}"], ["one"], keepdims=0),
        helper.make_node("Add", ["l", "one"], ["logits"]),
    )


def endless_operator(numbers: int = 5_000_000) -> bytes:
    """Return a graph with one operator that takes hours, and little memory."""
    from onnx import TensorProto, helper

    shape = helper.make_tensor("shape", TensorProto.INT64, [3], [1, 1, 2 * numbers])
    return graph_of(
        helper.make_node("Constant", [], ["shape"], value=shape),
        helper.make_node("ConstantOfShape", ["shape"], ["many"]),
        helper.make_node("AveragePool", ["many"], ["pooled"], kernel_shape=[numbers]),
        helper.make_node("ReduceMax", ["pooled"], ["one"], keepdims=0),
        helper.make_node("Add", ["l", "one"], ["logits"]),
    )


def slow_on_voices(numbers: int = 5_000_000) -> bytes:
    """Return a graph that is quick for inputs of zeros, and takes hours for others."""
    from onnx import TensorProto, helper

    def constant(name: str, *values: int) -> Any:
        tensor = helper.make_tensor(name, TensorProto.INT64, [len(values)], values)
        return helper.make_node("Constant", [], [name], value=tensor)

    return graph_of(
        constant("more", numbers),
        constant("ones", 1, 1),
        helper.make_node("Abs", ["x"], ["sizes"]),
        helper.make_node("ReduceMax", ["sizes"], ["top"], keepdims=0),
        helper.make_node("Sign", ["top"], ["sign"]),
        helper.make_node("Cast", ["sign"], ["is_voice"], to=TensorProto.INT64),
        helper.make_node("Mul", ["is_voice", "more"], ["extra"]),
        # As long as the kernel, so that the kernel has one place; or twice as long.
        helper.make_node("Add", ["extra", "more"], ["length"]),
        helper.make_node("Concat", ["ones", "length"], ["shape"], axis=0),
        helper.make_node("ConstantOfShape", ["shape"], ["many"]),
        helper.make_node("AveragePool", ["many"], ["pooled"], kernel_shape=[numbers]),
        helper.make_node("ReduceMax", ["pooled"], ["one"], keepdims=0),
        helper.make_node("Add", ["l", "one"], ["logits"]),
    )
