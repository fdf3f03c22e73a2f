"""Makes the rows of finished tables of raw ones: adapts them to speakers, adds what they say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from batchemo.inference.output_schema import Shape
from batchemo.inference.voices import Voices
from batchemo.tables.explode import explode
from batchemo.tables.verdicts import with_verdicts
from batchemo.tables.write import conform, regroup

if TYPE_CHECKING:
    import pyarrow as pa

Rows = Callable[[], Iterable["pa.RecordBatch"]]
"""Gives the same raw rows as often as it is asked."""


class Teller:
    """Tells rows as the interpretation of a shape wants them told."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self._voices: Voices | None = None
        if shape.interpretation.speaker is not None:
            self._voices = Voices(shape.interpretation.speaker, shape.labels, shape.models)

    def tables(self, rows: Rows) -> Iterator[pa.Table]:
        """Yield the rows of the files table, in pieces that do not tell how they arrived.

        Where they are adapted to speakers they are gone through twice, and never held.
        """
        import pyarrow as pa

        if self._voices is not None:
            for batch in rows():
                self._voices.learn(pa.Table.from_batches([batch]))
        for raw in regroup(rows(), self.shape.raw()):
            yield conform(self._told(raw), self.shape.whole())

    def _told(self, raw: pa.Table) -> pa.Table:
        shape, how = self.shape, self.shape.interpretation
        adapted = raw if self._voices is None else self._voices.adapt(raw)
        return with_verdicts(
            adapted,
            shape.labels,
            shape.models,
            min_confidence=how.min_confidence,
            dimensions=how.dimensions,
        )

    def windows(self, table: pa.Table) -> pa.Table:
        """Give the rows of the segments table; a window is told as it was heard."""
        shape, how = self.shape, self.shape.interpretation
        return explode(
            table,
            shape.labels,
            shape.models,
            min_confidence=how.min_confidence,
            dimensions=how.dimensions,
        )

    def cautions(self) -> list[str]:
        """Say what the user should know of how it went."""
        return [] if self._voices is None else self._voices.cautions()
