"""Lays the features of recordings out as rows of a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from batchemo.features import Recipe
from batchemo.inference.feature_task import Harvest
from batchemo.tables.features import FRAME, features_schema
from batchemo.tables.schema import STATUS_FAILED, STATUS_OK

if TYPE_CHECKING:
    import pyarrow as pa

BYTES_A_PIECE = 4 * 2**20
"""So much of a recording's features is held at a time."""


@dataclass(frozen=True)
class Layout:
    """The columns of a recipe's table: a row a window, or a row a frame of one."""

    recipe: Recipe
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

    def batches(self, harvest: Harvest) -> Iterator[pa.RecordBatch]:
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

    def _batch(self, harvest: Harvest, rows: int, known: dict[str, Any]) -> pa.RecordBatch:
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

    def _of_manifest(self, harvest: Harvest, rows: int) -> dict[str, pa.Array]:
        import pyarrow as pa

        if self.manifest is None:
            return {}
        place = pa.array([harvest.row] * rows, pa.int64())
        return {
            name: self.manifest[name].take(place).combine_chunks()
            for name in self.manifest.column_names
        }
