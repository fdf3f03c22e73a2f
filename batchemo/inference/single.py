"""Single recordings, analysed in this process one after another, exactly as a scan would."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from batchemo.common.arrays import Float32
from batchemo.common.text import for_display
from batchemo.errors import UsageError
from batchemo.inference.loaded import Tools, load_tools
from batchemo.inference.model_set import Panel, load_panel
from batchemo.inference.output_schema import Shape
from batchemo.inference.postprocess import Teller, Voices
from batchemo.inference.predict import analyse_with
from batchemo.inference.settings import PLAIN, Interpretation, Settings
from batchemo.sources import Recording, SourceOptions
from batchemo.sources.recording import look_up
from batchemo.tables.derived import mean_of
from batchemo.tables.rows import Row, to_batch

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class CloseLook:
    """Recordings, and the models to look at them with."""

    recordings: tuple[Recording, ...]
    panel: Panel
    tools: tuple[Tools, ...]
    interpretation: Interpretation
    cautions: list[str] = field(default_factory=list)
    """What the user should know, once all is analysed."""

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
        """Analyse one recording after another; where they are adapted to speakers, all at first."""
        if self.interpretation.speaker is None:
            return self._heard()
        return self._adapted(list(self._heard()), self.interpretation.speaker)

    def _adapted(self, rows: list[Row], speaker: str) -> Iterator[Row]:
        import pyarrow as pa

        labels, models = self.labels, self.models
        batch = to_batch(rows, labels=labels, model=self.model, segments=False, models=models)
        table, voices = pa.Table.from_batches([batch]), Voices(speaker, labels, models)
        voices.learn(table)
        self.cautions.extend(voices.cautions())
        return map(_with_opinions, rows, voices.adapted(table))

    def _heard(self) -> Iterator[Row]:
        """Analyse with one thread, as in a worker: sums of several have other last bits."""
        from threadpoolctl import threadpool_limits

        for recording in self.recordings:
            with threadpool_limits(1, user_api="blas"):
                done = analyse_with(self.tools, 0.0, [recording])
            yield from done.rows

    def table(self, *, segments: bool = False) -> pa.Table:
        """Analyse all and give the files table, or the segments table."""
        import pyarrow as pa

        teller, models = Teller(self._shape(segments=segments)), self.models
        batches = [
            to_batch([row], labels=self.labels, model=self.model, segments=segments, models=models)
            for row in self._heard()
        ]
        shape, tables = teller.shape, list(teller.tables(lambda: batches))
        self.cautions.extend(teller.cautions())
        if segments:
            tables = [teller.windows(table).cast(shape.windows()) for table in tables]
        empty = (shape.windows() if segments else shape.files()).empty_table()
        return pa.concat_tables([empty, *tables])

    def _shape(self, *, segments: bool = False) -> Shape:
        sources = SourceOptions(paths=tuple(recording.path for recording in self.recordings))
        return self.panel.shape(self.interpretation, sources, segments=segments)


def look_closely(
    paths: Iterable[str | os.PathLike[str]],
    *settings: Settings,
    interpretation: Interpretation = PLAIN,
) -> CloseLook:
    """Check the names and load the models, before anything is analysed."""
    recordings = tuple(_recording(os.fspath(path)) for path in paths)
    panel = load_panel(settings)
    interpretation.check_labels(panel.bundles[0].name, panel.labels)
    interpretation.check_speaker([])
    return CloseLook(recordings, panel, tuple(map(load_tools, settings)), interpretation)


def _with_opinions(row: Row, adapted: Float32) -> Row:
    """Give the row with the probabilities that each model has for it."""
    if row.probabilities is None:
        return row
    opinions = None if row.opinions is None else adapted
    return replace(row, probabilities=mean_of(adapted), opinions=opinions)


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
