"""Single recordings, analysed in this process one after another, exactly as a scan would."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchemo.errors import UsageError
from batchemo.scan.analysis import analyse_with
from batchemo.scan.options import Settings
from batchemo.scan.panel import Panel, load_panel
from batchemo.scan.shape import Shape
from batchemo.scan.tools import Tools, load_tools
from batchemo.sources import Recording, SourceOptions
from batchemo.sources.names import for_display
from batchemo.sources.places import look_up
from batchemo.tables.explode import explode
from batchemo.tables.rows import Row, to_batch
from batchemo.tables.write import regroup

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class CloseLook:
    """Recordings, and the models to look at them with."""

    recordings: tuple[Recording, ...]
    panel: Panel
    tools: tuple[Tools, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the first model's order."""
        return self.panel.labels

    @property
    def models(self) -> tuple[str, ...]:
        """The names of several models; none where there is one."""
        return self.panel.names

    @property
    def model(self) -> str:
        """What stands in the column `model`."""
        return self.panel.model

    def rows(self) -> Iterator[Row]:
        """Analyse one recording after another.

        With one thread, as in a worker: sums of several have other last bits.
        """
        from threadpoolctl import threadpool_limits

        for recording in self.recordings:
            with threadpool_limits(1, user_api="blas"):
                done = analyse_with(self.tools, 0.0, [recording])
            yield from done.rows

    def table(self, *, segments: bool = False) -> pa.Table:
        """Analyse all and give the files table, or the segments table."""
        import pyarrow as pa

        sources = SourceOptions(paths=tuple(recording.path for recording in self.recordings))
        account, models = self.panel.account(sources), self.models
        shape = Shape(self.labels, None, segments, account, models=models)
        batches = (
            to_batch([row], labels=self.labels, model=self.model, segments=segments, models=models)
            for row in self.rows()
        )
        tables = list(regroup(batches, shape.whole()))
        if segments:
            tables = [explode(table, self.labels, models).cast(shape.windows()) for table in tables]
        empty = (shape.windows() if segments else shape.files()).empty_table()
        return pa.concat_tables([empty, *tables])


def look_closely(paths: Iterable[str | os.PathLike[str]], *settings: Settings) -> CloseLook:
    """Check the names and load the models, before anything is analysed."""
    recordings = tuple(_recording(os.fspath(path)) for path in paths)
    panel = load_panel(settings)
    return CloseLook(recordings, panel, tuple(map(load_tools, settings)))


def _recording(path: str) -> Recording:
    if os.path.isdir(path):
        shown = for_display(path)
        raise UsageError(f"{shown} is a folder: `batchemo scan {shown}` analyses all that is in it")
    root, file = os.path.split(os.path.abspath(path))
    recording = look_up(root, file)
    if recording is None:
        raise UsageError(f"{for_display(path)} is no regular file.")
    if recording.size is None:
        raise UsageError(f"There is no file {for_display(path)!r}: check the name.")
    return recording
