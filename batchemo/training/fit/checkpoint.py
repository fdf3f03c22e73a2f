"""Keeps the state of a training on disk: one file, whole or not at all, and data only."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from batchemo.common.files import atomic_write
from batchemo.errors import BatchemoError
from batchemo.training.fit.history import Epoch

Arrays: TypeAlias = list[npt.NDArray[Any]]

_DAMAGE = (
    *(OSError, EOFError, zipfile.BadZipFile),
    *(ValueError, KeyError, TypeError, AttributeError),
    RuntimeError,  # A flipped bit can claim that a member is encrypted, or packed otherwise.
)
"""What reading a damaged file, or one of another kind, raises."""


def save_checkpoint(path: Path, history: Sequence[Epoch], arrays: Mapping[str, Arrays]) -> None:
    """Write what a training has seen and the named lists of arrays that it goes on with."""
    content: dict[str, Any] = {
        f"{name}/{n}": array for name, many in arrays.items() for n, array in enumerate(many)
    }
    content["history"] = np.array(json.dumps([asdict(epoch) for epoch in history]))
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path, shared=True) as file:
        np.savez(file, **content)


def load_checkpoint(path: Path) -> tuple[list[Epoch], dict[str, Arrays]] | None:
    """Read it back; None where there is none."""
    if not path.is_file():
        return None
    arrays: dict[str, Arrays] = {}
    try:
        with np.load(path, allow_pickle=False) as content:
            history = [Epoch(**epoch) for epoch in json.loads(str(content["history"]))]
            for key in content.files:
                name, _, _ = key.partition("/")
                if name != "history":
                    arrays.setdefault(name, []).append(content[key])
    except _DAMAGE as error:
        raise BatchemoError(
            f"{path}: this checkpoint cannot be read ({error}). Remove it to begin anew"
        ) from error
    return history, arrays
