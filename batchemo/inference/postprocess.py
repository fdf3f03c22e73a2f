"""From the rows that workers return to the rows of the tables.

Two steps: the models' probabilities are adapted to each speaker and to the class shares of the
corpus, where that is asked for, and the derived columns (label, confidence, margin, agreement,
dimensions) are appended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from batchemo.bundles.class_shares import log_shares
from batchemo.bundles.speaker_adaptation import SpeakerMeans, log_probabilities
from batchemo.common.arrays import Float32, Float64
from batchemo.inference.output_schema import OutputSchema
from batchemo.inference.settings import PostprocessSettings
from batchemo.tables.columns import (
    model_probability_columns,
    probability_columns,
    unadapted_columns,
)
from batchemo.tables.derived import (
    column_matrix,
    long_rows,
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
"""The model, where the name holds, and the speaker's name.

It holds below a root where it is a part of the path, and within a recording where it is a turn's.
Each model has its own bias towards a speaker, so rows of different models are never averaged; and
folders of one name below two roots are two speakers. A corpus is named by the model alone.
"""


class PostProcessor:
    """Turns rows from the chunk store into rows of the recordings and the segments table."""

    def __init__(self, schema: OutputSchema) -> None:
        self.schema = schema
        self._adapter: BiasAdapter | None = None
        if schema.postprocess.adapts:
            self._adapter = BiasAdapter(
                schema.postprocess,
                schema.labels,
                schema.models,
                of_turns="speaker" in schema.turns,
            )

    def tables(self, rows: RowSource) -> Iterator[pa.Table]:
        """Yield the rows of the recordings table, in pieces whose size is always the same.

        The pieces do not depend on the size of the chunks, or the bytes of a Parquet file would.
        Adapting needs two passes over the rows: they are read twice and never held.
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
        """Return the rows of the segments table; windows are never adapted."""
        return segments_table(
            table,
            self.schema.labels,
            self.schema.window_models,
            min_confidence=self.schema.postprocess.min_confidence,
            optional=self.schema.optional,
        )

    def warnings(self) -> list[str]:
        """Return messages for the user, once all tables have been yielded."""
        return [] if self._adapter is None else self._adapter.warnings()


class BiasAdapter:
    """Removes each model's bias towards a speaker, and towards the corpus.

    First `update` with all rows, then `adapt` them.
    """

    def __init__(
        self,
        settings: PostprocessSettings,
        labels: Sequence[str],
        models: Sequence[str],
        *,
        of_turns: bool = False,
    ) -> None:
        """Take whether the rows are of turns, whose column `speaker` holds within a recording."""
        self._by = settings.speaker
        self._by_turn = of_turns and self._by == "speaker"
        self._log_shares: Float64 | None = None
        if settings.class_shares is not None:
            self._log_shares = log_shares(settings.class_shares, labels)
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
        keys, logs = self._speaker_keys(table, probabilities), self._logs(probabilities)
        unnamed = np.array([key is None for key in keys], bool)
        known = ~(_missing(probabilities) | long_rows(table))
        self._without_speaker += int((unnamed & known).sum())
        self._means.add(keys, logs)
        if self._log_shares is not None:
            self._means.add(_corpus_keys(table, probabilities), logs)

    def warnings(self) -> list[str]:
        """Return messages for the user about the rows of all updates."""
        if self._by is None or not self._without_speaker:
            return []
        have = "recording has" if self._without_speaker == 1 else "recordings have"
        return [
            f"{self._without_speaker:,} {have} no speaker by --speaker {self._by}: what the models "
            "predict for them is not adapted"
        ]

    def adapted_probabilities(self, table: pa.Table) -> Float32:
        """Return each row's adapted probabilities (rows, models, labels), NaN where it has none.

        Without class shares, a row without a speaker keeps its probabilities, to the last bit.
        """
        probabilities = self._model_probabilities(table)
        keys, logs = self._speaker_keys(table, probabilities), self._logs(probabilities)
        if self._log_shares is None:
            adapted = self._means.adapt(keys, logs)
            is_adapted = np.array([key is not None for key in keys], bool)
        else:
            corpora = _corpus_keys(table, probabilities)
            adapted = self._means.adapt(keys, logs, corpora=corpora, log_shares=self._log_shares)
            is_adapted = ~(_missing(probabilities) | long_rows(table))
        # `adapt` goes through logarithms, which would change the last bits of the other rows too.
        after = adapted.astype(np.float32)
        result: Float32 = np.where(is_adapted[:, None, None], after, probabilities)
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

    def _logs(self, probabilities: Float32) -> Float64:
        """Return the logarithms; labels that the corpus does not have are impossible."""
        # Rows without probabilities have no key and are ignored; 1.0 keeps their logs finite.
        logs = log_probabilities(np.nan_to_num(probabilities, nan=1.0))
        if self._log_shares is not None:
            logs[..., np.isneginf(self._log_shares)] = -np.inf
        return logs

    def _speaker_keys(self, table: pa.Table, probabilities: Float32) -> list[SpeakerKey | None]:
        """Return each row's speaker; None where none is named or there are no probabilities."""
        if self._by is None:
            return [None] * table.num_rows
        speakers = group_names(table, self._by).to_pylist()
        models = table["model"].to_pylist()
        is_part_of_path = self._by not in table.column_names
        roots = table["root"].to_pylist() if is_part_of_path else [""] * len(models)
        if self._by_turn:
            # Tools call speakers by numbers, which begin anew in each recording.
            names = zip(table["root"].to_pylist(), table["file"].to_pylist(), strict=True)
            roots = ["\0".join(recording) for recording in names]
        # Shares of time are not averaged with probabilities, nor adapted.
        missing = _missing(probabilities) | long_rows(table)
        rows = zip(models, roots, speakers, missing, strict=True)
        return [
            (model, root, speaker) if speaker and not missing else None
            for model, root, speaker, missing in rows
        ]


def _missing(probabilities: Float32) -> NDArray[np.bool_]:
    return np.asarray(np.isnan(probabilities).any(axis=(1, 2)), np.bool_)


def _corpus_keys(table: pa.Table, probabilities: Float32) -> list[tuple[str] | None]:
    """Return the corpus of each row; None where there are no probabilities."""
    missing = _missing(probabilities) | long_rows(table)
    rows = zip(table["model"].to_pylist(), missing, strict=True)
    return [None if missing else (model,) for model, missing in rows]
