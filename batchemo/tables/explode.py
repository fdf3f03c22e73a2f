"""Makes the segments table of rows that carry their windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from batchemo.tables.columns import probability_columns
from batchemo.tables.rows import judge
from batchemo.tables.schema import segments_schema

if TYPE_CHECKING:
    import pyarrow as pa


def explode(table: pa.Table, labels: Sequence[str], models: Sequence[str] = ()) -> pa.Table:
    """Give a row for every window of the rows of `table`, in their order."""
    import pyarrow as pa
    import pyarrow.compute as pc

    lists = table["segments"].combine_chunks()
    owners = pc.list_parent_indices(lists)
    windows = lists.flatten()
    heard = windows.field("p")
    silent = heard.is_null().to_numpy(zero_copy_only=False)
    probabilities = np.zeros((len(windows), len(labels)), np.float32)
    probabilities[~silent] = heard.flatten().to_numpy().reshape(-1, len(labels))
    best, confidence, _ = judge(probabilities)
    columns = {
        "root": table["root"].take(owners),
        "file": table["file"].take(owners),
        "start": windows.field("start"),
        "end": windows.field("end"),
        "emotion": pa.array(np.array(labels, object)[best], pa.string(), mask=silent),
        "confidence": pa.array(confidence, mask=silent),
    }
    for index, name in enumerate(probability_columns(labels)):
        columns[name] = pa.array(probabilities[:, index], mask=silent)
    columns["emotion"] = columns["emotion"].dictionary_encode()
    if models:
        hearers = pa.array(models, pa.string()).take(windows.field("model"))
        columns["model"] = hearers.dictionary_encode()
    schema = segments_schema(labels, several=bool(models))
    return pa.table(columns).select(schema.names).cast(schema)
