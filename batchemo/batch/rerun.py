"""Rows of an earlier table, predicted again by the head of an adapted model alone.

An adapted model differs from its base, and from others of the same base, in its head only. Where
the embeddings of a row are at hand, its probabilities can be computed without decoding; they are
those that a scan would give, to the last bit. All else in the row stays as it is, and so does the
failure of a recording that failed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from batchemo.bundles.rerun import open_head_classifier
from batchemo.errors import UsageError
from batchemo.inference.output_schema import EmbeddingOutput, OutputSchema
from batchemo.tables.columns import probability_columns
from batchemo.tables.derived import is_long, mean_probabilities
from batchemo.tables.embeddings import fixed_size_matrix
from batchemo.tables.read import TableFile
from batchemo.tables.rows import segment_lists
from batchemo.tables.schema import STATUS_OK
from batchemo.timelines.shares import speaking_shares

if TYPE_CHECKING:
    import pyarrow as pa


def same_base(output: EmbeddingOutput, run: Mapping[str, Any]) -> frozenset[str]:
    """Return the values of the column `model` whose rows have the embeddings of this run's base.

    Those of this run's model; if it is adapted, also those of its base, and of the model that made
    the earlier table if that has the same base.
    """
    names = {output.model, *output.base_models}
    base = run.get("base")
    has_ours = isinstance(base, dict) and base.get("digest") == output.provenance["digest"]
    if output.adapted is not None and has_ours:
        names.add(output.model_like(str(run.get("model")), str(run.get("digest"))))
    return frozenset(names)


class HeadRerun:
    """Gives the columns that the head changes; rows come in batches, with their embeddings."""

    def __init__(self, table: TableFile, schema: OutputSchema) -> None:
        """Open the head of the run's model."""
        output = schema.embeddings
        assert output is not None
        assert output.adapted is not None
        self._table, self._schema, self._model = table, schema, output.model
        self._models = same_base(output, table.run)
        self._head = open_head_classifier(output.adapted, output.batch_size)
        self.predicted = 0
        """Rows of other models that were predicted anew so far."""
        self._has_familiarity = "familiarity" in output.adapted.outputs

    def columns(self, batch: pa.RecordBatch, embeddings: Mapping[str, pa.Array]) -> dict[str, Any]:
        """Return the columns `model`, `p_<label>` and, if they are asked for, `segments`."""
        import pyarrow as pa
        import pyarrow.compute as pc

        ours = pc.fill_null(pc.is_in(batch["model"], pa.array(sorted(self._models))), False)
        ok = pc.equal(batch["status"], STATUS_OK)
        known = embeddings["by_window"].is_valid()
        failed = pc.and_(ours, pc.invert(ok))
        again = np.asarray(pc.and_(pc.and_(ours, ok), known), bool)
        if self._table.labels != list(self._schema.labels):
            self._refuse_other_rows(again | np.asarray(failed, bool) | ~np.asarray(ok, bool))
        self.predicted += int((again & ~np.asarray(pc.equal(batch["model"], self._model))).sum())
        model = pc.if_else(pc.or_(failed, pa.array(again)), self._model, batch["model"])
        durations = batch["duration"].to_pylist()
        probabilities, windows, offsets = self._predict(embeddings["by_window"], again, durations)
        labels = self._schema.labels
        columns: dict[str, Any] = {"model": model}
        for index, name in enumerate(probability_columns(labels)):
            new = pa.array(probabilities[:, index], mask=~again)
            if name in batch.schema.names:
                new = pc.if_else(pa.array(again), new, batch[name].cast(pa.float32()))
            columns[name] = new
        if self._schema.segments:
            columns["segments"] = segment_lists(
                offsets,
                windows["start"],
                windows["end"],
                windows["p"],
                familiarity=windows["familiarity"],
            )
        return columns

    def _predict(
        self, by_window: pa.ListArray, again: np.ndarray, durations: list[float | None]
    ) -> tuple[np.ndarray, dict[str, Any], np.ndarray]:
        """Return the rows' probabilities, their windows, and where the windows of each begin."""
        import pyarrow as pa
        import pyarrow.compute as pc

        labels = len(self._schema.labels)
        lengths = np.asarray(pc.fill_null(pc.list_value_length(by_window), 0))
        counts = np.where(again, lengths, 0)
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
        windows = by_window.filter(pa.array(again)).flatten()
        speech = np.asarray(windows.field("embedding").is_valid(), bool)
        familiarity = np.asarray(windows.field("familiarity"), np.float32)
        with_speech = windows.filter(pa.array(speech))
        p = np.full((len(windows), labels), np.nan, np.float32)
        if speech.any():
            p[speech] = self._head.run(
                fixed_size_matrix(with_speech.field("logits")),
                fixed_size_matrix(with_speech.field("embedding")),
                familiarity[speech] if self._has_familiarity else None,
            )
        starts, ends = (np.asarray(windows.field(name)) for name in ("start", "end"))
        means = np.zeros((len(again), labels), np.float32)
        for row in np.flatnonzero(again):
            inside = slice(offsets[row], offsets[row + 1])
            if is_long(durations[row]):
                means[row] = speaking_shares(starts[inside], ends[inside], p[inside])
            else:
                means[row] = mean_probabilities(p[inside][speech[inside]])
        columns = {
            "start": windows.field("start"),
            "end": windows.field("end"),
            "p": p,
            "familiarity": familiarity,
        }
        return means, columns, offsets

    def _refuse_other_rows(self, usable: np.ndarray) -> None:
        if not usable.all():
            raise UsageError(
                f"{self._table.path}: this table has the labels {', '.join(self._table.labels)}, "
                f"the model has {', '.join(self._schema.labels)}, and the embeddings of some rows "
                "are not known. Rows of both cannot be in one table: use --overwrite, or another "
                "output"
            )
