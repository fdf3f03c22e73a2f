"""Keeps the windows' features of recordings and their copies on disk, to be computed once."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from batchemo.common.arrays import Float32
from batchemo.common.files import atomic_write
from batchemo.errors import BatchemoError
from batchemo.features import Recipe
from batchemo.training.data import copies
from batchemo.training.data.pictures import Windows

_VERSION = 1
"""Counts the changes of how recordings are heard and kept."""


@dataclass(frozen=True, slots=True)
class Cache:
    """The features that one recipe makes of windows cut in one way: a file for each copy.

    Each file is written whole or not at all, so that any number of processes may share the folder
    and be stopped at any time; a killed one leaves at most the draft that it was writing.
    """

    folder: Path

    def read(self, digest: str, copy: str) -> Float32 | None:
        """Map the features into memory; None where there are none, or the file is damaged."""
        try:
            kept: Float32 = np.load(self._path(digest, copy), mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        return kept

    def write(self, digest: str, copy: str, features: Float32) -> None:
        """Keep the features (windows, …) of a recording or a copy of it."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with atomic_write(self._path(digest, copy), shared=True, durable=False) as file:
                np.save(file, features, allow_pickle=False)
        except OSError as error:
            raise BatchemoError(
                f"{self.folder}: features cannot be kept there: {error.strerror or error}"
            ) from error

    def _path(self, digest: str, copy: str) -> Path:
        return self.folder / f"{digest}.{copy}.npy"


def open_cache(folder: Path, recipe: Recipe, windows: Windows) -> Cache:
    """The part of a folder that belongs to a recipe and a way of cutting; nothing is made yet."""
    key = {
        "recipe": recipe.to_dict(),
        "windows": [float(windows.seconds), float(windows.hop)],
        "versions": [_VERSION, copies.VERSION],
    }
    told = json.dumps(key, sort_keys=True).encode()
    return Cache(folder / f"{recipe.name}-{hashlib.sha256(told).hexdigest()[:16]}")
