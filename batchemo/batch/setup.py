"""All of a scan that is prepared before its work: checks, locks, what earlier runs left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from batchemo.batch.chunk_store import PREVIOUS, ChunkStore, store_folder
from batchemo.batch.known_rows import KnownRows
from batchemo.batch.options import ScanOptions
from batchemo.batch.outputs import (
    OutputPaths,
    discard_naming,
    output_paths,
    refuse_unasked,
)
from batchemo.batch.previous import open_previous
from batchemo.common import locks
from batchemo.common.locks import scratch_folder
from batchemo.errors import LockedError
from batchemo.inference.model_set import load_model_set
from batchemo.inference.output_schema import OutputSchema
from batchemo.sources import Recording, Skipped, Sources, open_sources
from batchemo.tables.columns import reserved_columns

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Prepared:
    """A scan of which all has been checked that can be before any work."""

    options: ScanOptions
    targets: OutputPaths | None
    shape: OutputSchema
    model: str
    sources: Sources

    def recordings(self) -> Iterator[Recording]:
        """Yield the recordings, without the run's own files where they lie among them."""
        return iter(self.sources) if self.targets is None else self.targets.spared(self.sources)


def prepare(options: ScanOptions) -> Prepared:
    """Check the outputs, the models and the sources."""
    targets = output_paths(options)
    model_set = load_model_set(options.settings)
    options = replace(options, settings=model_set.settings)
    asked, segments = options.postprocess, options.segments is not None
    sources = open_sources(
        options.sources, reserved_columns(model_set.labels, model_set.names, asked.optional)
    )
    shape = model_set.shape(asked, options.sources, sources.extras, segments=segments)
    shape.check(options.group_by, targets.files if targets else None)
    return Prepared(options, targets, shape, model_set.model, sources)


def problems_of(skipped: Skipped) -> tuple[str, ...]:
    """Say what of the sources could not be looked at."""
    return tuple(f"{name}: {why}" for name, why in skipped.unreadable + skipped.rejected)


def waited_for_another(options: ScanOptions) -> bool:
    """Wait until no other run holds the outputs, if that is wanted; tell whether one did."""
    targets = output_paths(options)
    if targets is None or options.if_locked != "wait":
        return False
    # What is refused after the wait is refused before it too.
    refuse_unasked(options, targets)
    try:
        with _locked(targets, wait=False):
            return False
    except LockedError:
        with _locked(targets, wait=True):
            return True


@contextmanager
def _locked(targets: OutputPaths, *, wait: bool) -> Iterator[None]:
    with ExitStack() as held:
        # In one order everywhere, so that two runs that wait cannot wait for each other.
        for folder in sorted(map(store_folder, targets.all())):
            held.enter_context(locks.hold(folder, wait=wait))
        yield


@contextmanager
def locked_parts(options: ScanOptions, targets: OutputPaths | None) -> Iterator[ChunkStore]:
    """Hold all outputs, and give the parts of the first; passing ones where none is a file.

    The parts are discarded when the block ends well, and kept for the next run when it does not.
    """
    if targets is None:
        with scratch_folder() as folder:
            yield ChunkStore(folder)
        return
    refuse_unasked(options, targets)
    with _locked(targets, wait=options.if_locked == "wait"):
        refuse_unasked(options, targets)
        parts = ChunkStore(store_folder(targets.files))
        yield parts
        parts.discard()
        discard_naming(targets)


def load_known_rows(
    options: ScanOptions,
    targets: OutputPaths | None,
    parts: ChunkStore,
    shape: OutputSchema,
    model: str,
) -> tuple[KnownRows, pa.Schema | None]:
    """Enter what the earlier table and the parts of interrupted runs hold.

    With it comes the schema of the columns that the earlier table has beyond our own.
    """
    known_rows = new_known_rows(options, model)
    extras = None
    if targets is None:
        return known_rows, extras
    if options.update and targets.files.exists():
        earlier = open_previous(targets.files, targets.segments, shape)
        extras = earlier.extras
        parts.write_earlier(earlier.batches, earlier.schema)
        first = 0
        for batch in parts.read_earlier().to_batches():
            known_rows.add(PREVIOUS, first, batch, complete=earlier.complete)
            first += batch.num_rows
    enter_parts(known_rows, parts, shape)
    return known_rows, extras


def new_known_rows(options: ScanOptions, model: str) -> KnownRows:
    """Make an empty ledger by the rules of this run."""
    return KnownRows(model, options.retry_failed, keep_unreachable=not options.prune)


def enter_parts(known_rows: KnownRows, parts: ChunkStore, shape: OutputSchema) -> None:
    """Enter what interrupted runs had finished."""
    for number in parts.numbers():
        table = parts.read(number, shape.part())
        if table is not None:
            for batch in table.combine_chunks().to_batches():
                known_rows.add(number, 0, batch, interrupted=True)
