"""Describes a finished table from its own content: the run that made it, its rows and columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchemo.tables.columns import (
    EMBEDDINGS,
    FEATURES,
    OPTIONAL,
    RECORDINGS,
    SEGMENT_MODEL,
    SEGMENTS,
    SEVERAL_MODELS,
    recordings_columns,
    segments_columns,
)
from batchemo.tables.read import TableFile, open_table

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
    """The description of a table; `run` is empty where the file does not hold it, as in CSV."""

    path: Path
    kind: str
    """recordings, segments, embeddings or features."""
    rows: int
    models: Mapping[str, int]
    """The number of rows by each value of the column `model`."""
    run: Mapping[str, Any]
    columns: tuple[Column, ...]


def describe(path: str | Path) -> Description:
    """Return the description of a recordings, segments, embeddings or features table."""
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
    if names >= EMBEDDINGS.keys():
        return "embeddings"
    return "recordings" if "status" in names else "segments"


def _count(table: TableFile) -> tuple[int, dict[str, int]]:
    """Return the number of rows, in all and by model."""
    # One column is enough to count, and the only one that is read.
    column = "model" if "model" in table.schema.names else "root"
    rows, models = 0, Counter[str]()
    for batch in table.batches([column]):
        rows += batch.num_rows
        if column == "model":
            for count in batch.column(0).drop_null().value_counts().to_pylist():
                models[count["values"]] += count["counts"]
    return rows, dict(models.most_common())


def _meanings(table: TableFile, kind: str) -> dict[str, str]:
    """Return the meaning of each column that batchemo writes, by its name."""
    if kind == "features":
        return FEATURES
    if kind == "embeddings":
        return EMBEDDINGS
    if kind == "segments":
        meanings = SEGMENTS | SEGMENT_MODEL | OPTIONAL
        columns = segments_columns(
            table.labels,
            several_models=SEGMENT_MODEL.keys() <= set(table.schema.names),
            optional=table.optional,
        )
    else:
        meanings = (SEVERAL_MODELS if table.models else RECORDINGS) | OPTIONAL
        columns = recordings_columns(table.labels, table.models, table.optional)
    return {name: meanings[template] for name, template in columns}


def _column(field: pa.Field, meanings: Mapping[str, str], kind: str) -> Column:
    import pyarrow as pa

    unknown = "from the manifest"
    if kind == "features":
        unknown = "a feature of the feature set, or a column of the manifest"
    text = pa.types.is_dictionary(field.type)
    meaning = meanings.get(field.name, unknown)
    return Column(field.name, "string" if text else str(field.type), meaning)
