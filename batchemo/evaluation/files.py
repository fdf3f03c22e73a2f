"""Writes an evaluation into a folder: JSON with everything, CSV tables, pictures."""

from __future__ import annotations

import json
from pathlib import Path

from batchemo.common.files import atomic_write
from batchemo.errors import UsageError
from batchemo.evaluation.evaluation import Evaluation
from batchemo.evaluation.plots import PICTURES
from batchemo.evaluation.tables import TABLES, csv_bytes

EVALUATION = "evaluation.json"


def write_evaluation(folder: Path, evaluation: Evaluation) -> tuple[Path, ...]:
    """Write all files of an evaluation, each whole or not at all; equal input, equal bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        EVALUATION: _json(evaluation),
        **{f"{name}.csv": csv_bytes(table, evaluation) for name, table in TABLES.items()},
        **{f"{name}.png": draw(evaluation) for name, draw in PICTURES.items()},
    }
    for name, content in contents.items():
        with atomic_write(folder / name) as file:
            file.write(content)
    return tuple(folder / name for name in contents)


def read_evaluation(path: Path) -> Evaluation:
    """Read back what `write_evaluation` wrote: its folder, or the JSON file in it."""
    if path.is_dir():
        path /= EVALUATION
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{path}: is no JSON: {error}") from error
    if not isinstance(told, dict):
        raise UsageError(f"{path}: is no evaluation")
    return Evaluation.from_dict(told)


def _json(evaluation: Evaluation) -> bytes:
    text = json.dumps(evaluation.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
    # A lone surrogate, from a name that is no UTF-8, becomes JSON's own escape of it.
    return f"{text}\n".encode("utf-8", "backslashreplace")
