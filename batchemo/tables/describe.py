"""What a finished table says about itself: how it was made, its rows and its columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchemo.tables.columns import (
    OPTIONAL,
    RECORDINGS,
    SEGMENT_MODEL,
    SEGMENTS,
    SEVERAL_MODELS,
    recordings_columns,
    segments_columns,
)
from batchemo.tables.read import TableFile, open_table
from batchemo.tables.schema import FEATURES

if TYPE_CHECKING:
    import pyarrow as pa


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
    meanings = _meanings(table, kind)
    columns = tuple(_column(field, meanings, kind) for field in table.schema)
    return Description(table.path, kind, rows, models, table.run, columns)


def _kind(table: TableFile) -> str:
    names = set(table.schema.names)
    if "speech" in names:
        return "features"
    return "files" if "status" in names else "segments"


def _count(table: TableFile) -> tuple[int, dict[str, int]]:
    wanted = "model" if "model" in table.schema.names else "root"
    rows, models = 0, Counter[str]()
    for batch in table.batches([wanted]):
        rows += batch.num_rows
        if wanted == "model":
            for count in batch.column(0).drop_null().value_counts().to_pylist():
                models[count["values"]] += count["counts"]
    return rows, dict(models.most_common())


def _meanings(table: TableFile, kind: str) -> dict[str, str]:
    """Give the meaning of each column of our own."""
    if kind == "features":
        return FEATURES
    if kind == "segments":
        several_models = SEGMENT_MODEL.keys() <= set(table.schema.names)
        known = SEGMENTS | SEGMENT_MODEL | OPTIONAL
        dimensions = "dimensions" in table.optional
        columns = segments_columns(table.labels, several_models=several_models, dimensions=dimensions)
    else:
        known = (SEVERAL_MODELS if table.models else RECORDINGS) | OPTIONAL
        columns = recordings_columns(table.labels, table.models, table.optional)
    return {name: known[documented] for name, documented in columns}


def _column(field: pa.Field, meanings: Mapping[str, str], kind: str) -> Column:
    import pyarrow as pa

    beyond = "a feature of the recipe, or a column of the manifest"
    stranger = beyond if kind == "features" else "from the manifest"
    text = pa.types.is_dictionary(field.type)
    meaning = meanings.get(field.name, stranger)
    return Column(field.name, "string" if text else str(field.type), meaning)
