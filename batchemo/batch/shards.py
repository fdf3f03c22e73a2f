"""Plans and shards: a scan that several machines share, and the one table that comes of it.

    DIR/
      00003-of-00016.parquet     the table of shard 3 of 16

A shard's table says in its metadata which shard it is, of which plan. The rows of all shards in
their order, without that, are byte for byte the table that one scan of the plan would write.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchemo.batch.mirror import local_tables, single_output
from batchemo.batch.options import STDOUT, ScanOptions
from batchemo.batch.outputs import OutputPaths
from batchemo.batch.setup import empty_messages, problems_of
from batchemo.batch.writer import write_table
from batchemo.common.memory import prepare_arrow
from batchemo.common.text import counted, for_display
from batchemo.errors import BatchemoError, UsageError
from batchemo.inference.provenance import source_provenance
from batchemo.sources import SourceOptions, open_sources
from batchemo.sources.discover import refuse_turns
from batchemo.sources.plan_file import Shard, write_plan
from batchemo.storage.url import is_url
from batchemo.tables.columns import EMBEDDINGS, recordings_columns
from batchemo.tables.embeddings import embedding_groups
from batchemo.tables.read import TableFile, open_table
from batchemo.tables.schema import EmbeddingShape, embeddings_schema
from batchemo.tables.write import rechunk, with_provenance

if TYPE_CHECKING:
    import pyarrow as pa

_MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class PlanMade:
    """What a plan lists, and what could not be read."""

    recordings: int
    problems: tuple[str, ...]
    """Sources that could not be read, or have no recordings."""


def make_plan(sources: SourceOptions, output: str, *, overwrite: bool = False) -> PlanMade:
    """List the recordings of sources in a plan, in the order of a scan.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / "a.wav").touch()
    >>> make_plan(SourceOptions((str(folder),)), str(folder / "plan.parquet")).recordings
    1
    """
    if not output.lower().endswith(".parquet"):
        raise UsageError(f"{for_display(output)}: a plan is a .parquet file: name it so")
    prepare_arrow()
    with single_output(output, overwrite=overwrite) as path:
        # What a table of results calls otherwise is called so from the start.
        opened = open_sources(sources, frozenset(name for name, _ in recordings_columns(())))
        refuse_turns(opened, "a plan lists whole recordings (`scan --plan` takes --turns)")
        found = OutputPaths(path).without_own_files(opened)
        count = write_plan(found, path, source_provenance(sources), opened.extras)
    problems = (*problems_of(opened.skipped), *empty_messages(opened.skipped))
    return PlanMade(count, problems)


def shard_path(folder: str, shard: Shard) -> str:
    """Return the file of a shard's table in a folder, which is made if need be, or in a bucket.

    >>> import tempfile
    >>> os.path.basename(shard_path(tempfile.mkdtemp(), Shard(3, 16)))
    '00003-of-00016.parquet'
    """
    name = f"{shard.number:05}-of-{shard.count:05}.parquet"
    if is_url(folder):
        return f"{folder.rstrip('/')}/{name}"
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"{for_display(folder)}: with --shard, an output is a folder for the tables of all"
            f" shards, and this cannot be one: {error.strerror}"
        ) from error
    return os.path.join(folder, name)


def with_shard_outputs(options: ScanOptions) -> ScanOptions:
    """Return the options of a shard with its own files in place of folders; others as they are.

    UsageError for what is only possible for all recordings together.
    """
    shard = options.sources.shard
    if shard is None:
        return options
    if options.output in (None, STDOUT):
        raise UsageError("--shard needs a folder for the tables of all shards: -o shards")
    for option, given in (
        ("--summary", options.summary),
        ("--speaker", options.postprocess.speaker),
        ("--class-shares", options.postprocess.class_shares),
        ("--update", options.update),
    ):
        if given:
            raise UsageError(
                f"{option} takes all recordings together, which no shard has: leave it out with"
                " --shard"
            )
    names = (options.output, options.segments, options.embeddings)
    output, segments, embeddings = (name and shard_path(name, shard) for name in names)
    return replace(options, output=output, segments=segments, embeddings=embeddings)


def merge_shards(folder: str | Path, output: str, *, overwrite: bool = False) -> int:
    """Merge the tables of all shards in a folder into one; return how many rows it has.

    UsageError where tables do not belong together, or some are missing.
    """
    with (
        single_output(output, overwrite=overwrite) as path,
        local_tables(os.fspath(folder)) as local,
    ):
        tables = _shard_tables(local)
        run = {name: value for name, value in tables[0].run.items() if name != "shard"}
        schema = with_provenance(_schema_of(tables[0]), run)
        count = 0
        with write_table(path, schema) as merged:
            for table in _groups(tables, schema):
                merged.write(table)
                count += table.num_rows
        return count


def _schema_of(table: TableFile) -> pa.Schema:
    """Return the schema that a scan would write; Parquet renames the elements of nested lists."""
    if not _has_embeddings(table.schema):
        return table.schema
    size = table.schema.field("embedding").type.list_size
    logits = table.schema.field("by_window").type.value_type.field("logits").type.list_size
    return embeddings_schema(EmbeddingShape(size, logits))


def _has_embeddings(schema: pa.Schema) -> bool:
    return set(EMBEDDINGS) <= set(schema.names)


def _groups(tables: list[TableFile], schema: pa.Schema) -> Iterator[pa.Table]:
    batches = (batch for table in tables for batch in table.batches())
    if _has_embeddings(schema):
        return embedding_groups(batches, schema)
    return rechunk(batches, schema)


def _shard_tables(folder: Path) -> list[TableFile]:
    """Return the tables of all shards in their order."""
    shown = for_display(str(folder))
    if not folder.is_dir():
        raise UsageError(f"{shown}: there is no such folder")
    found: dict[int, TableFile] = {}
    first: TableFile | None = None
    for path in sorted(folder.glob("*.parquet")):
        table = open_table(path)
        if "shard" not in table.run:
            raise UsageError(f"{for_display(str(path))} is no table of a shard: move it away")
        first = first or table
        _check_together(first, table)
        found[table.run["shard"]["number"]] = table
    if first is None:
        raise UsageError(f"{shown} has no tables of shards: `batchemo scan --shard` writes them")
    count = first.run["shard"]["count"]
    missing = [number for number in range(1, count + 1) if number not in found]
    if missing:
        names = ", ".join(f"{number}/{count}" for number in missing[:_MOST_NAMED])
        more = ", …" if len(missing) > _MOST_NAMED else ""
        raise BatchemoError(
            f"{shown}: {counted(len(missing), 'shard')} of {count} missing: {names}{more}. Run the"
            " same scan with these; what they have finished is kept"
        )
    return [found[number] for number in range(1, count + 1)]


def _check_together(first: TableFile, table: TableFile) -> None:
    """Raise a UsageError unless two tables are shards of one scan."""
    for what, one, other in (
        ("plan", _shard(first)["plan"], _shard(table)["plan"]),
        ("number of shards", _shard(first)["count"], _shard(table)["count"]),
        ("model or options", _rest(first), _rest(table)),
        ("columns", first.schema.names, table.schema.names),
    ):
        if one != other:
            raise UsageError(
                f"{for_display(str(table.path))} does not belong to"
                f" {for_display(str(first.path))}: another {what}. Shards are merged of one plan,"
                " scanned with the same model and options"
            )


def _shard(table: TableFile) -> dict[str, Any]:
    shard: dict[str, Any] = table.run["shard"]
    return shard


def _rest(table: TableFile) -> dict[str, Any]:
    return {name: value for name, value in table.run.items() if name != "shard"}
