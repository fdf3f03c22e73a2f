"""All that a scan does before its work: check, lock, decide what earlier runs are worth.

prepare     the outputs, the models and the sources are checked, once
hold        no other run may write these outputs meanwhile
decide      is this a fresh run, does it resume, update, or repeat a finished one?
known rows  what earlier runs have done, as far as the decision lets it count
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from batchemo.batch.chunk_store import PREVIOUS, ChunkStore, store_folder
from batchemo.batch.known_rows import KnownRows
from batchemo.batch.options import ScanOptions
from batchemo.batch.outputs import (
    OutputPaths,
    check_outputs,
    discard_names,
    output_exists,
    recorded_names,
)
from batchemo.batch.previous import PreviousTable, open_previous
from batchemo.common import locks
from batchemo.common.locks import scratch_folder
from batchemo.errors import BatchemoError, LockedError
from batchemo.inference.model_set import load_model_set
from batchemo.inference.output_schema import OutputSchema
from batchemo.sources import Recording, Skipped, Sources, open_sources
from batchemo.tables.columns import reserved_columns

if TYPE_CHECKING:
    import pyarrow as pa

STDIN = "-"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A scan of which all has been checked that can be before any work."""

    options: ScanOptions
    outputs: OutputPaths | None
    schema: OutputSchema
    model: str
    sources: Sources

    @property
    def output(self) -> Path | None:
        """The recordings table, if it is a file."""
        return self.outputs.recordings if self.outputs else None

    def recordings(self) -> Iterator[Recording]:
        """Yield the recordings, without the run's own files where they lie among them."""
        if self.outputs is None:
            return iter(self.sources)
        return self.outputs.without_own_files(self.sources)


def prepare(options: ScanOptions) -> Prepared:
    """Check the outputs, the models and the sources."""
    outputs = check_outputs(options)
    model_set = load_model_set(options.settings)
    options = replace(options, settings=model_set.settings)
    asked, segments = options.postprocess, options.segments is not None
    reserved = reserved_columns(model_set.labels, model_set.names, asked.optional)
    sources = open_sources(options.sources, reserved)
    schema = model_set.output_schema(asked, options.sources, sources.extras, segments=segments)
    prepared = Prepared(options, outputs, schema, model_set.model, sources)
    schema.check(options.group_by, prepared.output)
    return prepared


def problems_of(skipped: Skipped) -> tuple[str, ...]:
    """Say what of the sources could not be read."""
    return tuple(f"{name}: {why}" for name, why in skipped.unreadable + skipped.rejected)


@contextmanager
def hold_outputs(prepared: Prepared) -> Iterator[ChunkStore]:
    """Lock all outputs and yield the chunk store; a temporary one where there is no output file.

    The chunks are discarded when the block ends well, and kept for the next run when it does not.
    """
    outputs = prepared.outputs
    if outputs is None:
        with scratch_folder() as folder:
            yield ChunkStore(folder)
        return
    if prepared.options.if_locked != "wait":
        decide(prepared)  # What is refused needs no lock, and leaves no trace.
    with _locked(prepared, outputs):
        store = ChunkStore(store_folder(outputs.recordings))
        yield store
        # In this order: see the chunk store for what a power cut might bring back.
        store.discard()
        discard_names(outputs)


@contextmanager
def _locked(prepared: Prepared, outputs: OutputPaths) -> Iterator[None]:
    # In one order everywhere, so that two runs that wait cannot wait for each other.
    folders = sorted(map(store_folder, outputs.all()))
    with ExitStack() as held:
        try:
            for folder in folders:
                held.enter_context(locks.hold(folder, wait=False))
        except LockedError:
            if prepared.options.if_locked != "wait":
                raise
            held.close()
            decide(prepared)  # What is refused after the wait is refused before it too.
            for folder in folders:
                held.enter_context(locks.hold(folder, wait=True))
        yield


class Decision(Enum):
    """What a run is, seen beside the tables and chunks that lie there."""

    FRESH = "fresh"
    """Nothing is there, or it is to be replaced; finished chunks of an interrupted run count."""
    RESUME = "resume"
    """A run like this one was interrupted while it gave its tables their names: it is completed."""
    UPDATE = "update"
    """The tables are there, and new and changed recordings are asked for."""
    REPEAT = "repeat"
    """The tables are there and no change was asked for: they must be what this run would write."""

    @property
    def uses_previous(self) -> bool:
        """Whether rows of the table that is there count."""
        return self is not Decision.FRESH

    @property
    def keeps_orphans(self) -> bool:
        """Whether rows stay whose recordings are not among the sources."""
        return self is Decision.UPDATE

    @property
    def may_replace(self) -> bool:
        """Whether the tables that are there may be replaced."""
        return self is not Decision.REPEAT


def decide(prepared: Prepared) -> Decision:
    """Decide what a run is; refuse one that would replace tables which nobody asked to replace."""
    options, outputs = prepared.options, prepared.outputs
    if outputs is None or options.overwrite:
        return Decision.FRESH
    existing = outputs.existing()
    if options.update:
        return Decision.UPDATE if outputs.recordings in existing else Decision.FRESH
    if not existing:
        return Decision.FRESH
    named = recorded_names(outputs)
    foreign = [path for path in existing if path not in named]
    if not foreign:
        return Decision.RESUME if outputs.recordings in existing else Decision.FRESH
    # A list on standard input is gone once it is read. And chunks tell of an interrupted run, which
    # was no finished one: they are for the command that goes on with it.
    interrupted = bool(ChunkStore(store_folder(outputs.recordings)).numbers())
    if len(existing) < len(outputs.all()) or interrupted or options.sources.files_from == STDIN:
        raise output_exists(foreign[0])
    return Decision.REPEAT


def load_known_rows(
    prepared: Prepared, decision: Decision, store: ChunkStore | None
) -> tuple[KnownRows, pa.Schema | None]:
    """Load the rows of the previous table and of interrupted runs, as far as they count.

    Also returns the schema of the columns that the previous table has beyond our own. With a store,
    the previous table is copied into it, so that its rows can be read in any order; without, as for
    a dry run, nothing is written.
    """
    options, outputs, schema = prepared.options, prepared.outputs, prepared.schema
    known_rows = KnownRows(prepared.model, options.retry_failed, keep_unreachable=not options.prune)
    if outputs is None:
        return known_rows, None
    previous = _open_previous(prepared, outputs, decision)
    if previous is not None:
        batches, first = previous.batches, 0
        if store is not None:
            store.write_previous(batches, previous.schema)
            batches = iter(store.read_previous().to_batches())
        for batch in batches:
            known_rows.add(PREVIOUS, first, batch, complete=previous.complete)
            first += batch.num_rows
    store = store or ChunkStore(store_folder(outputs.recordings))
    for number in store.numbers():
        table = store.read(number, schema.chunk_schema())
        if table is not None:
            for batch in table.combine_chunks().to_batches():
                known_rows.add(number, 0, batch, interrupted=True)
    # A run that is completed has no columns but its own.
    if previous is None or decision is Decision.RESUME:
        return known_rows, None
    return known_rows, previous.extras


def _open_previous(
    prepared: Prepared, outputs: OutputPaths, decision: Decision
) -> PreviousTable | None:
    """Open the table that is there; None where it does not count."""
    if not decision.uses_previous:
        return None
    try:
        return open_previous(outputs.recordings, outputs.segments, prepared.schema)
    except BatchemoError:
        if decision is Decision.UPDATE:
            raise
        if decision is Decision.REPEAT:
            # A table that cannot be read is not the one that this run would write.
            raise output_exists(outputs.recordings) from None
        return None
