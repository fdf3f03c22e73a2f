"""Fixtures that more than one package's tests need."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

from batchemo.bundles import Bundle, write_bundle
from batchemo.features import FeatureSet, get_feature_set

# How long an example takes tells of the machine, not of the code.
settings.register_profile("batchemo", deadline=None)
settings.load_profile("batchemo")

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


@pytest.fixture
def make_bundle(tmp_path: Path) -> Callable[..., Bundle]:
    """Makes valid tiny bundles that run on ONNX Runtime: `make_bundle(name="other", hop=1.0)`."""

    def make(*, seed: int = 0, folder: Path | None = None, **changes: Any) -> Bundle:
        info = tiny_info(**changes)
        recipe = FeatureSet.from_dict(info["recipe"])
        columns, frames = len(recipe.names), len(recipe.shape()) > 1
        files = {
            "model.onnx": tiny_graph(columns, len(info["labels"]), seed=seed, frames=frames),
            "README.md": b"# tiny\n\nMade weights, for tests only.\n",
        }
        return write_bundle(folder or tmp_path / "bundles" / info["name"], info, files)

    return make


@pytest.fixture
def tiny_bundle(make_bundle: Callable[..., Bundle]) -> Bundle:
    """A valid bundle of made weights; its `path` is what `--model` takes."""
    return make_bundle()
