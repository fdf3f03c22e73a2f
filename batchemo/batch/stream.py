"""Writes rows as CSV to a stream, in the plan's order, as soon as they can be told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

from batchemo.batch.chunk_store import Parts
from batchemo.batch.finish import ordered_rows
from batchemo.batch.plan import Plan, Run
from batchemo.batch.workspace import reader_of
from batchemo.inference.output_schema import Shape
from batchemo.inference.telling import Teller
from batchemo.tables.summary import Summary
from batchemo.tables.write import CsvTable

if TYPE_CHECKING:
    import pyarrow as pa


class OrderedCsv:
    """The head of the finished table, growing as parts are done.

    Rows that are adapted to speakers depend on all others: they wait for the end.
    """

    def __init__(
        self, stream: IO[bytes], shape: Shape, plan: Plan, parts: Parts, summary: Summary
    ) -> None:
        self._stream, self._shape, self._plan, self._summary = stream, shape, plan, summary
        self._read = reader_of(parts, shape.part())
        self.teller = Teller(shape)
        self._writer = CsvTable(stream, shape.files())
        self._done: set[int] = set()
        self._written = 0

    def part_done(self, number: int) -> None:
        """Write what this part makes ready."""
        self._done.add(number)
        if self._shape.interpretation.speaker is None:
            self._write()

    def _write(self) -> None:
        first = self._written
        # A run of rows is as good as written only when its whole part is there.
        while self._written < len(self._plan.runs) and self._ready(self._written):
            self._written += 1
        runs = self._plan.runs[first : self._written]
        for table in self.teller.tables(lambda: self._rows(runs)):
            self._summary.add(table)
            self._writer.write(table)
        self._stream.flush()

    def _rows(self, runs: list[Run]) -> Iterator[pa.RecordBatch]:
        return ordered_rows(runs, self._read, self._shape)

    def _ready(self, index: int) -> bool:
        return self._plan.runs[index].source in self._done

    def close(self) -> None:
        """End the table, with what has waited."""
        self._write()
        self._writer.close()
