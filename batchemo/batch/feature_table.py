"""The features of recordings as one table: a scan without a model.

    features.parquet.chunks/
        lock              held by the run that writes the table
        *.features        the features of one recording, as raw float32 (see feature_task)

Features are too many to send from worker to parent: workers write them into these files, and the
table is made of them in the order of the recordings. Nothing is kept of an interrupted run.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from batchemo import __version__
from batchemo.audio import WindowConfig
from batchemo.batch.chunk_store import store_folder
from batchemo.batch.events import EventHandler, Progress, ignore_event
from batchemo.batch.known_rows import KnownRows
from batchemo.batch.outputs import check_output
from batchemo.batch.plan import Plan
from batchemo.batch.setup import PARENT_BYTES, empty_messages, problems_of
from batchemo.batch.writer import write_table
from batchemo.common import locks
from batchemo.common.memory import prepare_arrow
from batchemo.common.text import for_display
from batchemo.errors import BatchemoError, LockedError
from batchemo.features import FeatureSet
from batchemo.inference.feature_task import (
    SPILL_SUFFIX,
    FeatureTask,
    RecordingFeatures,
    compute_features,
    in_chunk_order,
    lost_result,
)
from batchemo.inference.provenance import source_provenance
from batchemo.inference.settings import TIMEOUT, check_channel
from batchemo.sources import SourceOptions, open_sources
from batchemo.sources.discover import refuse_turns
from batchemo.tables.columns import FEATURES, FRAME
from batchemo.tables.schema import STATUS_FAILED, STATUS_OK, features_schema
from batchemo.tables.write import rechunk, with_provenance
from batchemo.workers.dispatcher import run_chunks
from batchemo.workers.executor import ExecutorFactory, available_cpus

if TYPE_CHECKING:
    import pyarrow as pa

BYTES_PER_BATCH = 4 * 2**20
"""How much of a recording's features is held at a time, however long it is."""


@dataclass(frozen=True, slots=True)
class FeatureTableOptions:
    """What to compute for which recordings, and where to write it."""

    sources: SourceOptions
    features: FeatureSet
    output: str
    window: float | None = None
    """Seconds; by default the feature set's own."""
    hop: float | None = None
    """Seconds; by default the window, so that every sound is counted once."""
    channel: str = "mix"
    jobs: int = 0
    timeout: float = TIMEOUT
    overwrite: bool = False

    def __post_init__(self) -> None:
        check_channel(self.channel)

    @property
    def window_config(self) -> WindowConfig:
        """How recordings are cut into windows."""
        window = self.features.window if self.window is None else self.window
        hop = window if self.hop is None else self.hop
        return WindowConfig(rate=self.features.rate, window=window, hop=hop, channel=self.channel)


@dataclass(frozen=True, slots=True)
class FeatureTableReport:
    """The outcome, in numbers."""

    recordings: int
    failed: int
    windows: int
    hidden: int
    links: int
    other_recordings: dict[str, int]
    problems: tuple[str, ...]
    """Sources that could not be read."""
    empty: tuple[str, ...]
    """A message for each source without recordings."""

    @property
    def exit_code(self) -> int:
        """0 where all is well, 3 where recordings failed, or sources are empty or unreadable."""
        return 3 if self.failed or self.problems or self.empty else 0


def write_feature_table(
    options: FeatureTableOptions,
    on_event: EventHandler = ignore_event,
    executor: ExecutorFactory | None = None,
) -> FeatureTableReport:
    """Write the table, report events on the way, and return the outcome."""
    prepare_arrow(PARENT_BYTES)
    path = check_output(options.output, overwrite=options.overwrite)
    sources = open_sources(options.sources, frozenset([*FEATURES, *options.features.names]))
    refuse_turns(sources, "features are computed of whole recordings")
    columns = FeatureColumns(options.features, options.window_config.window, sources.extras)
    schema = with_provenance(columns.schema, _provenance(options))
    plan, progress, windows = Plan(KnownRows("")), Progress(), 0
    with _spill_folder(path) as folder:
        task = FeatureTask(options.features, options.window_config, str(folder), options.timeout)
        finished_chunks = run_chunks(
            plan.chunks(sources),
            partial(compute_features, task),
            lost_result,
            workers=options.jobs or available_cpus(),
            timeout=options.timeout,
            executor=executor,
            on_positions=partial(progress.update_positions, plan=plan, on_event=on_event),
        )

        def chunks() -> Iterator[tuple[int, tuple[RecordingFeatures, ...]]]:
            nonlocal windows
            for finished in finished_chunks:
                progress.add(finished, [(row,) for row in finished.rows], plan, on_event)
                windows += sum(len(result.windows) for result in finished.rows)
                yield finished.chunk.number, finished.rows
            if not plan.counts.to_do and sources.skipped.empty:
                raise BatchemoError("; ".join(empty_messages(sources.skipped)))

        with closing(finished_chunks), write_table(path, schema) as table:
            batches = (
                batch for result in in_chunk_order(chunks()) for batch in columns.batches(result)
            )
            for rows in rechunk(batches, schema):
                table.write(rows)
    skipped = sources.skipped
    return FeatureTableReport(
        recordings=progress.done,
        failed=progress.failed,
        windows=windows,
        hidden=skipped.hidden,
        links=skipped.links,
        other_recordings=skipped.other_recordings(),
        problems=problems_of(skipped),
        empty=empty_messages(skipped),
    )


