"""A whole scan, from its options to its report: plan, workers, parts, tables."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import IO, TYPE_CHECKING

from batchemo.bundles import load_bundle
from batchemo.scan.account import account_of, check_windows, model_id
from batchemo.scan.dispatch import Dispatcher, Finished
from batchemo.scan.events import Advanced, Listener, RecordingFailed, Report, Started, ignore
from batchemo.scan.finish import Shape, ordered_rows, write_tables
from batchemo.scan.options import ScanOptions, Task
from batchemo.scan.plan import Chunk, Plan
from batchemo.scan.pool import LocalProcesses, Stages, available_cpus
from batchemo.scan.stream import OrderedCsv
from batchemo.scan.task import given_up, work
from batchemo.scan.workspace import load_ledger, locked_parts, reader_of, targets_of
from batchemo.sources import Sources, Tally, names, open_sources
from batchemo.tables.rows import Row, to_batch
from batchemo.tables.schema import reserved_columns
from batchemo.tables.summary import Summary, check_group_by
from batchemo.tables.write import regroup

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Result:
    """The report, and the table itself where it was not written anywhere."""

    report: Report
    table: pa.Table | None = None


@dataclass(slots=True)
class Progress:
    """What the workers have done so far."""

    done: int = 0
    failed: int = 0
    sound: float = 0.0
    bytes: int = 0
    stages: Stages = field(default_factory=dict)

    def note(self, finished: Finished[Row]) -> None:
        """Add a chunk."""
        self.done += len(finished.rows)
        self.failed += sum(row.reason is not None for row in finished.rows)
        self.sound += sum(row.duration or 0.0 for row in finished.rows)
        self.bytes += finished.chunk.bytes
        for stage, seconds in finished.stages.items():
            self.stages[stage] = self.stages.get(stage, 0.0) + seconds


def run_scan(
    options: ScanOptions, listener: Listener = ignore, stream: IO[bytes] | None = None
) -> Result:
    """Scan, tell the listener how it goes, and give the report.

    With `options.output` None the finished table comes with the report; with "-" the rows go to
    `stream` as CSV while they are found.
    """
    began = time.monotonic()
    targets = targets_of(options)
    shape, model, sources = prepare(options)
    with locked_parts(options, targets) as parts:
        ledger = load_ledger(options, targets, parts, shape, model)
        numbers = parts.numbers()
        plan = Plan(ledger, numbers[-1] + 1 if numbers else 0, options.limit)
        workers = options.jobs or available_cpus()
        listener(Started(model, workers, options.output, len(ledger)))
        summary, progress = Summary(options.group_by), Progress()
        csv = OrderedCsv(stream, shape, plan, parts, summary) if stream is not None else None
        for finished in _work(options, plan.chunks(sources), workers):
            batch = to_batch(
                finished.rows, labels=shape.labels, model=model, segments=shape.segments
            )
            parts.write(finished.chunk.number, batch)
            progress.note(finished)
            if csv is not None:
                csv.part_done(finished.chunk.number)
            _tell(finished, plan, progress, listener)
        pruned, left_over = _keep_unasked(plan, options)
        table = None
        rows = ordered_rows(plan.runs, reader_of(parts, shape.part()), shape.manifest)
        if targets is not None:
            write_tables(rows, shape, targets, summary)
        elif csv is not None:
            csv.close()
        else:
            table = _collect(rows, shape, summary)
    report = Report(
        output=options.output,
        model=model,
        summary=summary,
        analysed=progress.done,
        kept=plan.tally.kept,
        left_over=left_over,
        pruned=pruned,
        young=sources.tally.young,
        duplicates=sources.tally.duplicates,
        problems=problems_of(sources.tally),
        sound=progress.sound,
        elapsed=time.monotonic() - began,
        stages=progress.stages,
    )
    listener(report)
    return Result(report, table)


def prepare(options: ScanOptions) -> tuple[Shape, str, Sources]:
    """Check what can be checked before any work: the model, the sources, the grouping."""
    bundle = load_bundle(options.settings.model)
    check_windows(bundle, options.settings)
    sources = open_sources(options.sources, reserved_columns(bundle.labels))
    account = account_of(bundle, options.settings, options.sources)
    shape = Shape(bundle.labels, sources.extras, options.segments is not None, account)
    check_group_by(options.group_by, shape.files().names)
    return shape, model_id(bundle, options.settings), sources


def _work(options: ScanOptions, chunks: Iterator[Chunk], workers: int) -> Iterator[Finished[Row]]:
    with tempfile.TemporaryDirectory(prefix="batchemo-workers-") as crumbs:
        dispatcher = Dispatcher(
            partial(LocalProcesses, crumbs),
            partial(work, Task(options.settings, options.timeout)),
            given_up,
            workers=workers,
            timeout=options.timeout,
            crumbs=crumbs,
        )
        yield from dispatcher.run(chunks)


def _tell(finished: Finished[Row], plan: Plan, progress: Progress, listener: Listener) -> None:
    for row in finished.rows:
        if row.reason is not None:
            listener(RecordingFailed(row.root, row.file, row.reason, row.detail or ""))
    listener(
        Advanced(
            done=progress.done,
            failed=progress.failed,
            found=plan.tally.to_do,
            kept=plan.tally.kept,
            all_found=plan.tally.whole,
            seconds=progress.sound,
            bytes_done=progress.bytes,
            bytes_found=plan.tally.bytes,
        )
    )


def _keep_unasked(plan: Plan, options: ScanOptions) -> tuple[int, int]:
    """Keep the rows that no source asked for; with `prune`, not those of vanished recordings."""
    pruned = left_over = 0
    if options.update:
        for place, root, file in plan.ledger.unasked():
            if options.prune and is_gone(root, file):
                pruned += 1
            else:
                plan.keep(place)
                left_over += 1
    return pruned, left_over


def is_gone(root: str, file: str) -> bool:
    """Tell whether there is no longer any such file."""
    return not os.path.lexists(os.path.join(names.from_text(root), names.from_text(file)))


def _collect(rows: Iterable[pa.RecordBatch], shape: Shape, summary: Summary) -> pa.Table:
    import pyarrow as pa

    tables = []
    for table in regroup(rows, shape.files()):
        summary.add(table)
        tables.append(table)
    return pa.concat_tables(tables) if tables else shape.files().empty_table()


def problems_of(tally: Tally) -> tuple[str, ...]:
    """Say what of the sources could not be looked at."""
    return tuple(f"{name}: {why}" for name, why in tally.unreadable + tally.rejected)
