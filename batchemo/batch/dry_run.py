"""What a scan would do, found out without doing it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from batchemo.batch.chunk_store import PREVIOUS, ChunkStore, store_folder
from batchemo.batch.known_rows import KnownRows
from batchemo.batch.options import ScanOptions
from batchemo.batch.outputs import named_by_killed_run, output_paths, refuse_unasked
from batchemo.batch.plan import is_gone
from batchemo.batch.previous import open_previous
from batchemo.batch.setup import Prepared, enter_parts, new_known_rows, prepare, problems_of
from batchemo.errors import BatchemoError

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = 10
STDIN = "-"


@dataclass(slots=True)
class State:
    """How many recordings are in a state, the first few of them by name."""

    files: int = 0
    bytes: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, name: str, size: int | None) -> None:
        """Count a recording."""
        self.files += 1
        self.bytes += size or 0
        if len(self.examples) < EXAMPLES:
            self.examples.append(name)


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a scan would find, by state, and what of the sources could not be looked at."""

    new: State
    changed: State
    unchanged: State
    gone: State
    elsewhere: State
    """Rows of recordings that are there and not among the sources."""
    young: int
    duplicates: int
    hidden: int
    links: int
    problems: tuple[str, ...]
    limited: bool
    """The scan would stop at its limit, before the end of the sources."""

    def states(self) -> Iterator[tuple[str, State]]:
        """Yield the states by name."""
        yield from (
            ("new", self.new),
            ("changed", self.changed),
            ("unchanged", self.unchanged),
            ("gone", self.gone),
            ("elsewhere", self.elsewhere),
        )


def dry_run(options: ScanOptions) -> DryRun:
    """Compare the sources with what earlier runs did; nothing is written, not even a lock."""
    ready = prepare(options)
    known_rows = _ledger_of(ready)
    new, changed, unchanged, gone, elsewhere = (State() for _ in range(5))
    limited = False
    for recording in ready.recordings():
        known, place = known_rows.find(recording)
        state = unchanged if place is not None else changed if known else new
        if state is not unchanged and new.files + changed.files == options.limit:
            limited = True
            break
        known_rows.ask(recording)
        state.add(recording.file, recording.size)
    for _, root, file in known_rows.unasked():
        (gone if is_gone(root, file) else elsewhere).add(file, None)
    skipped = ready.sources.skipped
    return DryRun(
        new,
        changed,
        unchanged,
        gone,
        elsewhere,
        young=skipped.young,
        duplicates=skipped.duplicates,
        hidden=skipped.hidden,
        links=skipped.links,
        problems=problems_of(skipped),
        limited=limited,
    )


def _ledger_of(ready: Prepared) -> KnownRows:
    known_rows = new_known_rows(ready.options, ready.model)
    targets, shape = ready.targets, ready.shape
    if targets is not None:
        refuse_unasked(ready.options, targets)
        if ready.options.update and targets.files.exists():
            earlier = open_previous(targets.files, targets.segments, shape)
            for batch in earlier.batches:
                known_rows.add(PREVIOUS, 0, batch, complete=earlier.complete)
        enter_parts(known_rows, ChunkStore(store_folder(targets.files)), shape)
    return known_rows


def repeats_a_finished_run(options: ScanOptions) -> bool:
    """Tell whether all outputs are there, and hold just the rows that this scan would write."""
    targets = output_paths(options)
    asked = options.update or options.overwrite
    if targets is None or asked or options.sources.files_from == STDIN:
        return False
    if not all(path.exists() for path in targets.all()):
        return False
    if ChunkStore(store_folder(targets.files)).numbers() and not named_by_killed_run(targets):
        # An interrupted run is not finished: its parts are for the command that goes on with it.
        return False
    try:
        found = dry_run(replace(options, update=True))
    except BatchemoError:
        return False
    others = (found.new, found.changed, found.gone, found.elsewhere)
    return not any(state.files for state in others)
