"""Opens Keras files that somebody gives: checked to be data before Keras sees them.

A `.keras` file is a zip archive; an `.h5` file is HDF5, with the layers as JSON in an attribute.
Both name layers by their classes, and both may hold code of a Lambda layer.
"""

from __future__ import annotations

import io
import json
import os
import stat
import tempfile
from pathlib import Path
from typing import Any

from batchemo.bundles.keras_model import check_keras, check_layers, check_weights
from batchemo.bundles.schema import MAX_FILE_BYTES
from batchemo.common.text import for_display
from batchemo.errors import BundleError, MissingExtraError, UsageError

_HDF5 = b"\x89HDF\r\n\x1a\n"
_CONFIG = "model_config"
_OLD_SETTINGS = {"time_major": False}
"""Settings that Keras 2 wrote, with the only values that Keras 3, which refuses them, can do."""


def open_keras(path: Path) -> Any:
    """Return the Keras model in a file; BundleError for one that could run code of others."""
    shown = for_display(str(path))
    content = _read(path)
    try:
        config = _check(content)
    except BundleError as error:
        raise BundleError(f"{shown}: {error}") from error
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        import keras
    except ImportError as error:
        raise MissingExtraError(
            "Keras models are opened by Keras: pip install 'batchemo[train]'"
        ) from error
    with tempfile.TemporaryDirectory() as folder:
        # A copy of the bytes that were checked: the file might have changed since.
        copy = Path(folder) / ("model.keras" if config is None else "model.h5")
        copy.write_bytes(content)
        if config is not None:
            _replace_config(copy, config)
        try:
            model = keras.saving.load_model(copy, compile=False, safe_mode=True)
            # A Sequential that was saved without the shape of its input has none.
            known = [tuple(each.shape) for each in model.inputs]
        # Whatever a file holds, each of its layers has errors of its own for it.
        except Exception as error:
            reason = for_display(" ".join(str(error).split())[:300])
            raise BundleError(f"{shown}: Keras refuses it: {reason}") from error
    if not known:
        raise BundleError(f"{shown}: does not say what it takes: save it with the input's shape")
    return model


def _read(path: Path) -> bytes:
    shown = for_display(str(path))
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):  # Reading from a pipe might never end.
            raise UsageError(f"{shown}: is no regular file")
        if facts.st_size > MAX_FILE_BYTES:
            raise BundleError(f"{shown}: is larger than any model's file")
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{shown}: cannot be read: {error.strerror}") from None


def _check(content: bytes) -> Any:
    """Check all of a file; return the layers of an HDF5 file, None for a `.keras` file."""
    if not content.startswith(_HDF5):
        check_keras(content)
        return None
    check_weights(content)
    import h5py  # type: ignore[import-untyped]

    with h5py.File(io.BytesIO(content), "r") as file:
        text = file.attrs.get(_CONFIG)
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    if not isinstance(text, str):
        raise BundleError("holds weights without a net: save the whole model, with model.save(…)")
    try:
        config = json.loads(text)
        check_layers(config)
    # Deep nesting exhausts the parser's stack.
    except (ValueError, RecursionError) as error:
        raise BundleError(f"the description of its layers is no JSON: {error}") from error
    return _without_old_settings(config)


def _without_old_settings(config: Any) -> Any:
    if isinstance(config, list):
        return [_without_old_settings(part) for part in config]
    if not isinstance(config, dict):
        return config
    return {
        key: _without_old_settings(value)
        for key, value in config.items()
        if key not in _OLD_SETTINGS or value != _OLD_SETTINGS[key]
    }


def _replace_config(path: Path, config: Any) -> None:
    import h5py

    with h5py.File(path, "r+") as file:
        file.attrs[_CONFIG] = json.dumps(config)
