"""A valid bundle of made weights, small and quick: what stands for a model in tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from batchemo.features import get_feature_set

LABELS = ("neutral", "happy", "sad", "angry")


def tiny_graph(columns: int, labels: int, *, seed: int = 0, frames: bool = True) -> bytes:
    """An ONNX net, (batch[, time], columns) → logits: the mean over time, by made weights."""
    from onnx import TensorProto, helper, numpy_helper

    weights = np.random.default_rng(seed).normal(size=(columns, labels)).astype(np.float32)
    nodes = [helper.make_node("MatMul", ["mean", "weights"], ["logits"])]
    if frames:
        mean = helper.make_node("ReduceMean", ["features"], ["mean"], axes=[1], keepdims=0)
        nodes.insert(0, mean)
    name, shape = ("features", ["n", "time", columns]) if frames else ("mean", ["n", columns])
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", labels])],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    content: bytes = model.SerializeToString()
    return content


def tiny_info(labels: Sequence[str] = LABELS, **changes: Any) -> dict[str, Any]:
    """What a tiny bundle's bundle.json says, with some of it said otherwise."""
    info = {
        "name": "tiny",
        "description": "A net of made weights, for tests only.",
        "labels": list(labels),
        "recipe": get_feature_set("logmel64").to_dict(),
        "window": 3.0,
        "hop": 1.5,
        "window_range": [0.5, 30.0],
        "normalisation": "graph",
        "calibration": {"method": "temperature", "temperature": 1.0},
        "training": {"data": "none"},
        "figures": {},
        "licence": "MIT",
        "citations": [],
    }
    return {**info, **changes}
