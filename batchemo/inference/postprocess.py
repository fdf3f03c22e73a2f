"""From the rows that workers return to the rows of the tables.

Two steps: the models' probabilities are adapted to each speaker, where that is asked for, and the
derived columns (label, confidence, margin, agreement, dimensions) are appended.
"""

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

RowSource = Callable[[], Iterable["pa.RecordBatch"]]
"""Returns the rows from the chunk store with the columns of `OutputSchema.extras`; every call
starts from the first row again."""

SpeakerKey = tuple[str, str, str]
"""The model, the root where the speaker is a part of the path, and the speaker's name.

Each model has its own bias towards a speaker, so rows of different models are never averaged; and
folders of one name below two roots are two speakers.
"""


class PostProcessor:
    """Turns rows from the chunk store into rows of the recordings and the segments table."""

    def __init__(self, schema: OutputSchema) -> None:
        self.schema = schema
        self._adapter: SpeakerAdapter | None = None
        if schema.postprocess.speaker is not None:
            self._adapter = SpeakerAdapter(schema.postprocess.speaker, schema.labels, schema.models)

    def tables(self, rows: RowSource) -> Iterator[pa.Table]:
        """Yield the rows of the recordings table, in pieces whose size is always the same.

        The pieces do not depend on the size of the chunks, or the bytes of a Parquet file would.
        Adapting to speakers needs two passes over the rows: they are read twice and never held.
        """
        import pyarrow as pa

        if self._adapter is not None:
            for batch in rows():
                self._adapter.update(pa.Table.from_batches([batch]))
        for piece in rechunk(rows(), self.schema.rows_with_extras_schema()):
            table = piece if self._adapter is None else self._adapter.adapt(piece)
            settings = self.schema.postprocess
            derived = with_derived_columns(
                table,
                self.schema.labels,
                self.schema.models,
                min_confidence=settings.min_confidence,
                dimensions=settings.dimensions,
            )
            yield conform(derived, self.schema.recordings_with_segments_schema())

    def segments(self, table: pa.Table) -> pa.Table:
        """Return the rows of the segments table; windows are never adapted to a speaker."""
        settings = self.schema.postprocess
        return segments_table(
            table,
            self.schema.labels,
            self.schema.models,
            min_confidence=settings.min_confidence,
            dimensions=settings.dimensions,
        )

    def warnings(self) -> list[str]:
        """Return messages for the user, once all tables have been yielded."""
        return [] if self._adapter is None else self._adapter.warnings()


class SpeakerAdapter:
    """Removes each model's bias towards a speaker; `by` is what names the speaker of a row.

    First `update` with all rows, then `adapt` them.
    """

    def __init__(self, by: str, labels: Sequence[str], models: Sequence[str]) -> None:
        self._by = by
        self._joint_columns = probability_columns(labels)
        of_models = [model_probability_columns(labels, model) for model in models]
        self._model_columns = of_models or [self._joint_columns]
        raw = [*self._joint_columns, *(name for names in of_models for name in names)]
        unadapted = [name for name, _ in unadapted_columns(labels, models)]
        self._raw_by_unadapted = dict(zip(unadapted, raw, strict=True))
        self._means = SpeakerMeans()
        self._without_speaker = 0

    def update(self, table: pa.Table) -> None:
        """Add rows to the means of their speakers."""
        probabilities = self._model_probabilities(table)
        keys = self._speaker_keys(table, probabilities)
        unnamed = np.array([key is None for key in keys], bool)
        self._without_speaker += int((unnamed & ~_missing(probabilities)).sum())
        self._means.add(keys, _logs(probabilities))

    def warnings(self) -> list[str]:
        """Return messages for the user about the rows of all updates."""
        if not self._without_speaker:
            return []
        have = "recording has" if self._without_speaker == 1 else "recordings have"
        return [
            f"{self._without_speaker:,} {have} no speaker by --speaker {self._by}: what the models "
            "predict for them is not adapted"
        ]

    def adapted_probabilities(self, table: pa.Table) -> Float32:
        """Return each row's adapted probabilities (rows, models, labels), NaN where it has none.

        A row without a speaker keeps its probabilities, to the last bit.
        """
        probabilities = self._model_probabilities(table)
        keys = self._speaker_keys(table, probabilities)
        named = np.array([key is not None for key in keys], bool)
        adapted = self._means.adapt(keys, _logs(probabilities)).astype(np.float32)
        # `adapt` goes through logarithms, which would change the last bits of the other rows too.
        result: Float32 = np.where(named[:, None, None], adapted, probabilities)
        return result

    def adapt(self, table: pa.Table) -> pa.Table:
        """Return the rows adapted, with the probabilities from before in columns of their own."""
        import pyarrow as pa

        adapted = self.adapted_probabilities(table)
        # A row kept from a run with other models has joint probabilities but none of our models'.
        missing = _missing(adapted)[:, None]
        joint = np.where(
            missing, column_matrix(table, self._joint_columns), mean_probabilities(adapted)
        )
        columns = {name: table[name] for name in table.column_names}
        columns |= {name: table[raw] for name, raw in self._raw_by_unadapted.items()}
        for index, names in enumerate(self._model_columns):
            columns |= matrix_columns(adapted[:, index], names)
        return pa.table(columns | matrix_columns(joint, self._joint_columns))

    def _model_probabilities(self, table: pa.Table) -> Float32:
        return np.stack([column_matrix(table, names) for names in self._model_columns], axis=1)

    def _speaker_keys(self, table: pa.Table, probabilities: Float32) -> list[SpeakerKey | None]:
        """Return each row's speaker; None where none is named or there are no probabilities."""
        speakers = group_names(table, self._by).to_pylist()
        models = table["model"].to_pylist()
        is_part_of_path = self._by not in table.column_names
        roots = table["root"].to_pylist() if is_part_of_path else [""] * len(models)
        rows = zip(models, roots, speakers, _missing(probabilities), strict=True)
        return [
            (model, root, speaker) if speaker and not missing else None
            for model, root, speaker, missing in rows
        ]


def _missing(probabilities: Float32) -> NDArray[np.bool_]:
    return np.asarray(np.isnan(probabilities).any(axis=(1, 2)), np.bool_)


def _logs(probabilities: Float32) -> NDArray[np.float64]:
    # Rows without probabilities have no speaker key and are ignored; 1.0 keeps their logs finite.
    return log_probabilities(np.nan_to_num(probabilities, nan=1.0))
