"""The steps of a scan before its work, in this order.

prepare           check the outputs, the models and the sources, once
hold_outputs      lock the outputs, so that no other run writes them meanwhile
decide            is this a fresh run, does it resume, update, or repeat a finished one?
load_known_rows   the rows of earlier runs, as far as they count by that decision
"""

from __future__ import annotations

from collections import Counter
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
    NamingRecord,
    OutputPaths,
    check_outputs,
    discard_record,
    output_exists,
    read_record,
    recorded_names,
)
from batchemo.batch.previous import PreviousTable, copied_table, open_previous
from batchemo.batch.row_groups import whole_groups
from batchemo.common import locks
from batchemo.common.locks import scratch_folder
from batchemo.common.text import for_display
from batchemo.errors import BatchemoError, LockedError, UsageError
from batchemo.inference.model_set import load_model_set
from batchemo.inference.output_schema import OutputSchema, turn_columns
from batchemo.inference.turn_finding import check_finding
from batchemo.sources import Recording, Skipped, Sources, open_sources
from batchemo.sources.filters import extension_option
from batchemo.sources.recording import MAX_NAMED, by_frequency

if TYPE_CHECKING:
    import pyarrow as pa

    from batchemo.batch.mirror import Mirror

STDIN = "-"
PARENT_BYTES = 128 * 2**20
"""The address space that Arrow and the threads of a pool of processes take, as measured."""
_SHOWN_EXTENSIONS = 5


@dataclass(frozen=True, slots=True)
class Prepared:
    """A scan whose options, models and sources have been checked and opened."""

    options: ScanOptions
    outputs: OutputPaths | None
    schema: OutputSchema
    model: str
    sources: Sources
    digests: tuple[str, ...] = ()
    """Of the bundles of all models."""
    weight_bytes: int = 0
    """Of the graphs of all models."""

    @property
    def output(self) -> Path | None:
        """The recordings table, if it is a file."""
        return self.outputs.recordings if self.outputs else None

    def recordings(self) -> Iterator[Recording]:
        """Yield the recordings, without the run's own files where they lie among them."""
        if self.outputs is None:
            return iter(self.sources)
        return self.outputs.without_own_files(self.sources)


def prepare(options: ScanOptions, mirror: Mirror | None = None) -> Prepared:
    """Check the outputs, of which a mirror has those in buckets, the models and the sources."""
    outputs = check_outputs(options, mirror)
    model_set = load_model_set(options.settings)
    options = replace(options, settings=model_set.settings)
    schema = model_set.output_schema(
        options.postprocess,
        options.sources,
        segments=options.segments is not None,
        tries=options.max_tries is not None,
        embeddings=options.embeddings is not None,
    )
    found = turn_columns(options.settings[0], is_given=False)
    sources = open_sources(options.sources, schema.reserved.union(found))
    turns = turn_columns(options.settings[0], is_given=sources.gives_turns)
    check_finding(options.settings[0], is_given=sources.gives_turns)
    schema = replace(schema, manifest=sources.extras, turns=turns)
    digests = tuple(bundle.digest for bundle in model_set.bundles)
    prepared = Prepared(
        *(options, outputs, schema, model_set.model, sources, digests, model_set.weight_bytes)
    )
    schema.check(options.group_by, prepared.output, options.partition_by)
    return prepared


def problems_of(skipped: Skipped) -> tuple[str, ...]:
    """Return a message for each source that could not be read; one for many of a kind."""
    return (
        *_merge_messages("folders could not be read", len(skipped.unreadable), skipped.unreadable),
        *_merge_messages(
            "entries of lists and manifests name no recording",
            skipped.rejected,
            skipped.first_rejected,
        ),
    )


def refusal(prepared: Prepared, path: Path) -> BatchemoError:
    """Make the error of a repeated run that does not find a table as it would write it."""
    skipped = prepared.sources.skipped
    if not skipped.unreadable:
        return output_exists(path)
    return BatchemoError(
        f"{'; '.join(problems_of(skipped))}. So {for_display(str(path))} cannot be compared with"
        " what is there now, and was left as it is"
    )


