"""The state of a training on disk: one file, written whole or not at all, that holds data only.

checkpoint.npz
  history         the epochs so far, as JSON
  NAME/0, ...     the arrays of the list NAME, in order: `state` and `best` (see `trainer`)
"""

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

_READ_ERRORS = (
    *(OSError, EOFError, zipfile.BadZipFile),
    *(ValueError, KeyError, TypeError, AttributeError),
    RuntimeError,  # A flipped bit can claim that a member is encrypted, or compressed otherwise.
)
"""What reading a damaged file, or one of another kind, raises."""


def save_checkpoint(path: Path, history: Sequence[Epoch], arrays: Mapping[str, Arrays]) -> None:
    """Write the epochs so far and the named lists of arrays with which a training goes on."""
    content: dict[str, Any] = {
        f"{name}/{n}": array for name, listed in arrays.items() for n, array in enumerate(listed)
    }
    content["history"] = np.array(json.dumps([asdict(epoch) for epoch in history]))
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path, shared=True) as file:
        np.savez(file, **content)


def load_checkpoint(path: Path) -> tuple[list[Epoch], dict[str, Arrays]] | None:
    """Return what `save_checkpoint` wrote; None where there is no file."""
    if not path.is_file():
        return None
    arrays: dict[str, Arrays] = {}
    try:
        # Never a pickle: a checkpoint from elsewhere must not be able to run code.
        with np.load(path, allow_pickle=False) as content:
            history = [Epoch(**epoch) for epoch in json.loads(str(content["history"]))]
            for key in content.files:
                name, _, _ = key.partition("/")
                if name != "history":
                    arrays.setdefault(name, []).append(content[key])
    except _READ_ERRORS as error:
        raise BatchemoError(
            f"{path}: this checkpoint cannot be read ({error}). Remove it to start again"
        ) from error
    return history, arrays
