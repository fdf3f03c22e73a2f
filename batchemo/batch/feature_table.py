"""The features of recordings as one table: a scan without a model."""

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
from batchemo.batch.events import (
    Advanced,
    EventHandler,
    RecordingFailed,
    ignore_event,
)
from batchemo.batch.known_rows import KnownRows
from batchemo.batch.outputs import check_output
from batchemo.batch.plan import Plan
from batchemo.batch.setup import problems_of
from batchemo.batch.writer import whole_table
from batchemo.common import locks
from batchemo.common.locks import scratch_folder
from batchemo.common.text import for_display
from batchemo.errors import LockedError
from batchemo.features import FeatureSet
from batchemo.inference.feature_task import (
    ENDING,
    FeatureTask,
    RecordingFeatures,
    gather,
    in_order,
    lost_result,
)
from batchemo.inference.provenance import source_provenance
from batchemo.inference.settings import TIMEOUT, check_channel
from batchemo.sources import SourceOptions, open_sources
from batchemo.tables.schema import FEATURES, FRAME, STATUS_FAILED, STATUS_OK, features_schema
from batchemo.tables.write import rechunk, with_provenance
from batchemo.workers.dispatcher import Dispatcher, FinishedChunk
from batchemo.workers.executor import ProcessExecutor, available_cpus

if TYPE_CHECKING:
    import pyarrow as pa


BYTES_A_PIECE = 4 * 2**20
"""So much of a recording's features is held at a time."""


@dataclass(frozen=True)
class Layout:
    """The columns of a recipe's table: a row a window, or a row a frame of one."""

    recipe: FeatureSet
    window: float
    manifest: pa.Table | None

    @cached_property
    def schema(self) -> pa.Schema:
        """The schema of the table."""
        extras = None if self.manifest is None else self.manifest.schema
        return features_schema(self.recipe.names, frames=self._frames > 0, extras=extras)

    @cached_property
    def _frames(self) -> int:
        """Frames in a window; 0 where a window gives a single row."""
        shape = self.recipe.shape(self.window)
        return shape[0] if len(shape) > 1 else 0

    def batches(self, harvest: RecordingFeatures) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a recording, and remove the file that they come from."""
        if harvest.path is None:
            yield self._batch(harvest, 1, {})
            return
        rows, width = max(self._frames, 1), len(self.recipe.names)
        step = max(1, BYTES_A_PIECE // (4 * rows * width))
        with open(harvest.path, "rb") as stream:
            for first in range(0, len(harvest.windows), step):
                windows = np.array(harvest.windows[first : first + step])
                count = len(windows) * rows
                values = np.fromfile(stream, np.float32, count * width).reshape(count, width)
                starts, ends, speech = (np.repeat(column, rows) for column in windows.T)
                known = {"start": starts, "end": ends, "speech": speech.astype(bool)}
                known[FRAME] = np.tile(np.arange(rows, dtype=np.int32), len(windows))
                columns = zip(self.recipe.names, values.T, strict=True)
                yield self._batch(harvest, count, known | dict(columns))
        harvest.discard()

    def _batch(
        self, harvest: RecordingFeatures, rows: int, known: dict[str, Any]
    ) -> pa.RecordBatch:
        """Make a batch; what is not known of its rows is null."""
        import pyarrow as pa

        facts = {
            "root": harvest.root,
            "file": harvest.file,
            "status": STATUS_OK if harvest.reason is None else STATUS_FAILED,
            "reason": harvest.reason,
            "detail": harvest.detail,
        }
        of_manifest = self._of_manifest(harvest, rows)
        columns = []
        for field in self.schema:
            kind = pa.string() if pa.types.is_dictionary(field.type) else field.type
            if field.name in of_manifest:
                columns.append(of_manifest[field.name])
            elif field.name in known:
                columns.append(pa.array(known[field.name], kind))
            else:
                columns.append(pa.repeat(pa.scalar(facts.get(field.name), kind), rows))
        return pa.record_batch(columns, names=self.schema.names)

    def _of_manifest(self, harvest: RecordingFeatures, rows: int) -> dict[str, pa.Array]:
        import pyarrow as pa

        if self.manifest is None:
            return {}
        place = pa.array([harvest.row] * rows, pa.int64())
        return {
            name: self.manifest[name].take(place).combine_chunks()
            for name in self.manifest.column_names
        }


@dataclass(frozen=True, slots=True)
class FeatureTableOptions:
    """What to compute of which recordings, and where it goes."""

    sources: SourceOptions
    recipe: FeatureSet
    output: str
    window: float | None = None
    """Seconds; by default the recipe's own."""
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
        """How recordings are to be heard."""
        window = self.recipe.window if self.window is None else self.window
        hop = window if self.hop is None else self.hop
        return WindowConfig(rate=self.recipe.rate, window=window, hop=hop, channel=self.channel)


