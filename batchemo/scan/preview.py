"""What a scan would do, found out without doing it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batchemo.scan.earlier import adopt
from batchemo.scan.ledger import EARLIER, Ledger
from batchemo.scan.options import ScanOptions
from batchemo.scan.parts import Parts, folder_beside
from batchemo.scan.run import is_gone, prepare, problems_of
from batchemo.scan.workspace import enter_parts, refuse_surprises, targets_of

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = 10


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
class Preview:
    """What a scan would find, by state, and what of the sources could not be looked at."""

    new: State
    changed: State
    unchanged: State
    gone: State
    young: int
    duplicates: int
    problems: tuple[str, ...]

    def states(self) -> Iterator[tuple[str, State]]:
        """Yield the states by name."""
        yield from (
            ("new", self.new),
            ("changed", self.changed),
            ("unchanged", self.unchanged),
            ("gone", self.gone),
        )


def preview(options: ScanOptions) -> Preview:
    """Compare the sources with what earlier runs did; nothing is written, not even a lock."""
    targets = targets_of(options)
    shape, model, sources = prepare(options)
    ledger = Ledger(model, options.retry_failed)
    if targets is not None:
        refuse_surprises(options, targets)
        if options.update and targets.files.exists():
            earlier = adopt(targets.files, targets.segments, shape.labels, shape.extras)
            for batch in earlier.batches:
                ledger.add(EARLIER, 0, batch, complete=earlier.complete)
        enter_parts(ledger, Parts(folder_beside(targets.files)), shape)
    new, changed, unchanged, gone = State(), State(), State(), State()
    for recording in sources:
        known, place = ledger.find(recording)
        state = unchanged if place is not None else changed if known else new
        state.add(recording.file, recording.size)
    for _, root, file in ledger.unasked():
        if is_gone(root, file):
            gone.add(file, None)
    tally = sources.tally
    return Preview(new, changed, unchanged, gone, tally.young, tally.duplicates, problems_of(tally))
