"""From what models predict to rows of the tables: speaker adaptation, derived columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from batchemo.bundles.speaker_adaptation import SpeakerMeans, log_probabilities
from batchemo.common.arrays import Float32
from batchemo.inference.output_schema import OutputSchema
from batchemo.tables.columns import (
    model_probability_columns,
    probability_columns,
    unadapted_columns,
)
from batchemo.tables.derived import (
    column_matrix,
    matrix_columns,
    mean_probabilities,
    segments_table,
    with_derived_columns,
)
from batchemo.tables.summary import group_names
from batchemo.tables.write import conform, rechunk

if TYPE_CHECKING:
    import pyarrow as pa


Name = tuple[str, str, str]
"""The model, the root where the name comes from a path, and the speaker's name.

Rows of another model lean otherwise, and folders of one name below two roots are two speakers.
"""


class SpeakerAdapter:
    """What the models tend to say of each speaker; `by` is what names a row's speaker."""

    def __init__(self, by: str, labels: Sequence[str], models: Sequence[str]) -> None:
        self._by = by
        self._together = probability_columns(labels)
        of_models = [model_probability_columns(labels, model) for model in models]
        self._each = of_models or [self._together]
        raw = [*self._together, *(name for names in of_models for name in names)]
        kept = [name for name, _ in unadapted_columns(labels, models)]
        self._kept = dict(zip(kept, raw, strict=True))
        self._speakers = SpeakerMeans()
        self._nameless = 0

    def learn(self, table: pa.Table) -> None:
        """Take note of raw rows."""
        model_probabilities = self._opinions(table)
        names = self._names(table, model_probabilities)
        unnamed = np.array([name is None for name in names], bool)
        self._nameless += int((unnamed & ~_unknown(model_probabilities)).sum())
        self._speakers.add(names, _logs(model_probabilities))

    def warnings(self) -> list[str]:
        """Say what the user should know of the rows."""
        if not self._nameless:
            return []
        have = "recording has" if self._nameless == 1 else "recordings have"
        return [
            f"{self._nameless:,} {have} no speaker by --speaker {self._by}: what the models say of "
            "them is not adapted"
        ]

    def adapted(self, table: pa.Table) -> Float32:
        """Give each raw row's probabilities (rows, models, labels), NaN where it has none.

        A row without a speaker stays what it was, to the last bit.
        """
        model_probabilities = self._opinions(table)
        names = self._names(table, model_probabilities)
        named = np.array([name is not None for name in names], bool)
        adapted = self._speakers.adapt(names, _logs(model_probabilities)).astype(np.float32)
        found: Float32 = np.where(named[:, None, None], adapted, model_probabilities)
        return found

    def adapt(self, table: pa.Table) -> pa.Table:
        """Give raw rows adapted, and with the probabilities that they had before."""
        import pyarrow as pa

        model_probabilities = self.adapted(table)
        # A row that other models left has a verdict of theirs and no opinions.
        unheard = _unknown(model_probabilities)[:, None]
        together = np.where(
            unheard, column_matrix(table, self._together), mean_probabilities(model_probabilities)
        )
        columns = {name: table[name] for name in table.column_names}
        columns |= {kept: table[name] for kept, name in self._kept.items()}
        for place, names in enumerate(self._each):
            columns |= matrix_columns(model_probabilities[:, place], names)
        return pa.table(columns | matrix_columns(together, self._together))

    def _opinions(self, table: pa.Table) -> Float32:
        return np.stack([column_matrix(table, names) for names in self._each], axis=1)

    def _names(self, table: pa.Table, model_probabilities: Float32) -> list[Name | None]:
        """Name each row's speaker; None where nobody is named or nothing was heard."""
        speakers = group_names(table, self._by).to_pylist()
        models = table["model"].to_pylist()
        of_path = self._by not in table.column_names
        roots = table["root"].to_pylist() if of_path else [""] * len(models)
        rows = zip(models, roots, speakers, _unknown(model_probabilities), strict=True)
        return [
            (model, root, speaker) if speaker and not unheard else None
            for model, root, speaker, unheard in rows
        ]


def _unknown(model_probabilities: Float32) -> NDArray[np.bool_]:
    return np.asarray(np.isnan(model_probabilities).any(axis=(1, 2)), np.bool_)


def _logs(model_probabilities: Float32) -> NDArray[np.float64]:
    return log_probabilities(np.nan_to_num(model_probabilities, nan=1.0))


Rows = Callable[[], Iterable["pa.RecordBatch"]]
"""Gives the same raw rows as often as it is asked."""


class PostProcessor:
    """Tells rows as the interpretation of a shape wants them told."""

    def __init__(self, shape: OutputSchema) -> None:
        self.shape = shape
        self._adapter: SpeakerAdapter | None = None
        if shape.postprocess.speaker is not None:
            self._adapter = SpeakerAdapter(shape.postprocess.speaker, shape.labels, shape.models)

    def tables(self, rows: Rows) -> Iterator[pa.Table]:
        """Yield the rows of the files table, in pieces that do not tell how they arrived.

        Where they are adapted to speakers they are gone through twice, and never held.
        """
        import pyarrow as pa

        if self._adapter is not None:
            for batch in rows():
                self._adapter.learn(pa.Table.from_batches([batch]))
        for raw in rechunk(rows(), self.shape.raw()):
            yield conform(self._told(raw), self.shape.whole())

    def _told(self, raw: pa.Table) -> pa.Table:
        shape, how = self.shape, self.shape.postprocess
        adapted = raw if self._adapter is None else self._adapter.adapt(raw)
        return with_derived_columns(
            adapted,
            shape.labels,
            shape.models,
            min_confidence=how.min_confidence,
            dimensions=how.dimensions,
        )

    def windows(self, table: pa.Table) -> pa.Table:
        """Give the rows of the segments table; a window is told as it was heard."""
        shape, how = self.shape, self.shape.postprocess
        return segments_table(
            table,
            shape.labels,
            shape.models,
            min_confidence=how.min_confidence,
            dimensions=how.dimensions,
        )

    def warnings(self) -> list[str]:
        """Say what the user should know of how it went."""
        return [] if self._adapter is None else self._adapter.warnings()