def _merge_messages(title: str, count: int, first: list[tuple[str, str]]) -> list[str]:
    """Return a message for each problem; one for all if there are too many."""
    messages = [f"{name}: {reason}" for name, reason in first[:MAX_NAMED]]
    if count <= MAX_NAMED:
        return messages
    return [f"{count:,} {title}: {'; '.join(messages[:3])}; …"]


def empty_messages(skipped: Skipped) -> tuple[str, ...]:
    """Return a message for each source without recordings.

    >>> from collections import Counter
    >>> skipped = Skipped(empty=[("/mnt/share", Counter()), ("/rec", Counter({".mp3": 2}))])
    >>> for message in empty_messages(skipped):
    ...     print(message)
    /mnt/share: no recordings were found (no files at all: is it mounted?)
    /rec: no recordings were found, but 2 .mp3 (--ext audio includes them)
    """
    return tuple(f"{title}: no recordings were found{_others(n)}" for title, n in skipped.empty)


def _others(extensions: Counter[str]) -> str:
    if not extensions:
        return " (no files at all: is it mounted?)"
    common = by_frequency(extensions)[:_SHOWN_EXTENSIONS]
    shown = ", ".join(f"{number:,} {for_display(extension)}" for extension, number in common)
    more = ", …" if len(extensions) > len(common) else ""
    option = extension_option(extensions)
    hint = f" ({option} includes them)" if option else ""
    return f", but {shown}{more}{hint}"


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
        decide(prepared)  # A run that is refused creates no lock, not even for a moment.
    with _locked(prepared, outputs):
        store = ChunkStore(store_folder(outputs.recordings), outputs.mirror)
        yield store
        # In this order: if a power cut brings chunks back, the record of names must be there too,
        # or the tables would pass for somebody else's.
        store.discard()
        discard_record(outputs)


@contextmanager
def _locked(prepared: Prepared, outputs: OutputPaths) -> Iterator[None]:
    # Always in the same order, so that two waiting runs cannot wait for each other.
    folders = sorted(map(store_folder, outputs.all()))
    with ExitStack() as held:
        try:
            for folder in folders:
                held.enter_context(locks.hold(folder, wait=False))
        except LockedError:
            if prepared.options.if_locked != "wait":
                raise
            # Waiting with some of the locks in hand would keep other runs from those outputs.
            held.close()
            decide(prepared)  # What would be refused after the wait is refused before it.
            for folder in folders:
                held.enter_context(locks.hold(folder, wait=True))
        yield


class Decision(Enum):
    """What a run does, given the tables and chunks that are already there."""

    FRESH = "fresh"
    """There are no tables, or they are to be replaced; chunks of an interrupted run are used."""
    RESUME = "resume"
    """An interrupted run of this command has named some tables already: it is completed."""
    UPDATE = "update"
    """There is a table, and --update adds new and changed recordings to it."""
    REPEAT = "repeat"
    """There are tables, and no option allows to change them: this run must end in the same bytes.

    So the same command again is no error; it is an error where it would change a table.
    """
    RETRY = "retry"
    """A repeated run has found its tables as they should be, but for recordings that failed for
    transient reasons, or folders that could not be read: these are tried again, and the tables
    replaced."""

    @property
    def uses_previous(self) -> bool:
        """Whether rows of the existing recordings table are used."""
        return self is not Decision.FRESH

    @property
    def keeps_orphans(self) -> bool:
        """Whether rows stay whose recordings are not among the sources."""
        return self in (Decision.UPDATE, Decision.RETRY)

    @property
    def may_replace(self) -> bool:
        """Whether existing tables may be replaced."""
        return self is not Decision.REPEAT


def decide(prepared: Prepared) -> Decision:
    """Decide what a run does; raise `UsageError` where it would replace tables without being asked.

    Reads only names, so that it can be called before the lock is held, and again when it is.
    """
    options, outputs = prepared.options, prepared.outputs
    if outputs is None or options.overwrite:
        return Decision.FRESH
    existing = outputs.existing()
    if options.update and outputs.recordings in existing:
        return Decision.UPDATE
    if options.update:
        _refuse_tables_alone(outputs, existing)
        return Decision.FRESH
    if not existing:
        return Decision.FRESH
    named = recorded_names(outputs)
    foreign = [path for path in existing if path not in named]
    if not foreign:
        return Decision.RESUME if outputs.recordings in existing else Decision.FRESH
    # A repetition needs a finished run and sources that can be read again. Standard input cannot.
    # Chunks come from a run that was interrupted, such as an --update: that command goes on with
    # them, this one must not use them up. Unless it was the retry of this command itself.
    chunks = ChunkStore(store_folder(outputs.recordings)).numbers()
    interrupted = bool(chunks) and read_record(outputs) != NamingRecord()
    if len(existing) < len(outputs.all()) or interrupted or options.sources.files_from == STDIN:
        raise output_exists(foreign[0])
    return Decision.REPEAT


