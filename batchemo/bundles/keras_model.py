"""A bundle's Keras model: checked to be data only, then run by TensorFlow.

A `.keras` file is a zip archive of a configuration, which names layers by module and class, and of
weights in HDF5. Both can refer to code and to other files; the checks let neither through.
"""

from __future__ import annotations

import io
import json
import math
import os
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from batchemo.bundles.bundle import Bundle, ForwardFn
from batchemo.bundles.schema import KERAS, MAX_FILE_BYTES, output_size
from batchemo.common.arrays import Float32
from batchemo.common.text import counted
from batchemo.errors import BundleError, MissingExtraError

_MEMBERS = {"metadata.json", "config.json", "model.weights.h5"}
_MAX_CONFIG_BYTES = 16 * 2**20
_MAX_OBJECTS = 3_000
"""Groups and arrays of weights: the largest shipped model has a few hundred."""

_ALLOWED_MODULES = (
    "keras.activations",
    "keras.constraints",
    "keras.initializers",
    "keras.layers",
    "keras.regularizers",
    "keras.src.models",
    "keras.src.ops",
)

# Keras layers that run code of their own, or read a file that they name.
_REFUSED_LAYERS = frozenset(
    {"Lambda", "__lambda__", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"}
    | {"TextVectorization", "StringLookup", "IntegerLookup", "IndexLookup"}
)


def check_keras(content: bytes) -> None:
    """Raise BundleError for a Keras file that holds more than Keras's own layers and numbers."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            config, weights = _read_members(archive)
        check_layers(json.loads(config))
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError, RecursionError) as error:
        raise BundleError(f"model.keras: is no Keras file: {error}") from error
    # Members cut short, compressed by a method that zipfile does not know, or encrypted.
    except (EOFError, NotImplementedError, RuntimeError) as error:
        raise BundleError(f"model.keras: cannot be unpacked: {error}") from error
    check_weights(weights)


def _read_members(archive: zipfile.ZipFile) -> tuple[bytes, bytes]:
    """Return the configuration and the weights, and make sure that there is nothing else."""
    names = archive.namelist()
    if unknown := sorted({name for name in names if name not in _MEMBERS}):
        raise BundleError(f"model.keras: holds {unknown[0]!r}, which no Keras model needs")
    # Readers differ in which of two members of one name they take: another than was checked.
    if len(names) > len(set(names)):
        raise BundleError("model.keras: holds a file twice")
    # Before anything is unpacked: zeros shrink to a thousandth.
    if archive.getinfo("config.json").file_size > _MAX_CONFIG_BYTES:
        raise BundleError("model.keras: its config.json is larger than any model's")
    if archive.getinfo("model.weights.h5").file_size > MAX_FILE_BYTES:
        raise BundleError("model.keras: its weights are larger than any model's")
    return archive.read("config.json"), archive.read("model.weights.h5")


def check_layers(config: Any) -> None:
    """Raise BundleError for a configuration with layers that could run code of others."""
    if isinstance(config, list):
        for part in config:
            check_layers(part)
    if not isinstance(config, Mapping):
        return
    module, name = config.get("module"), config.get("class_name")
    if isinstance(module, str) and not _is_keras(module):
        raise BundleError(f"model.keras: uses {module}.{name}, which is not Keras's own")
    # Classes that a program has registered are called package>Name.
    if name in _REFUSED_LAYERS or ">" in str(config.get("registered_name")):
        raise BundleError(f"model.keras: has a {name} layer, which could run foreign code")
    for part in config.values():
        check_layers(part)


def _is_keras(module: str) -> bool:
    # "keras" alone holds the dtype policies.
    return module == "keras" or any(
        module == allowed or module.startswith(allowed + ".") for allowed in _ALLOWED_MODULES
    )


def check_weights(content: bytes) -> None:
    """Raise BundleError for an HDF5 file with anything but plain arrays of numbers in it."""
    try:
        import h5py  # type: ignore[import-untyped]
    except ImportError as error:
        raise MissingExtraError(
            "a bundle with a Keras model needs h5py: pip install 'batchemo[train]'"
        ) from error
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            _check_group(file)
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        raise BundleError(f"model.keras: its weights cannot be read: {error}") from error


def _check_group(file: Any) -> None:
    import h5py

    pending, count, size = [file], 0, 0
    while pending:
        group = pending.pop()
        for name in group:
            count += 1  # Hard links may form a circle.
            if count > _MAX_OBJECTS:
                raise BundleError("model.keras: its weights are more than any model's")
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise BundleError("model.keras: has a link, to another file or within its weights")
            member = group[name]
            if isinstance(member, h5py.Group):
                pending.append(member)
            else:
                size += _array_bytes(member)
    if size > MAX_FILE_BYTES:
        raise BundleError(f"model.keras: has weights of {size:,} bytes, more than any model's")


def _array_bytes(array: Any) -> int:
    """Return the bytes that an array takes in memory, whatever it takes in the file."""
    if array.external is not None or array.is_virtual:
        raise BundleError("model.keras: has weights in another file, which no bundle may have")
    if array.dtype.kind not in "biuf":
        raise BundleError(f"model.keras: has weights that are no numbers, but {array.dtype}")
    return math.prod(map(int, array.shape)) * int(array.dtype.itemsize)


def open_graph(bundle: Bundle) -> ForwardFn:
    """Check the bundle's Keras model and make it ready to compute the outputs of batches."""
    if not bundle.has_keras:
        raise BundleError(f"{bundle.path}: has no {KERAS}; run it with --backend onnx")
    content = bundle.read(KERAS)
    check_keras(content)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        import keras
        import tensorflow as tf
    except ImportError as error:
        raise MissingExtraError(
            "--backend tensorflow needs TensorFlow: pip install 'batchemo[train]'"
        ) from error
    _use_one_thread(tf)
    with tempfile.TemporaryDirectory() as folder:
        # A copy of the bytes that were checked: the file in the bundle might have changed since.
        copy = Path(folder) / KERAS
        copy.write_bytes(content)
        try:
            model = keras.saving.load_model(copy, compile=False, safe_mode=True)
        except (OSError, TypeError, ValueError) as error:
            raise BundleError(f"{bundle.path / KERAS}: Keras refuses it: {error}") from error
    names = _output_names(model, bundle)

    def named(batch: Any) -> dict[str, Any]:
        outputs = outputs_by_name(model, model(batch, training=False))
        return {kind: outputs[name] for kind, name in names.items()}

    # Traced once for each shape of batch, of which a scan has one.
    forward = tf.function(named)

    def run(batch: Float32) -> Mapping[str, Float32]:
        results = forward(tf.constant(batch))
        return {kind: np.asarray(result, np.float32) for kind, result in results.items()}

    return run


def outputs_by_name(model: Any, outputs: Any) -> dict[str, Any]:
    """Return what a Keras model gives by the names of its outputs.

    They are the keys where it gives a dictionary, otherwise the names of its last layers.
    """
    if isinstance(outputs, Mapping):
        return dict(outputs)
    several = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    # A Sequential has one output, and no names.
    names = getattr(model, "output_names", ["output"])
    return dict(zip(names, several, strict=True))


def _output_names(model: Any, bundle: Bundle) -> dict[str, str]:
    """Return the names of the outputs that the bundle has; a model's only one may have any name."""
    found, where = outputs_by_name(model, model.output), bundle.path / KERAS
    if len(found) == 1 and len(bundle.outputs) == 1:
        return {"classes": next(iter(found))}
    for kind, output in bundle.outputs.items():
        name, size = output["name"], output_size(output)
        if name not in found:
            raise BundleError(
                f"{where}: has no output {name!r} for the {kind}; it has: {', '.join(found)}"
            )
        shape = tuple(found[name].shape)
        if len(shape) != 2 or shape[1] != size:
            raise BundleError(
                f"{where}: its output {name!r} for the {kind} should give "
                f"{counted(size, 'number')} a window, but is {' × '.join(map(str, shape))}"
            )
    return {kind: output["name"] for kind, output in bundle.outputs.items()}


def _use_one_thread(tf: Any) -> None:
    try:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        # TensorFlow is at work already in this process, with the threads it was given then.
        return