@dataclass(slots=True)
class FeatureTableReport:
    """How it went."""

    recordings: int = 0
    failed: int = 0
    windows: int = 0
    seconds: float = 0.0
    bytes: int = 0
    hidden: int = 0
    links: int = 0
    problems: tuple[str, ...] = ()
    """Sources that could not be read."""

    @property
    def exit_code(self) -> int:
        """0 where all is well, 3 where some recordings failed or could not be reached."""
        return 3 if self.failed or self.problems else 0


def write_feature_table(
    options: FeatureTableOptions, listener: EventHandler = ignore_event
) -> FeatureTableReport:
    """Write the table, and tell how it went."""
    path = check_output(options.output, overwrite=options.overwrite)
    sources = open_sources(options.sources, frozenset([*FEATURES, *options.recipe.names]))
    layout = Layout(options.recipe, options.window_config.window, sources.extras)
    schema = with_provenance(layout.schema, run_provenance(options))
    plan, done = Plan(KnownRows("")), FeatureTableReport()
    with _spills(path) as folder, scratch_folder() as heartbeats:
        workers = options.jobs or available_cpus()
        task = FeatureTask(options.recipe, options.window_config, str(folder), options.timeout)
        dispatcher: Dispatcher[RecordingFeatures] = Dispatcher(
            partial(ProcessExecutor, str(heartbeats)),
            partial(gather, task),
            lost_result,
            workers=workers,
            timeout=options.timeout,
            heartbeats=str(heartbeats),
        )
        with (
            closing(dispatcher.run(plan.chunks(sources))) as finished,
            whole_table(path, schema) as table,
        ):
            chunks = _tell(finished, plan, done, listener)
            batches = (batch for harvest in in_order(chunks) for batch in layout.batches(harvest))
            for piece in rechunk(batches, schema):
                table.write(piece)
    done.hidden, done.links = sources.skipped.hidden, sources.skipped.links
    done.problems = problems_of(sources.skipped)
    return done


@contextmanager
def _spills(output: Path) -> Iterator[Path]:
    """Hold the folder beside the output, without what an interrupted run has left there."""
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
    for path in folder.glob(f"*{ENDING}"):
        path.unlink()


def _tell(
    finished: Iterator[FinishedChunk[RecordingFeatures]],
    plan: Plan,
    done: FeatureTableReport,
    listener: EventHandler,
) -> Iterator[tuple[int, tuple[RecordingFeatures, ...]]]:
    """Count what comes by, and let the listener know."""
    for each in finished:
        for harvest in each.rows:
            done.recordings += 1
            done.windows += len(harvest.windows)
            done.seconds += harvest.duration or 0.0
            if harvest.reason is not None:
                done.failed += 1
                detail = harvest.detail or ""
                listener(RecordingFailed(harvest.root, harvest.file, harvest.reason, detail))
        done.bytes += each.chunk.bytes
        listener(
            Advanced(
                done=done.recordings,
                failed=done.failed,
                found=plan.counts.to_do,
                kept=0,
                all_found=plan.counts.whole,
                seconds=done.seconds,
                bytes_done=done.bytes,
                bytes_found=plan.counts.bytes,
            )
        )
        yield each.chunk.number, each.rows


def run_provenance(options: FeatureTableOptions) -> dict[str, Any]:
    """Tell what can change the rows."""
    window_config = options.window_config
    return {
        "batchemo": __version__,
        "features": options.recipe.to_dict(),
        "window": window_config.window,
        "hop": window_config.hop,
        "options": {"channel": window_config.channel},
        "sources": source_provenance(options.sources),
    }
