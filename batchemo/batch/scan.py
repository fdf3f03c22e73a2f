"""A whole scan, from its options to its report: prepare, lock, decide, run, write."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING

from batchemo.batch.chunk_store import ChunkStore
from batchemo.batch.cluster import cluster_executor, count_workers
from batchemo.batch.events import EventHandler, Progress, Report, Started, ignore_event
from batchemo.batch.mirror import Mirror, local_plan, open_mirror
from batchemo.batch.options import ScanOptions
from batchemo.batch.outputs import (
    NamingRecord,
    discard_record,
    read_record,
    write_record,
)
from batchemo.batch.plan import OrphanRows, Plan, keep_orphans
from batchemo.batch.previous import with_previous_columns
from batchemo.batch.setup import (
    PARENT_BYTES,
    Decision,
    Prepared,
    decide,
    empty_messages,
    hold_outputs,
    load_known_rows,
    prepare,
    problems_of,
    refusal,
)
from batchemo.batch.worker_count import first_chunks, useful_workers, workers_with_room
from batchemo.batch.writer import (
    OrderedCsv,
    first_difference,
    ordered_embeddings,
    ordered_rows,
    write_tables,
)
from batchemo.common.memory import prepare_arrow
from batchemo.common.text import for_display
from batchemo.errors import BatchemoError, describe
from batchemo.inference.gpu_pool import GpuPool, open_gpu_pool
from batchemo.inference.postprocess import PostProcessor, RowSource
from batchemo.inference.predict_task import (
    PredictTask,
    join_results,
    lost_result,
    predict_chunk,
    predict_pieces,
)
from batchemo.tables.columns import row_noun
from batchemo.tables.read import open_table
from batchemo.tables.rows import to_batch
from batchemo.tables.summary import Summary, check_group_by
from batchemo.workers.dispatcher import run_chunks
from batchemo.workers.executor import Chunk, ExecutorFactory
from batchemo.workers.parts import PieceWork

if TYPE_CHECKING:
    import pyarrow as pa

_UNREADABLE = "unreadable_folders"
"""Where the metadata of a table counts the folders that could not be read, if there were any."""


@dataclass(frozen=True, slots=True)
class ScanResult:
    """The report, and the table itself where it was not written anywhere."""

    report: Report
    table: pa.Table | None = None


def run_scan(
    options: ScanOptions,
    on_event: EventHandler = ignore_event,
    stream: IO[bytes] | None = None,
    executor: ExecutorFactory | None = None,
) -> ScanResult:
    """Scan, report events on the way, and return the report.

    With `options.output` None the finished table comes with the report; with "-" the rows go to
    `stream` as CSV while they are found. `executor` opens what chunks are worked on by, given a
    number of workers: by default, the cluster that the options name, or processes of this machine.
    """
    prepare_arrow(PARENT_BYTES)
    with local_plan(options) as local, open_mirror(local) as mirror:
        result = _run(local, mirror, on_event, stream, executor)
    on_event(result.report)
    return result


def _run(
    options: ScanOptions,
    mirror: Mirror | None,
    on_event: EventHandler,
    stream: IO[bytes] | None,
    executor: ExecutorFactory | None,
) -> ScanResult:
    """Scan, with all outputs on this machine."""
    prepared = prepare(options, mirror)
    executor = executor or cluster_executor(prepared)
    try:
        with hold_outputs(prepared) as store:
            decision = decide(prepared)
            _discard_record_of_others(prepared, decision)
            if decision is Decision.REPEAT and _lacks_folders(prepared):
                decision = _retry(prepared)
            scan = _Scan(prepared, decision, store, on_event, stream, executor)
            result = scan.run()
            if decision is Decision.REPEAT and scan.finds_transient_failures:
                # These are the tables of this command, from when the machine was at fault.
                prepared = prepare(options, mirror)
                scan = _Scan(prepared, _retry(prepared), store, on_event, stream, executor)
                result = scan.run()
            if isinstance(result, BatchemoError) and store.numbers():
                raise result  # Inside of the block: chunks of an interrupted run are kept.
    except (OSError, MemoryError, ImportError) as error:
        if prepared.outputs is None:
            raise
        raise BatchemoError(
            f"{for_display(describe(error))}. What was finished is kept: the same command goes on "
            "from there"
        ) from error
    if isinstance(result, BatchemoError):
        # Not before: raised inside of the block, it would keep a chunk store without chunks.
        raise result
    return result


def _import_meanwhile(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """Yield the chunks; after the first, whose workers start then, import what takes its rows."""
    for number, chunk in enumerate(chunks):
        yield chunk
        if number == 0:
            import pyarrow.compute  # noqa: F401


def _retry(prepared: Prepared) -> Decision:
    """Decide for a retry; record it, so that the same command goes on with it if it is killed."""
    if prepared.outputs is not None:
        write_record(prepared.outputs, NamingRecord())
    return Decision.RETRY


def _lacks_folders(prepared: Prepared) -> bool:
    """Whether the table says that folders could not be read when it was made."""
    if prepared.output is None:
        return False
    try:
        return _UNREADABLE in open_table(prepared.output).run
    except BatchemoError:
        return False  # It is not the table that this run would write.


def _discard_record_of_others(prepared: Prepared, decision: Decision) -> None:
    """Remove the record of an interrupted run of another kind, whose chunks are now ours."""
    outputs = prepared.outputs
    record = None if outputs is None else read_record(outputs)
    if outputs is None or record is None:
        return
    if prepared.options.overwrite or (decision is Decision.UPDATE and not record.update):
        discard_record(outputs)


class _Scan:
    """A run after the decision: analyses what is to do, and writes the tables."""

    def __init__(
        self,
        prepared: Prepared,
        decision: Decision,
        store: ChunkStore,
        on_event: EventHandler,
        stream: IO[bytes] | None,
        executor: ExecutorFactory | None,
    ) -> None:
        self._prepared, self._decision, self._store = prepared, decision, store
        self._on_event, self._stream, self._executor = on_event, stream, executor
        self._options, self._schema = prepared.options, prepared.schema
        self._progress = Progress()
        measured, noun = self._schema.measured, row_noun(self._schema.turns)
        self._summary = Summary(self._options.group_by, measured=measured, noun=noun)
        self._warnings: list[str] = []
        self.finds_transient_failures = False
        """Whether the tables are in order, but for failures that are to be tried again."""

    def _count_workers(self, first: Sequence[Chunk]) -> int:
        """Return how many workers the run has, if these are the first chunks."""
        if self._options.executor is not None and self._executor is not None:
            return count_workers(self._executor, self._options.jobs) if first else 0
        workers = useful_workers(first, self._options.jobs)
        # Memory elsewhere is not known here.
        is_here = self._executor is None and self._options.settings[0].device == "cpu"
        weights = self._prepared.weight_bytes if is_here else 0
        is_asked = self._options.jobs > 0
        started, warnings = workers_with_room(workers, weights, is_asked=is_asked)
        self._warnings += warnings
        return started

    def run(self) -> ScanResult | BatchemoError:
        """Analyse and write; return an error where no table may be written after all."""
        known_rows, previous = load_known_rows(self._prepared, self._decision, self._store)
        self._check_columns(previous)
        plan = Plan(known_rows, self._store.next_number(), self._options.limit)
        csv = None
        if self._stream is not None:
            csv = OrderedCsv(self._stream, self._schema, plan, self._store, self._summary)

        chunks = plan.chunks(self._prepared.recordings())
        first = first_chunks(chunks, self._options.jobs)
        if first and not self._decision.may_replace:
            return self._would_change()
        workers = self._count_workers(first)
        self._on_event(
            Started(self._prepared.model, workers, self._options.output, len(known_rows))
        )
        # Workers elsewhere cannot reach the GPU processes of this machine.
        has_gpus = bool(first) and self._executor is None
        with (
            open_gpu_pool(self._options.settings if has_gpus else ()) as pool,
            closing(
                self._analyse(plan, _import_meanwhile(chain(first, chunks)), workers, pool)
            ) as stored_chunks,
        ):
            for number in stored_chunks:
                if csv is not None:
                    csv.add(number)
            self._warnings += [] if pool is None else pool.warnings()

        orphans = OrphanRows()
        if self._decision.keeps_orphans:
            orphans = keep_orphans(plan, prune=self._options.prune)
        elif not self._decision.may_replace and any(known_rows.orphans()):
            return self._would_change()
        nothing_found = self._nothing_found(plan)
        if nothing_found is not None:
            return nothing_found

        schema = with_previous_columns(self._schema, previous, plan.ranges)
        unreadable = len(self._prepared.sources.skipped.unreadable)
        if unreadable:
            schema = replace(schema, provenance=schema.provenance | {_UNREADABLE: unreadable})
        postprocessor = PostProcessor(schema) if csv is None else csv.postprocessor
        read = self._store.reader(schema.chunk_schema())
        rows = partial(ordered_rows, plan.ranges, read, schema)
        table = None
        if self._prepared.outputs is not None:
            embeddings = partial(ordered_embeddings, plan.ranges, read, schema)
            different = self._write(rows, postprocessor, embeddings)
            if different is not None:
                return refusal(self._prepared, different)
            self.finds_transient_failures = known_rows.transient > 0
        elif csv is not None:
            csv.close()
        else:
            table = self._collect(rows, postprocessor)
        return ScanResult(self._report(plan, orphans, postprocessor), table)

    def _check_columns(self, previous: pa.Schema | None) -> None:
        """Refuse what needs a column that the finished tables will not have, before any work."""
        schema = with_previous_columns(self._schema, previous, ())
        options = self._options
        schema.check(options.group_by, self._prepared.output, options.partition_by)
        for grouping in (options.group_by, options.partition_by):
            if grouping is not None:
                check_group_by(grouping, schema.recordings_schema().names)
        names = [field.name for field in schema.extras]
        self._options.postprocess.check_speaker([*names, *schema.turns])

    def _would_change(self) -> BatchemoError:
        # A run that may not replace its tables has some: see `decide`.
        assert self._prepared.output is not None
        return refusal(self._prepared, self._prepared.output)

    def _nothing_found(self, plan: Plan) -> BatchemoError | None:
        """Return an error where no source has any recording: a disk may not be mounted."""
        counts, skipped = plan.counts, self._prepared.sources.skipped
        found = counts.to_do or counts.kept or skipped.young or not counts.all_found
        if found or self._options.allow_empty:
            return None
        messages = "; ".join(empty_messages(skipped) + problems_of(skipped))
        return BatchemoError(f"{messages}. No table was written; --allow-empty writes one")

    def _analyse(
        self, plan: Plan, chunks: Iterator[Chunk], workers: int, gpu_pool: GpuPool | None
    ) -> Generator[int, None, None]:
        """Have the workers analyse the chunks; yield each chunk's number when it is stored."""
        embeddings = self._schema.embeddings
        task = PredictTask(
            self._options.settings,
            self._options.timeout,
            embeddings=embeddings is not None,
            gpu_folder=None if gpu_pool is None else str(gpu_pool.folder),
            cut=True,
        )
        finished_chunks = run_chunks(
            chunks,
            partial(predict_chunk, task),
            lost_result,
            # The workers of a cluster come and go: the executor knows how many there are.
            workers=workers if self._options.executor is None else self._options.jobs,
            timeout=self._options.timeout,
            executor=self._executor,
            pieces=PieceWork(partial(predict_pieces, task), join_results),
            on_positions=partial(
                self._progress.update_positions, plan=plan, on_event=self._on_event
            ),
        )
        # Closed here and not some time later, when the last traceback of an error is gone: the
        # workers must have ended before the lock is released.
        with closing(finished_chunks):
            for finished in finished_chunks:
                results = tuple(chain.from_iterable(finished.rows))
                rows = to_batch(
                    results,
                    labels=self._schema.labels,
                    model=self._prepared.model,
                    segments=self._schema.segments,
                    models=self._schema.models,
                    several_models=bool(self._schema.window_models),
                    measured=self._schema.measured,
                    tries=list(map(plan.known_rows.next_tries, results))
                    if self._schema.tries
                    else None,
                    embeddings=None if embeddings is None else embeddings.shape,
                    turns=self._schema.turns,
                )
                # Stored before it is reported: what was reported as done is never lost.
                self._store.write(finished.chunk.number, rows)
                yield finished.chunk.number
                self._progress.add(finished, finished.rows, plan, self._on_event)

    def _write(
        self, rows: RowSource, postprocessor: PostProcessor, embeddings: RowSource
    ) -> Path | None:
        outputs = self._prepared.outputs
        assert outputs is not None
        if not self._decision.may_replace:
            return first_difference(rows, postprocessor, outputs, self._summary, embeddings)
        record, decision = None, self._decision
        if not self._options.overwrite:  # Where any table may be replaced, nothing need be told.
            record = NamingRecord(tuple(outputs.all()), update=decision is Decision.UPDATE)
        fresh = record is not None and decision in (Decision.FRESH, Decision.RESUME)
        write_tables(
            rows,
            postprocessor,
            outputs,
            self._summary,
            fresh=fresh,
            record=record,
            embeddings=embeddings,
        )
        return None

    def _collect(self, rows: RowSource, postprocessor: PostProcessor) -> pa.Table:
        import pyarrow as pa

        tables = [postprocessor.schema.recordings_schema().empty_table()]
        for table in postprocessor.tables(rows):
            self._summary.add(table)
            tables.append(table)
        return pa.concat_tables(tables)

    def _report(self, plan: Plan, orphans: OrphanRows, postprocessor: PostProcessor) -> Report:
        skipped, progress = self._prepared.sources.skipped, self._progress
        return Report(
            output=self._options.output,
            model=self._prepared.model,
            summary=self._summary,
            analysed=progress.done - progress.missing,
            missing=progress.missing,
            kept=plan.counts.kept,
            predicted_again=plan.known_rows.predicted_again,
            new_failures=progress.new_failures + plan.counts.new_failures,
            orphans=orphans.kept,
            pruned=orphans.pruned,
            young=skipped.young,
            duplicates=skipped.duplicates,
            hidden=skipped.hidden,
            links=skipped.links,
            other_recordings=skipped.other_recordings(),
            problems=problems_of(skipped),
            empty=() if self._options.allow_empty else empty_messages(skipped),
            sound=progress.sound,
            elapsed=progress.elapsed,
            stages=progress.stages,
            fail_on=self._options.fail_on,
            limited=not plan.counts.all_found,
            unreachable=plan.counts.unreachable,
            empty_roots=tuple(sorted(orphans.empty_roots)),
            warnings=(*self._warnings, *postprocessor.warnings()),
        )
