"""Refuses Keras weights that lie in other files, or that claim to be larger than any are."""

from __future__ import annotations

import io
import math
from typing import Any

from batchemo.bundles.schema import MAX_FILE_BYTES
from batchemo.errors import BundleError, MissingExtraError

_MOST_OBJECTS = 3_000


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

    waiting, seen, size = [file], 0, 0
    while waiting:
        group = waiting.pop()
        for name in group:
            seen += 1  # Hard links may lead in circles.
            if seen > _MOST_OBJECTS:
                raise BundleError("model.keras: its weights are more than any net's")
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise BundleError("model.keras: has a link, to another file or within its weights")
            thing = group[name]
            if isinstance(thing, h5py.Group):
                waiting.append(thing)
            else:
                size += _size_of(thing)
    if size > MAX_FILE_BYTES:
        raise BundleError(f"model.keras: has weights of {size:,} bytes, more than any net's")


def _size_of(thing: Any) -> int:
    """The bytes that an array takes in memory, whatever it takes in the file."""
    if thing.external is not None or thing.is_virtual:
        raise BundleError("model.keras: has weights in another file, which no bundle may have")
    if thing.dtype.kind not in "biuf":
        raise BundleError(f"model.keras: has weights that are no numbers, but {thing.dtype}")
    return math.prod(map(int, thing.shape)) * int(thing.dtype.itemsize)