@contextmanager
def _spill_folder(output: Path) -> Iterator[Path]:
    """Lock the folder beside the output; remove the workers' files from it before and after."""
    folder = store_folder(output)
    try:
        with locks.hold(folder, wait=False):
            _clear(folder)
            try:
                yield folder
            finally:
                _clear(folder)
    except LockedError as error:
        shown = for_display(str(output))
        raise LockedError(
            f"{shown}: another run is writing this table: wait for it, or name another (-o)"
        ) from error


def _clear(folder: Path) -> None:
    for path in folder.glob(f"*{SPILL_SUFFIX}"):
        path.unlink()


@dataclass(frozen=True)
class FeatureColumns:
    """The columns of a feature table: a row for each window, or for each frame of a window."""

    features: FeatureSet
    window: float
    manifest: pa.Table | None

    @cached_property
    def schema(self) -> pa.Schema:
        """The schema of the table."""
        extras = None if self.manifest is None else self.manifest.schema
        return features_schema(self.features.names, frames=self._frames > 0, extras=extras)

    @cached_property
    def _frames(self) -> int:
        """Frames in a window; 0 where a window gives a single row."""
        shape = self.features.shape(self.window)
        return shape[0] if len(shape) > 1 else 0

    def batches(self, result: RecordingFeatures) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a recording, and remove the file that holds them."""
        if result.path is None:
            yield self._batch(result, 1, {})
            return
        rows, width = max(self._frames, 1), len(self.features.names)
        step = max(1, BYTES_PER_BATCH // (4 * rows * width))
        with open(result.path, "rb") as stream:
            for first in range(0, len(result.windows), step):
                windows = np.array(result.windows[first : first + step])
                count = len(windows) * rows
                values = np.fromfile(stream, np.float32, count * width).reshape(count, width)
                starts, ends, speech = (np.repeat(column, rows) for column in windows.T)
                known = {"start": starts, "end": ends, "speech": speech.astype(bool)}
                known[FRAME] = np.tile(np.arange(rows, dtype=np.int32), len(windows))
                columns = zip(self.features.names, values.T, strict=True)
                yield self._batch(result, count, known | dict(columns))
        result.discard()

    def _batch(self, result: RecordingFeatures, rows: int, known: dict[str, Any]) -> pa.RecordBatch:
        """Make a batch of `known` columns; all others repeat what is known of the recording."""
        import pyarrow as pa

        of_recording = {
            "root": result.root,
            "file": result.file,
            "status": STATUS_OK if result.reason is None else STATUS_FAILED,
            "reason": result.reason,
            "detail": result.detail,
        }
        from_manifest = self._from_manifest(result, rows)
        columns = []
        for field in self.schema:
            kind = pa.string() if pa.types.is_dictionary(field.type) else field.type
            if field.name in from_manifest:
                columns.append(from_manifest[field.name])
            elif field.name in known:
                columns.append(pa.array(known[field.name], kind))
            else:
                columns.append(pa.repeat(pa.scalar(of_recording.get(field.name), kind), rows))
        return pa.record_batch(columns, names=self.schema.names)

    def _from_manifest(self, result: RecordingFeatures, rows: int) -> dict[str, pa.Array]:
        import pyarrow as pa

        if self.manifest is None:
            return {}
        indices = pa.array([result.row] * rows, pa.int64())
        return {
            name: self.manifest[name].take(indices).combine_chunks()
            for name in self.manifest.column_names
        }


def _provenance(options: FeatureTableOptions) -> dict[str, Any]:
    """Describe all that can change the rows."""
    config = options.window_config
    return {
        "batchemo": __version__,
        "features": options.features.to_dict(),
        "window": config.window,
        "hop": config.hop,
        "options": {"channel": config.channel},
        "sources": source_provenance(options.sources),
    }
