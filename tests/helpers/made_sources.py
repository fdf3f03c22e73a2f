"""Models as people have them, of random weights and a few KB: what `models import` takes."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

LABELS = ("neu", "hap", "ang", "sad")
HIDDEN = 6


def net(
    *,
    labels: int = len(LABELS),
    mask: bool = False,
    channel: bool = False,
    softmax: bool | str = False,
    batch: int | None = None,
    samples: int | None = None,
    hidden_states: bool = False,
    extra_input: bool = False,
    operator: str | None = None,
    hidden: int = HIDDEN,
    seed: int = 0,
) -> bytes:
    """Return a graph: samples, a convolution, the mean over time, one layer, logits.

    `mask` adds an attention mask, which the logits are multiplied by; `operator` is put behind the
    logits.
    """
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(seed)
    weights = {
        "kernel": random.normal(size=(hidden, 1, 400)) / 20,
        "dense": random.normal(size=(labels, hidden)) * 3,
        "bias": random.normal(size=labels),
    }
    nodes = [
        *([] if channel else [helper.make_node("Unsqueeze", ["input_values", "one"], ["signal"])]),
        helper.make_node(
            "Conv", ["input_values" if channel else "signal", "kernel"], ["frames"], strides=[320]
        ),
        helper.make_node("Relu", ["frames"], ["active"]),
        helper.make_node("ReduceMean", ["active"], ["pooled"], axes=[2], keepdims=0),
        helper.make_node("Gemm", ["pooled", "dense", "bias"], ["last"], transB=1),
    ]
    result = "last"
    if mask:
        nodes += [
            helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["mask"], ["share"], axes=[1], keepdims=1),
            helper.make_node("Mul", ["pooled", "share"], ["masked"]),
        ]
        nodes = [*nodes[:-4], *nodes[-3:], nodes[-4]]
        nodes[-1].input[0] = "masked"
    if operator:
        nodes.append(helper.make_node(operator, [result], ["changed"]))
        result = "changed"
    last = {True: "Softmax", False: "Identity"}.get(softmax, softmax)
    nodes.append(helper.make_node(last, [result], ["logits"]))
    shape = [batch or "batch", *([1] if channel else []), samples or "length"]
    inputs = [helper.make_tensor_value_info("input_values", TensorProto.FLOAT, shape)]
    if mask:
        inputs.append(
            helper.make_tensor_value_info("attention_mask", TensorProto.INT64, ["batch", "length"])
        )
    if extra_input:
        inputs.append(helper.make_tensor_value_info("speaker", TensorProto.INT64, ["batch"]))
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", labels])]
    if hidden_states:
        outputs.insert(
            0,
            helper.make_tensor_value_info(
                "frames", TensorProto.FLOAT, ["batch", hidden, "frame_count"]
            ),
        )
    tensors = [
        numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()
    ]
    tensors.append(numpy_helper.from_array(np.array([1]), "one"))
    return _serialised(helper.make_graph(nodes, "net", inputs, outputs, tensors))


def whisper_net(bands: int = 80, *, opset: int = 17) -> bytes:
    """Return a graph that takes Whisper's features: the mean over time, and one layer."""
    from onnx import TensorProto, helper, numpy_helper

    weights = np.random.default_rng(0).normal(size=(bands, len(LABELS))).astype(np.float32)
    given = ["input_features", "last_axis"] if opset >= 18 else ["input_features"]
    axes: dict[str, Any] = {} if opset >= 18 else {"axes": [2]}
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", given, ["pooled"], keepdims=0, **axes),
            helper.make_node("MatMul", ["pooled", "weights"], ["logits"]),
        ],
        "whisper",
        [
            helper.make_tensor_value_info(
                "input_features", TensorProto.FLOAT, ["batch", bands, 3000]
            )
        ],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", len(LABELS)])],
        [
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(np.array([2]), "last_axis"),
        ],
    )
    return _serialised(graph, opset)


DIMENSIONS = ("arousal", "dominance", "valence")
MODEL_YAML = """\
$audonnx.core.model.Model==0.6.1:
  path: model.onnx
  labels:
    hidden_states: null
    logits:
    - arousal
    - dominance
    - valence
  transform: null
"""


def dimensional_net(*, is_baked_in: bool = False, outputs: int = 3) -> bytes:
    """Return a graph for one window at a time: signal → hidden_states and logits.

    With `is_baked_in` it holds for one window only, as a constant of a reshape says.
    """
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(0)
    weights = {
        "kernel": random.normal(size=(HIDDEN, 1, 400)) / 20,
        "dense": random.normal(size=(outputs, HIDDEN)),
        "bias": np.full(outputs, 0.5),
    }
    shapes = {"one": [1], "shape": [1, HIDDEN, -1] if is_baked_in else [0, HIDDEN, -1]}
    nodes = [
        helper.make_node("Unsqueeze", ["signal", "one"], ["channel"]),
        helper.make_node("Conv", ["channel", "kernel"], ["frames"], strides=[320]),
        helper.make_node("Reshape", ["frames", "shape"], ["shaped"]),
        helper.make_node("Relu", ["shaped"], ["active"]),
        helper.make_node("ReduceMean", ["active"], ["hidden_states"], axes=[2], keepdims=0),
        helper.make_node("Gemm", ["hidden_states", "dense", "bias"], ["logits"], transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "dimensional",
        [helper.make_tensor_value_info("signal", TensorProto.FLOAT, [1, "time"])],
        [
            helper.make_tensor_value_info("hidden_states", TensorProto.FLOAT, [1, HIDDEN]),
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, outputs]),
        ],
        [
            *(numpy_helper.from_array(v.astype(np.float32), name) for name, v in weights.items()),
            *(numpy_helper.from_array(np.array(v), name) for name, v in shapes.items()),
        ],
    )
    return _serialised(graph)


def write_audonnx(
    path: Path, graph: bytes | None = None, described: str = MODEL_YAML, **more: bytes
) -> Path:
    """Write a zip archive as audEERING publishes its model; `more` are further members."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model.onnx", dimensional_net() if graph is None else graph)
        archive.writestr("model.yaml", described)
        for name, content in more.items():
            archive.writestr(name, content)
    return path


def write_external(path: Path, content: bytes, *, one_file: bool = True) -> Path:
    """Write a graph whose large weights stand in files beside it, as onnx saves it."""
    import onnx

    onnx.save_model(
        onnx.load_from_string(content),
        path,
        save_as_external_data=True,
        all_tensors_to_one_file=one_file,
        location="model.onnx_data" if one_file else None,
        size_threshold=64,
    )
    return path


def write_export(
    folder: Path,
    graph: bytes | None = None,
    *,
    config: dict[str, Any] | None = None,
    preprocessor: dict[str, Any] | None = None,
) -> Path:
    """Write a folder as optimum exports it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(net() if graph is None else graph)
    whole = {
        "architectures": ["Wav2Vec2ForSequenceClassification"],
        "id2label": {str(number): label for number, label in enumerate(LABELS)},
        **(config or {}),
    }
    (folder / "config.json").write_text(json.dumps(whole))
    settings = {
        "feature_extractor_type": "Wav2Vec2FeatureExtractor",
        "sampling_rate": 16000,
        "do_normalize": True,
        **(preprocessor or {}),
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    return folder


def _serialised(graph: Any, opset: int = 17) -> bytes:
    from onnx import helper

    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    content: bytes = model.SerializeToString()
    return content
