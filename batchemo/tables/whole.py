"""Reads a finished files table into memory, with the types that it was written with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from batchemo.tables.read import open_bytes, open_table
from batchemo.tables.schema import files_schema
from batchemo.tables.write import regroup, table_format

if TYPE_CHECKING:
    import pyarrow as pa


def read_files_table(path: str | Path) -> pa.Table:
    """Read all of a files table."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if table_format(path) == ".parquet":
        with open_bytes(Path(path)) as file:
            return pq.read_table(file, page_checksum_verification=True)
    table = open_table(path)
    extras = pa.schema([table.schema.field(name) for name in table.extras])
    schema = files_schema(table.labels, extras, models=table.models, also=table.also)
    return pa.concat_tables([schema.empty_table(), *regroup(table.batches(), schema)])
