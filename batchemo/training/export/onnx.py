"""From a Keras model to the files of a bundle: the same numbers, no code."""

from __future__ import annotations

import io
import json
import logging
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from batchemo.common.arrays import Float32
from batchemo.errors import BundleError
from batchemo.training.fit.scoring import forward_function
from batchemo.training.nets.layers import Model

LOGITS = "logits"
"""The name of the graph's output."""
OPSET = 17
TOLERANCE = 1e-4
"""How far the graph's logits may be from the model's."""

_IR_VERSION = 8
"""Old enough for every ONNX Runtime that batchemo allows."""

_NEW_SETTINGS: Mapping[str, Any] = {
    "input_axes": None,
    "output_axes": None,
    "quantization_config": None,
    "renorm": False,
    "renorm_clipping": None,
    "renorm_momentum": 0.99,
}
"""Settings that Keras 3.13 and later write, with their defaults, and that earlier ones refuse."""


def keras_bytes(model: Model) -> bytes:
    """Return the model as a `.keras` file that older versions of Keras 3 read, too."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        written = path.read_bytes()
    content = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(written)) as old, zipfile.ZipFile(content, "w") as new:
        for member in old.infolist():
            part = old.read(member)
            if member.filename == "config.json":
                part = json.dumps(_without_new_settings(json.loads(part))).encode()
            # A fresh ZipInfo has no time of writing: equal models give equal bytes.
            new.writestr(zipfile.ZipInfo(member.filename), part)
    return content.getvalue()


def _without_new_settings(config: Any) -> Any:
    if isinstance(config, list):
        return [_without_new_settings(part) for part in config]
    if not isinstance(config, dict):
        return config
    return {
        key: _without_new_settings(value)
        for key, value in config.items()
        if key not in _NEW_SETTINGS or value != _NEW_SETTINGS[key]
    }


def onnx_bytes(model: Model, inputs: Sequence[Float32] = ()) -> bytes:
    """Return the model as an ONNX graph with batch and time free; BundleError if logits differ.

    They are compared on these batches of features. Where there are none, or the model takes any
    length, also on noise of unit variance, like features that are normalised.
    """
    import tensorflow as tf
    import tf2onnx

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    shape: tuple[int | None, ...] = tuple(model.inputs[0].shape)
    features = tf.TensorSpec(shape, tf.float32, name="features")
    # A dictionary, so that the output gets this name instead of one that the converter counts.
    forward = tf.function(lambda features: {LOGITS: model(features, training=False)})
    graph, _ = tf2onnx.convert.from_function(forward, input_signature=[features], opset=OPSET)
    graph.ir_version = _IR_VERSION
    content: bytes = graph.SerializeToString()
    noise = () if inputs and None not in shape[1:] else _noise(model)
    _check_parity(model, content, [*inputs, *noise])
    return content


def _noise(model: Model) -> Iterator[Float32]:
    random = np.random.default_rng(0)
    for count, frames in ((1, 33), (3, 301), (2, 1001)):
        shape = [count, *(size or frames for size in model.inputs[0].shape[1:])]
        yield random.normal(size=shape).astype(np.float32)


def _check_parity(model: Model, content: bytes, inputs: Sequence[Float32]) -> None:
    import onnxruntime

    options: Any = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    forward = forward_function(model)
    for batch in inputs:
        expected = forward(batch)
        actual = session.run([LOGITS], {session.get_inputs()[0].name: batch})[0]
        difference = float(np.abs(actual - expected).max())
        # Written so that a difference that is no number is refused as well.
        if not difference <= TOLERANCE:
            raise BundleError(
                f"the logits of the ONNX graph differ by {difference:.1e} from the Keras model's"
            )
