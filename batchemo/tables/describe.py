"""What a finished table says about itself: how it was made, its rows and its columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchemo.tables.read import Earlier, open_table
from batchemo.tables.schema import FILES, SEGMENTS, labels_of

if TYPE_CHECKING:
    import pyarrow as pa

FEATURES = {
    "root": "as in the files table",
    "file": "as in the files table",
    "status": "ok, or failed",
    "reason": "why it failed, a code (see docs/audio.md); null where status is ok",
    "detail": "what was found, in words; null where status is ok",
    "start": "where the window begins, in seconds; null where status is failed",
    "end": "where it ends, in seconds; null where status is failed",
    "speech": "whether the window sounds like speech; null where status is failed",
    "frame": "the number of the frame in its window, from 0 (recipes that give frames)",
}
"""The features table: one row a window, or one a frame; the recipe's own columns follow."""

KINDS: Mapping[str, Mapping[str, str]] = {
    "files": FILES,
    "segments": SEGMENTS,
    "features": FEATURES,
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    name: str
    type: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Description:
    """What can be read from a table about itself; `run` is empty where it holds no account."""

    path: Path
    kind: str
    rows: int
    models: Mapping[str, int]
    """The rows that each model made."""
    run: Mapping[str, Any]
    columns: tuple[Column, ...]


def describe(path: str | Path) -> Description:
    """Read a table's own account of itself."""
    table = open_table(path)
    kind = _kind(table)
    rows, models = _count(table)
    columns = tuple(_column(field, kind, table) for field in table.schema)
    return Description(table.path, kind, rows, models, table.run, columns)


def _kind(table: Earlier) -> str:
    names = set(table.schema.names)
    if "speech" in names:
        return "features"
    return "files" if "status" in names else "segments"


def _count(table: Earlier) -> tuple[int, dict[str, int]]:
    wanted = "model" if "model" in table.schema.names else "root"
    rows, models = 0, Counter[str]()
    for batch in table.batches([wanted]):
        rows += batch.num_rows
        if wanted == "model":
            for count in batch.column(0).drop_null().value_counts().to_pylist():
                models[count["values"]] += count["counts"]
    return rows, dict(models.most_common())


def _column(field: pa.Field, kind: str, table: Earlier) -> Column:
    import pyarrow as pa

    known, strange = KINDS[kind], "from the manifest"
    meaning = known.get(field.name)
    if meaning is None and kind == "features":
        strange = "a feature of the recipe"
    if meaning is None and field.name[2:] in labels_of(table.schema.names):
        meaning = known.get("p_<label>")
    text = pa.types.is_dictionary(field.type)
    return Column(field.name, "string" if text else str(field.type), meaning or strange)
