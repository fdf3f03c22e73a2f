"""A whole scan, from its options to its report: plan, workers, parts, tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import IO, TYPE_CHECKING

from batchemo.batch.chunk_store import ChunkStore, reader_of
from batchemo.batch.dry_run import repeats_a_finished_run
from batchemo.batch.events import (
    EventHandler,
    Progress,
    Report,
    Started,
    ignore_event,
)
from batchemo.batch.options import ScanOptions
from batchemo.batch.outputs import output_exists
from batchemo.batch.plan import OrphanRows, Plan, keep_orphans
from batchemo.batch.previous import with_earlier_columns
from batchemo.batch.setup import (
    Prepared,
    load_known_rows,
    locked_parts,
    prepare,
    problems_of,
    waited_for_another,
)
from batchemo.batch.writer import OrderedCsv, ordered_rows, write_tables
from batchemo.common.locks import scratch_folder
from batchemo.common.text import for_display
from batchemo.errors import BatchemoError, describe
from batchemo.inference.postprocess import PostProcessor, Rows
from batchemo.inference.settings import PredictTask
from batchemo.inference.task import lost_result, work
from batchemo.tables.rows import RecordingResult, to_batch
from batchemo.tables.summary import Summary, check_group_by
from batchemo.workers.dispatcher import Dispatcher, FinishedChunk
from batchemo.workers.executor import Chunk, ProcessExecutor, available_cpus

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Result:
    """The report, and the table itself where it was not written anywhere."""

    report: Report
    table: pa.Table | None = None
    would_change: Path | None = None
    """A table that is there and would be another, where none may change."""


def run_scan(
    options: ScanOptions, listener: EventHandler = ignore_event, stream: IO[bytes] | None = None
) -> Result:
    """Scan, tell the listener how it goes, and give the report.

    With `options.output` None the finished table comes with the report; with "-" the rows go to
    `stream` as CSV while they are found.
    """
    # The same command once more is no mistake, as long as every table stays what it is; nor is it
    # where another run did all meanwhile.
    repeated = repeats_a_finished_run(options)
    if not repeated and waited_for_another(options):
        repeated = repeats_a_finished_run(options)
    ready = prepare(replace(options, update=True) if repeated else options)
    try:
        with locked_parts(ready.options, ready.targets) as parts:
            result = _scan(ready, parts, listener, stream, may_change=not repeated)
    except (OSError, MemoryError) as error:
        if ready.targets is None:
            raise
        raise BatchemoError(
            f"{for_display(describe(error))}. What was finished is kept: the same command goes on "
            "from there"
        ) from error
    if result.would_change is not None:
        raise output_exists(result.would_change)
    listener(result.report)
    return result


def _scan(
    ready: Prepared,
    parts: ChunkStore,
    listener: EventHandler,
    stream: IO[bytes] | None,
    *,
    may_change: bool,
) -> Result:
    options, shape = ready.options, ready.shape
    progress, summary = Progress(), Summary(options.group_by)
    known_rows, columns = load_known_rows(options, ready.targets, parts, shape, ready.model)
    known = with_earlier_columns(shape, columns, ())
    known.check(options.group_by, ready.targets.files if ready.targets else None)
    check_group_by(options.group_by, known.files().names)
    options.postprocess.check_speaker(field.name for field in known.extras)
    plan = Plan(known_rows, parts.next_number(), options.limit)
    csv = OrderedCsv(stream, shape, plan, parts, summary) if stream is not None else None
    for number in _analyse(ready, plan, parts, progress, listener, known=len(known_rows)):
        if csv is not None:
            csv.part_done(number)

    left = keep_orphans(plan, prune=options.prune) if options.update else OrphanRows()
    shape = with_earlier_columns(shape, columns, plan.runs)
    postprocessor = PostProcessor(shape) if csv is None else csv.postprocessor
    rows = partial(ordered_rows, plan.runs, reader_of(parts, shape.part()), shape)
    table = would_change = None
    if ready.targets is not None:
        fresh = not (options.update or options.overwrite)
        would_change = write_tables(
            rows, postprocessor, ready.targets, summary, fresh=fresh, may_change=may_change
        )
    elif csv is not None:
        csv.close()
    else:
        table = _collect(rows, postprocessor, summary)
    report = _report(ready, plan, progress, summary, left, postprocessor.warnings())
    return Result(report, table, would_change)


def _analyse(
    ready: Prepared,
    plan: Plan,
    parts: ChunkStore,
    progress: Progress,
    listener: EventHandler,
    *,
    known: int,
) -> Iterator[int]:
    """Have the workers do what is to be done; yield each part's number when it is written."""
    options, shape = ready.options, ready.shape
    chunks = plan.chunks(ready.recordings())
    # No more workers than there are chunks for them.
    first = list(islice(chunks, options.jobs or available_cpus()))
    workers = max(1, len(first))
    listener(Started(ready.model, workers, options.output, known))
    for finished in _work(options, chain(first, chunks), workers):
        rows = to_batch(
            finished.rows,
            labels=shape.labels,
            model=ready.model,
            segments=shape.segments,
            models=shape.models,
        )
        parts.write(finished.chunk.number, rows)
        yield finished.chunk.number
        progress.tell(finished, plan, listener)


def _work(
    options: ScanOptions, chunks: Iterator[Chunk], workers: int
) -> Iterator[FinishedChunk[RecordingResult]]:
    with scratch_folder() as heartbeats:
        dispatcher = Dispatcher(
            partial(ProcessExecutor, str(heartbeats)),
            partial(work, PredictTask(options.settings, options.timeout)),
            lost_result,
            workers=workers,
            timeout=options.timeout,
            heartbeats=str(heartbeats),
        )
        yield from dispatcher.run(chunks)


def _collect(rows: Rows, postprocessor: PostProcessor, summary: Summary) -> pa.Table:
    import pyarrow as pa

    tables = []
    for table in postprocessor.tables(rows):
        summary.add(table)
        tables.append(table)
    return pa.concat_tables([postprocessor.shape.files().empty_table(), *tables])


def _report(
    ready: Prepared,
    plan: Plan,
    progress: Progress,
    summary: Summary,
    left: OrphanRows,
    warnings: Sequence[str],
) -> Report:
    skipped = ready.sources.skipped
    return Report(
        output=ready.options.output,
        model=ready.model,
        summary=summary,
        analysed=progress.done,
        kept=plan.counts.kept,
        left_over=left.kept,
        pruned=left.pruned,
        young=skipped.young,
        duplicates=skipped.duplicates,
        hidden=skipped.hidden,
        links=skipped.links,
        problems=problems_of(skipped),
        sound=progress.sound,
        elapsed=progress.elapsed,
        stages=progress.stages,
        limited=not plan.counts.whole,
        unreachable=plan.counts.unreachable,
        empty_roots=tuple(sorted(left.empty_roots)),
        warnings=tuple(warnings),
    )
