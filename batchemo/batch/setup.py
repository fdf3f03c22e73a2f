"""All of a scan that is prepared before its work: checks, locks, what earlier runs left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from batchemo.batch.chunk_store import Parts, folder_beside
from batchemo.batch.known_rows import EARLIER, Ledger
from batchemo.batch.options import ScanOptions
from batchemo.batch.outputs import (
    Targets,
    forget_naming,
    refuse_surprises,
    targets_of,
)
from batchemo.batch.previous import adopt
from batchemo.batch.writer import Reader
from batchemo.common import locks
from batchemo.common.locks import scratch_folder
from batchemo.errors import LockedError
from batchemo.inference.model_set import load_panel
from batchemo.inference.output_schema import Shape
from batchemo.sources import Recording, Sources, Tally, open_sources
from batchemo.tables.columns import reserved_columns

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Prepared:
    """A scan of which all has been checked that can be before any work."""

    options: ScanOptions
    targets: Targets | None
    shape: Shape
    model: str
    sources: Sources

    def recordings(self) -> Iterator[Recording]:
        """Yield the recordings, without the run's own files where they lie among them."""
        return iter(self.sources) if self.targets is None else self.targets.spared(self.sources)


def prepare(options: ScanOptions) -> Prepared:
    """Check the outputs, the models and the sources."""
    targets = targets_of(options)
    panel = load_panel(options.settings)
    options = replace(options, settings=panel.settings)
    asked, segments = options.interpretation, options.segments is not None
    sources = open_sources(options.sources, reserved_columns(panel.labels, panel.names, asked.also))
    shape = panel.shape(asked, options.sources, sources.extras, segments=segments)
    shape.check(options.group_by, targets.files if targets else None)
    return Prepared(options, targets, shape, panel.model, sources)


def problems_of(tally: Tally) -> tuple[str, ...]:
    """Say what of the sources could not be looked at."""
    return tuple(f"{name}: {why}" for name, why in tally.unreadable + tally.rejected)


PARTS_AT_HAND = 8


def waited_for_another(options: ScanOptions) -> bool:
    """Wait until no other run holds the outputs, if that is wanted; tell whether one did."""
    targets = targets_of(options)
    if targets is None or options.if_locked != "wait":
        return False
    # What is refused after the wait is refused before it too.
    refuse_surprises(options, targets)
    try:
        with _locked(targets, wait=False):
            return False
    except LockedError:
        with _locked(targets, wait=True):
            return True


@contextmanager
def _locked(targets: Targets, *, wait: bool) -> Iterator[None]:
    with ExitStack() as held:
        # In one order everywhere, so that two runs that wait cannot wait for each other.
        for folder in sorted(map(folder_beside, targets.all())):
            held.enter_context(locks.hold(folder, wait=wait))
        yield


@contextmanager
def locked_parts(options: ScanOptions, targets: Targets | None) -> Iterator[Parts]:
    """Hold all outputs, and give the parts of the first; passing ones where none is a file.

    The parts are discarded when the block ends well, and kept for the next run when it does not.
    """
    if targets is None:
        with scratch_folder() as folder:
            yield Parts(folder)
        return
    refuse_surprises(options, targets)
    with _locked(targets, wait=options.if_locked == "wait"):
        refuse_surprises(options, targets)
        parts = Parts(folder_beside(targets.files))
        yield parts
        parts.discard()
        forget_naming(targets)


def load_ledger(
    options: ScanOptions, targets: Targets | None, parts: Parts, shape: Shape, model: str
) -> tuple[Ledger, pa.Schema | None]:
    """Enter what the earlier table and the parts of interrupted runs hold.

    With it comes the schema of the columns that the earlier table has beyond our own.
    """
    ledger = new_ledger(options, model)
    extras = None
    if targets is None:
        return ledger, extras
    if options.update and targets.files.exists():
        earlier = adopt(targets.files, targets.segments, shape)
        extras = earlier.extras
        parts.write_earlier(earlier.batches, earlier.schema)
        first = 0
        for batch in parts.read_earlier().to_batches():
            ledger.add(EARLIER, first, batch, complete=earlier.complete)
            first += batch.num_rows
    enter_parts(ledger, parts, shape)
    return ledger, extras


def new_ledger(options: ScanOptions, model: str) -> Ledger:
    """Make an empty ledger by the rules of this run."""
    return Ledger(model, options.retry_failed, keep_unreachable=not options.prune)


def enter_parts(ledger: Ledger, parts: Parts, shape: Shape) -> None:
    """Enter what interrupted runs had finished."""
    for number in parts.numbers():
        table = parts.read(number, shape.part())
        if table is not None:
            for batch in table.combine_chunks().to_batches():
                ledger.add(number, 0, batch, interrupted=True)


def reader_of(parts: Parts, schema: pa.Schema) -> Reader:
    """Give a reader of sources that keeps the last few at hand."""

    @lru_cache(maxsize=PARTS_AT_HAND)
    def read(source: int) -> pa.Table:
        if source == EARLIER:
            return parts.read_earlier()
        table = parts.read(source, schema)
        if table is None:
            raise OSError(f"part {source} in {parts.folder} was damaged while the scan ran")
        return table

    return read
