"""What a scan would do, by the same decision as a scan; nothing is written, not even a lock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from batchemo.batch.mirror import local_plan, open_mirror
from batchemo.batch.options import ScanOptions
from batchemo.batch.plan import is_gone
from batchemo.batch.setup import (
    Decision,
    Prepared,
    decide,
    empty_messages,
    load_known_rows,
    prepare,
    problems_of,
    refusal,
)

EXAMPLES = 10


@dataclass(slots=True)
class State:
    """How many recordings are in a state, and the names of the first few."""

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
    """The recordings that a scan would find, by state, and the sources that cannot be read."""

    new: State
    changed: State
    unchanged: State
    gone: State
    elsewhere: State
    """Rows of recordings that exist and are not among the sources."""
    young: int
    duplicates: int
    hidden: int
    links: int
    other_recordings: dict[str, int]
    problems: tuple[str, ...]
    empty: tuple[str, ...]
    """A message for each source without recordings, unless that is allowed."""
    limited: bool
    """The scan would stop at its limit, before all recordings are found."""

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
    """Compare the sources with what earlier runs did, by the same decision as a scan."""
    with local_plan(options) as local, open_mirror(local, lock=False) as mirror:
        prepared = prepare(local, mirror)
        decision = decide(prepared)
        found = _compare(prepared, decision)
        if decision.may_replace:
            return found
        if any(state.files for name, state in found.states() if name != "unchanged"):
            assert prepared.output is not None
            raise refusal(prepared, prepared.output)
        return _compare(prepare(local, mirror), Decision.RETRY)


def _compare(prepared: Prepared, decision: Decision) -> DryRun:
    options = prepared.options
    known_rows, _ = load_known_rows(prepared, decision, None)
    new, changed, unchanged, gone, elsewhere = (State() for _ in range(5))
    limited = False
    for recording in prepared.recordings():
        known, position = known_rows.find(recording)
        state = unchanged if position is not None else changed if known else new
        if state is not unchanged and new.files + changed.files == options.limit:
            limited = True
            break
        known_rows.mark_requested(recording)
        state.add(recording.file, recording.size)
    for _, root, file in known_rows.orphans():
        (gone if is_gone(root, file) else elsewhere).add(file, None)
    skipped = prepared.sources.skipped
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
        other_recordings=skipped.other_recordings(),
        problems=problems_of(skipped),
        empty=() if options.allow_empty else empty_messages(skipped),
        limited=limited,
    )