def _refuse_tables_alone(outputs: OutputPaths, existing: list[Path]) -> None:
    """Refuse to update other tables without a recordings table, unless we were naming them."""
    for path in existing:
        if path not in recorded_names(outputs):
            raise UsageError(
                f"{for_display(str(path))} exists, and {for_display(str(outputs.recordings))}, "
                "which --update works on, does not: put that back, or move the other away; "
                "--overwrite replaces it"
            )


def load_known_rows(
    prepared: Prepared, decision: Decision, store: ChunkStore | None
) -> tuple[KnownRows, pa.Schema | None]:
    """Return the rows of the previous table and of interrupted runs, as far as they count.

    The second value is the schema of the columns that the previous table has beyond our own. With
    a store, the previous table is copied into it, so that its rows can be read in any order;
    without, as for a dry run, nothing is written.
    """
    options, outputs, schema = prepared.options, prepared.outputs, prepared.schema
    known_rows = KnownRows(
        prepared.model,
        options.retry_failed,
        options.retry_reasons,
        options.max_tries,
        keep_unreachable=not options.prune,
        keep_missing=not decision.may_replace,
        turns=schema.turns,
    )
    if outputs is None:
        return known_rows, None
    chunks = store or ChunkStore(store_folder(outputs.recordings))
    previous = _find_copy(prepared, outputs, decision, chunks)
    if previous is None:
        previous = _open_previous(prepared, outputs, decision)
        if previous is not None and store is not None:
            store.write_previous(previous.batches, previous.schema)
            previous = replace(previous, batches=iter(store.read_previous().to_batches()))
    if previous is None and store is not None:
        store.discard_previous()  # Of a run that another decision was made for.
    if previous is not None:
        first = 0
        batches = whole_groups(previous.batches) if schema.turns else previous.batches
        for batch in batches:
            first += known_rows.add(PREVIOUS, first, batch, retry_transient=decision.may_replace)
        if schema.turns:
            known_rows.check_together()
        if previous.head is not None:
            known_rows.predicted_again = previous.head.predicted
    # A repeated run must end in the same rows: chunks, if there are any, are those of its retry.
    for number in chunks.numbers() if decision.may_replace else ():
        table = chunks.read(number, schema.chunk_schema())
        if table is not None:
            for batch in table.combine_chunks().to_batches():
                known_rows.add(number, 0, batch, retry_transient=True)
    # The table of a run that is resumed has only the columns that this run gives it anyway.
    if previous is None or decision is Decision.RESUME:
        return known_rows, None
    return known_rows, previous.extras


def _find_copy(
    prepared: Prepared, outputs: OutputPaths, decision: Decision, store: ChunkStore
) -> PreviousTable | None:
    """Return the copy of the table that an interrupted run began with, if it was naming others.

    Then some tables may be new and some not, which do not belong together.
    """
    record = read_record(outputs)
    if record is None or not record.tables:
        return None
    if decision is not (Decision.UPDATE if record.update else Decision.RESUME):
        return None
    copy = store.find_previous()
    return None if copy is None else copied_table(copy, prepared.schema)


def _open_previous(
    prepared: Prepared, outputs: OutputPaths, decision: Decision
) -> PreviousTable | None:
    """Open the existing recordings table; None where its rows are not used."""
    if not decision.uses_previous:
        return None
    try:
        return open_previous(
            outputs.recordings, outputs.segments, prepared.schema, outputs.embeddings
        )
    except BatchemoError:
        if decision is Decision.UPDATE:
            raise
        if decision is Decision.REPEAT:
            # A table that cannot be read is not the one that this run would write.
            raise output_exists(outputs.recordings) from None
        # The interrupted run's own table is damaged: what is in no chunk is analysed again.
        return None
