"""A valid bundle of random weights, small and quick: it stands for a model in tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from batchemo.features import FeatureSet, get_feature_set

LABELS = ("neutral", "happy", "sad", "angry")
CARD = b"# tiny\n\nRandom weights, for tests only.\n"

_INPUT = ("rate", "window", "hop", "window_range", "normalisation", "padding")


def tiny_graph(columns: int, labels: int, *, seed: int = 0, frames: bool = True) -> bytes:
    """Return an ONNX graph, (batch[, time], columns) → logits: the mean over time, by weights."""
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
    return _serialised(graph)


def waveform_graph(labels: int, *, seed: int = 0, more: Mapping[str, int] | None = None) -> bytes:
    """Return an ONNX graph, (batch, samples) → logits: functions of the mean square of the samples.

    Padding with zeros changes them. `more` are further outputs, which come before the logits, with
    the number of values that each gives; one called `familiarity` lies between 0 and 1.
    """
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(seed)
    outputs = {**(more or {}), **({"logits": labels} if labels else {})}
    nodes = [
        helper.make_node("Mul", ["samples", "samples"], ["squares"]),
        helper.make_node("ReduceMean", ["squares"], ["power"], axes=[1], keepdims=1),
        helper.make_node("Sqrt", ["power"], ["level"]),
        *(
            helper.make_node("Mul", ["level", f"{name}-weights"], [f"{name}-raw"])
            for name in outputs
        ),
        *(
            helper.make_node(
                "Sigmoid" if name == "familiarity" else "Identity", [f"{name}-raw"], [name]
            )
            for name in outputs
        ),
    ]
    graph = helper.make_graph(
        nodes,
        "waveform",
        [helper.make_tensor_value_info("samples", TensorProto.FLOAT, ["n", "length"])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size])
            for name, size in outputs.items()
        ],
        [
            numpy_helper.from_array(
                random.normal(scale=20, size=(1, size)).astype(np.float32), f"{name}-weights"
            )
            for name, size in outputs.items()
        ],
    )
    return _serialised(graph)


def _serialised(graph: Any) -> bytes:
    from onnx import helper

    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    content: bytes = model.SerializeToString()
    return content


def tiny_info(
    labels: Sequence[str] = LABELS,
    *,
    features: Mapping[str, Any] | None = None,
    waveform: bool = False,
    outputs: Mapping[str, Any] | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """Return the bundle.json of a tiny bundle, apart from `format` and `files`.

    `changes` are keys of bundle.json or of its `input`; `outputs` are further outputs. Without
    labels it has no classes.
    """
    feature_set = features or get_feature_set("logmel64").to_dict()
    info: dict[str, Any] = {
        "name": "tiny",
        "description": "A model of random weights, for tests only.",
        "input": {
            "type": "waveform" if waveform else "features",
            **({} if waveform else {"features": dict(feature_set)}),
            "rate": 16000 if waveform else feature_set["rate"],
            "window": 3.0,
            "hop": 1.5,
            "window_range": [0.5, 30.0],
            "normalisation": "none" if waveform else "graph",
            "padding": "trained",
        },
        "outputs": {
            **({"classes": {"name": "logits", "labels": list(labels)}} if labels else {}),
            **(outputs or {}),
        },
        "calibration": {"method": "temperature", "temperature": 1.0},
        "training": {"data": "none"},
        "figures": {},
        "licences": {"weights": "MIT", "training_data": {}},
        "citations": [],
    }
    info["input"] |= {key: changes.pop(key) for key in _INPUT if key in changes}
    return {**info, **changes}


def tiny_files(info: Mapping[str, Any], *, seed: int = 0) -> dict[str, bytes]:
    """Return the files of a bundle with that bundle.json: a graph of random weights and a card."""
    outputs = info["outputs"]
    labels = len(outputs.get("classes", {}).get("labels", ()))
    if info["input"]["type"] == "waveform":
        more = {}
        if "dimensions" in outputs:
            more[outputs["dimensions"]["name"]] = len(outputs["dimensions"]["dimensions"])
        if "embedding" in outputs:
            more[outputs["embedding"]["name"]] = outputs["embedding"]["size"]
        if "familiarity" in outputs:
            more[outputs["familiarity"]["name"]] = 1
        graph = waveform_graph(labels, seed=seed, more=more)
    else:
        feature_set = FeatureSet.from_dict(info["input"]["features"])
        frames = len(feature_set.shape()) > 1
        graph = tiny_graph(len(feature_set.names), labels, seed=seed, frames=frames)
    return {"model.onnx": graph, "README.md": CARD}
