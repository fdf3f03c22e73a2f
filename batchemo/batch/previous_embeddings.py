"""The embeddings of the rows of an earlier table, which an update keeps with the rows."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchemo.batch.rerun import same_base
from batchemo.errors import BatchemoError
from batchemo.inference.output_schema import EmbeddingOutput
from batchemo.tables.embeddings import ROWS_AT_A_TIME, open_embeddings
from batchemo.tables.read import TableFile
from batchemo.tables.schema import embedding_fields

if TYPE_CHECKING:
    import pyarrow as pa

_SAME = ("model", "digest", "window", "hop", "options")
"""The facts of a run that two tables of embeddings must share to be comparable."""


def matching_embeddings(
    table: TableFile, path: Path, output: EmbeddingOutput
) -> EmbeddingsByRecording | None:
    """Open the embeddings of a recordings table; None where they are of other rows or models.

    They may belong to another run, or have been changed since.
    """
    if not path.is_file():
        return None
    try:
        embeddings = open_embeddings(path)
    except BatchemoError:
        return None  # They are computed again, and the file is replaced: that is an update.
    types = [embeddings.schema.field(field.name).type for field in embedding_fields(output.shape)]
    if types != [field.type for field in embedding_fields(output.shape)]:
        return None
    if any(embeddings.run.get(fact) != output.provenance[fact] for fact in _SAME):
        return None
    pairs = zip_longest(_names(table), _names(embeddings))
    if any(ours != theirs for ours, theirs in pairs):
        return None
    return EmbeddingsByRecording(embeddings, same_base(output, table.run))


def _names(table: TableFile) -> Iterator[str]:
    import pyarrow.compute as pc

    for batch in table.batches(["root", "file"]):
        yield from pc.binary_join_element_wise(batch["root"], batch["file"], "\0").to_pylist()


class EmbeddingsByRecording:
    """Reads the embeddings of recordings in step with their rows, from start to end."""

    def __init__(self, embeddings: TableFile, models: Collection[str]) -> None:
        """Take the embeddings table and the models whose rows keep theirs."""
        import pyarrow as pa

        self._models = pa.array(sorted(models), pa.string())
        names = ["embedding", "by_window"]
        self._batches = embeddings.batches(names, ROWS_AT_A_TIME)
        self._waiting = pa.schema([embeddings.schema.field(name) for name in names]).empty_table()

    def take(self, models: pa.Array) -> dict[str, Any]:
        """Return both columns of the next recordings, null where their model is another one."""
        import pyarrow as pa
        import pyarrow.compute as pc

        table = self._waiting
        while table.num_rows < len(models):
            table = pa.concat_tables([table, pa.Table.from_batches([next(self._batches)])])
        self._waiting = table.slice(len(models))
        own = pc.fill_null(pc.is_in(models, self._models), False)
        columns = {}
        for name in ("embedding", "by_window"):
            column = table[name].slice(0, len(models)).combine_chunks()
            columns[name] = _nulls_where_not(own, column)
        return columns


def _nulls_where_not(kept: pa.BooleanArray, column: pa.Array) -> pa.Array:
    """Return the column with nulls where `kept` is false; as it is where it is true everywhere."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pc.all(kept).as_py() or not len(kept):
        return column
    # `if_else` knows no lists of fixed size; an index that is null takes a null.
    indices = pc.if_else(kept, pa.array(range(len(kept)), pa.int64()), None)
    return column.take(indices)
