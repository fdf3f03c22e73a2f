"""Makes the segments table of rows that carry their windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from batchemo.tables.columns import probability_columns
from batchemo.tables.schema import segments_schema
from batchemo.tables.verdicts import columns_of, dimension_columns, verdicts

if TYPE_CHECKING:
    import pyarrow as pa


def explode(
    table: pa.Table,
    labels: Sequence[str],
    models: Sequence[str] = (),
    *,
    min_confidence: float = 0.0,
    dimensions: bool = False,
) -> pa.Table:
    """Give a row for every window of the rows of `table`, in their order."""
    import pyarrow as pa
    import pyarrow.compute as pc

    lists = table["segments"].combine_chunks()
    owners = pc.list_parent_indices(lists)
    windows = lists.flatten()
    heard = windows.field("p")
    silent = heard.is_null().to_numpy(zero_copy_only=False)
    probabilities = np.full((len(windows), len(labels)), np.nan, np.float32)
    probabilities[~silent] = heard.flatten().to_numpy().reshape(-1, len(labels))
    emotion, confidence, _ = verdicts(probabilities, labels, min_confidence)
    columns = {
        "root": table["root"].take(owners),
        "file": table["file"].take(owners),
        "start": windows.field("start"),
        "end": windows.field("end"),
        "emotion": emotion.dictionary_encode(),
        "confidence": confidence,
    }
    columns |= columns_of(probabilities, probability_columns(labels))
    if dimensions:
        columns |= dimension_columns(probabilities, labels)
    if models:
        hearers = pa.array(models, pa.string()).take(windows.field("model"))
        columns["model"] = hearers.dictionary_encode()
    schema = segments_schema(labels, several=bool(models), dimensions=dimensions)
    return pa.table(columns).select(schema.names).cast(schema)
