"""Refuses Keras files that could do more than compute."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

from batchemo.bundles.schema import MAX_FILE_BYTES
from batchemo.bundles.stored import check_weights
from batchemo.errors import BundleError

# Those that run code of their own, or read a file that they name.
_FOREIGN_LAYERS = frozenset(
    {"Lambda", "__lambda__", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"}
    | {"TextVectorization", "StringLookup", "IntegerLookup", "IndexLookup"}
)


_KERAS_MEMBERS = {"metadata.json", "config.json", "model.weights.h5"}


_KERAS_MODULES = (
    "keras.activations",
    "keras.constraints",
    "keras.initializers",
    "keras.layers",
    "keras.regularizers",
    "keras.src.models",
    "keras.src.ops",
)


_MAX_CONFIG_BYTES = 16 * 2**20


def check_keras(content: bytes) -> None:
    """Raise BundleError for a Keras file that holds more than Keras's own layers and numbers."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            config, weights = _members(archive)
        _check_layers(json.loads(config))
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError, RecursionError) as error:
        raise BundleError(f"model.keras: is no Keras file: {error}") from error
    except (EOFError, NotImplementedError, RuntimeError) as error:  # packed or locked otherwise
        raise BundleError(f"model.keras: cannot be unpacked: {error}") from error
    check_weights(weights)


def _members(archive: zipfile.ZipFile) -> tuple[bytes, bytes]:
    """Give the configuration and the weights, and make sure that there is nothing else."""
    names = archive.namelist()
    if strange := sorted({name for name in names if name not in _KERAS_MEMBERS}):
        raise BundleError(f"model.keras: holds {strange[0]!r}, which no net of ours has")
    if len(names) > len(set(names)):
        raise BundleError("model.keras: holds a file twice")
    if archive.getinfo("config.json").file_size > _MAX_CONFIG_BYTES:
        raise BundleError("model.keras: its config.json is larger than any net's")
    if archive.getinfo("model.weights.h5").file_size > MAX_FILE_BYTES:
        raise BundleError("model.keras: its weights are larger than any net's")
    return archive.read("config.json"), archive.read("model.weights.h5")


def _check_layers(config: Any) -> None:
    if isinstance(config, list):
        for part in config:
            _check_layers(part)
    if not isinstance(config, Mapping):
        return
    module, name = config.get("module"), config.get("class_name")
    if isinstance(module, str) and not _is_keras(module):
        raise BundleError(f"model.keras: uses {module}.{name}, which is not Keras's own")
    if name in _FOREIGN_LAYERS or ">" in str(config.get("registered_name")):
        raise BundleError(f"model.keras: has a {name} layer, which could run foreign code")
    for part in config.values():
        _check_layers(part)


def _is_keras(module: str) -> bool:
    # "keras" alone holds the dtype policies.
    return module == "keras" or any(
        module == allowed or module.startswith(allowed + ".") for allowed in _KERAS_MODULES
    )
