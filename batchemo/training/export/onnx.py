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
from batchemo.training.fit.scoring import keras_graph
from batchemo.training.nets.layers import Model

OPSET = 17
_IR_VERSION = 8
"""Old enough for every ONNX Runtime that batchemo allows."""
TOLERANCE = 1e-4

_NOVELTIES: Mapping[str, Any] = {
    "input_axes": None,
    "output_axes": None,
    "quantization_config": None,
    "renorm": False,
    "renorm_clipping": None,
    "renorm_momentum": 0.99,
}
"""Settings that Keras 3.13 and later write, at their defaults, and that earlier ones refuse."""


def keras_bytes(model: Model) -> bytes:
    """The model as a `.keras` file that older versions of Keras 3 read, too."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        written = path.read_bytes()
    content = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(written)) as old, zipfile.ZipFile(content, "w") as new:
        for member in old.infolist():
            part = old.read(member)
            if member.filename == "config.json":
                part = json.dumps(_without_novelties(json.loads(part))).encode()
            new.writestr(zipfile.ZipInfo(member.filename), part)
    return content.getvalue()


def _without_novelties(config: Any) -> Any:
    if isinstance(config, list):
        return [_without_novelties(part) for part in config]
    if not isinstance(config, dict):
        return config
    return {
        key: _without_novelties(value)
        for key, value in config.items()
        if key not in _NOVELTIES or value != _NOVELTIES[key]
    }


def onnx_bytes(model: Model, tried: Sequence[Float32] = ()) -> bytes:
    """The model as an ONNX graph, batch and time free; refused if it answers otherwise.

    It is tried on these batches of features. Where there are none, or the net takes any length, it
    is tried on noise of unit variance, too: like features for a net that takes them normalised.
    """
    import tensorflow as tf
    import tf2onnx

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    free: tuple[int | None, ...] = tuple(model.inputs[0].shape)
    features = tf.TensorSpec(free, tf.float32, name="features")
    forward = tf.function(lambda features: model(features, training=False))
    graph, _ = tf2onnx.convert.from_function(forward, input_signature=[features], opset=OPSET)
    graph.ir_version = _IR_VERSION
    content: bytes = graph.SerializeToString()
    noise = () if tried and None not in free[1:] else _noise(model)
    _check_parity(model, content, [*tried, *noise])
    return content


def _noise(model: Model) -> Iterator[Float32]:
    random = np.random.default_rng(0)
    for count, frames in ((1, 33), (3, 301), (2, 1001)):
        shape = [count, *(size or frames for size in model.inputs[0].shape[1:])]
        yield random.normal(size=shape).astype(np.float32)


def _check_parity(model: Model, content: bytes, tried: Sequence[Float32]) -> None:
    import onnxruntime

    options: Any = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    hear = keras_graph(model)
    for batch in tried:
        wanted = hear(batch)
        given = session.run(None, {session.get_inputs()[0].name: batch})[0]
        apart = float(np.abs(given - wanted).max())
        if not apart <= TOLERANCE:
            raise BundleError(f"the ONNX graph answers {apart:.1e} away from the Keras model")
