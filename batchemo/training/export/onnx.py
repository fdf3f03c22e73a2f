"""From a Keras model to the files of a bundle: the same numbers, no code."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from batchemo.bundles.schema import output_size
from batchemo.common.arrays import Float32
from batchemo.errors import BundleError
from batchemo.training.data.encoding import Encoder
from batchemo.training.nets.convert import convert, join_graphs
from batchemo.training.nets.layers import LOGITS, Model, Tensor, outputs_of

EMBEDDING, FAMILIARITY = "embedding", "familiarity"
"""Outputs that a model may have besides the logits: see docs/models.md."""
TOLERANCE = 1e-4
"""How far the graph's logits and familiarity may be from the model's; and its embedding, as a share
of the largest number that is in it."""

_NEW_SETTINGS: Mapping[str, Any] = {
    "input_axes": None,
    "output_axes": None,
    "quantization_config": None,
    "renorm": False,
    "renorm_clipping": None,
    "renorm_momentum": 0.99,
}
"""Settings that Keras 3.13 and later write, with their defaults, and that earlier ones refuse."""


def output_info(model: Model, labels: Sequence[str]) -> dict[str, Any]:
    """Return the `outputs` of bundle.json; BundleError if the model's are not what bundles have."""
    outputs = outputs_of(model, model.inputs[0])
    shapes = {name: tuple(output.shape) for name, output in outputs.items()}
    if LOGITS not in shapes or shapes.keys() - {LOGITS, EMBEDDING, FAMILIARITY}:
        raise BundleError(
            f"the model's outputs are {', '.join(shapes)}: name them {LOGITS} and, if it has them, "
            f"{EMBEDDING} and {FAMILIARITY}"
        )
    info: dict[str, Any] = {"classes": {"name": LOGITS, "labels": list(labels)}}
    if EMBEDDING in shapes:
        info[EMBEDDING] = {"name": EMBEDDING, "size": shapes[EMBEDDING][-1]}
    if FAMILIARITY in shapes:
        info[FAMILIARITY] = {"name": FAMILIARITY}
    for output in info.values():
        name, expected = output["name"], (None, output_size(output))
        if shapes[name] != expected:
            raise BundleError(
                f"the model's output {name} should have the shape {expected}, "
                f"and has {shapes[name]}"
            )
    return info


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


def onnx_bytes(
    model: Model, inputs: Sequence[Float32] = (), *, encoder: Encoder | None = None
) -> bytes:
    """Return the model as an ONNX graph with batch and time free; BundleError if outputs differ.

    With an encoder, which the model was trained on, the graph begins with it. Outputs are compared
    on these batches of features. Where there are none, or the graph takes any length, also on noise
    of unit variance, like features that are normalised.
    """
    import tensorflow as tf

    shape: tuple[int | None, ...] = tuple(model.inputs[0].shape)
    features = tf.TensorSpec(shape, tf.float32, name="features")
    forward = tf.function(lambda features: outputs_of(model, features), input_signature=[features])
    content = convert(model)
    noise = () if inputs and None not in shape[1:] else _noise(shape[1:])
    if encoder is None:
        check_parity(forward, content, [*inputs, *noise])
        return content
    check_parity(forward, content, [*map(encoder.encode, inputs), *noise])
    joined = join_graphs(encoder.graph.read_bytes(), content)
    check_parity(lambda batch: forward(encoder.encode(batch)), joined, inputs)
    return joined


def _noise(sizes: Sequence[int | None]) -> Iterator[Float32]:
    random = np.random.default_rng(0)
    for count, frames in ((1, 33), (3, 301), (2, 1001)):
        shape = [count, *(size or frames for size in sizes)]
        yield random.normal(size=shape).astype(np.float32)


def check_parity(
    forward: Callable[[Float32], Mapping[str, Tensor]], content: bytes, inputs: Sequence[Float32]
) -> None:
    """Raise BundleError where an output of the graph differs from what `forward` gives."""
    import onnxruntime

    options: Any = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    for batch in inputs:
        expected = {name: np.asarray(output) for name, output in forward(batch).items()}
        found = session.run(list(expected), {session.get_inputs()[0].name: batch})
        for (name, values), actual in zip(expected.items(), found, strict=True):
            difference = float(np.abs(actual - values).max())
            # An embedding has a scale of its own.
            scale = max(1.0, float(np.abs(values).max())) if name == EMBEDDING else 1.0
            # Written so that a difference that is no number is refused as well.
            if not difference <= TOLERANCE * scale:
                raise BundleError(
                    f"{name} of the ONNX graph: differs by {difference:.1e} from the Keras model's"
                )
