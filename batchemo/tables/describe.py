"""What a finished table says about itself: how it was made, its rows and its columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchemo.tables.features import FEATURES
from batchemo.tables.read import Earlier, open_table
from batchemo.tables.schema import FILES, SEGMENTS, probability_columns

if TYPE_CHECKING:
    import pyarrow as pa

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

    known = KINDS[kind]
    if field.name in known:
        meaning = known[field.name]
    elif field.name in probability_columns(table.labels):
        meaning = known["p_<label>"]
    elif kind == "features":
        meaning = "a feature of the recipe, or a column of the manifest"
    else:
        meaning = "from the manifest"
    text = pa.types.is_dictionary(field.type)
    return Column(field.name, "string" if text else str(field.type), meaning)
