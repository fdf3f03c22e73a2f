"""Reads timelines from a table: of windows (a segments table), or one stretch for each recording.

Rows of a recording stand together in the tables of a scan, so one recording at a time is held.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from batchemo.common.text import for_display
from batchemo.errors import UsageError
from batchemo.tables.columns import probability_columns
from batchemo.tables.read import TableFile, open_table
from batchemo.timelines.stretches import Joining, Stretch, Windows, join_windows

if TYPE_CHECKING:
    import pyarrow as pa

EMOTION = "emotion"
"""The column with the label, and the name of the tier where there is only one."""

_Row: TypeAlias = "tuple[Any, ...]"


@dataclass(frozen=True, slots=True)
class Timeline:
    """What is heard when in a recording."""

    root: str
    file: str
    duration: float
    tiers: dict[str, list[Stretch]]
    """The stretches of each tier by its name: of one tier, or of one for each model."""


def read_timelines(path: str | Path, joining: Joining) -> Iterator[Timeline]:
    """Yield the timeline of each recording of a segments or recordings table, in its order.

    Recordings that failed have none. UsageError where the table is of another kind.
    """
    table = open_table(path)
    names = set(table.schema.names)
    if EMOTION in names and not table.labels:
        raise UsageError(
            f"{for_display(str(path))}: has no probabilities (p_<label>), which timelines are made "
            "of: give the table of a scan with a model that has labels"
        )
    if {"start", "end", EMOTION} <= names:
        return _from_segments(table, joining)
    if {"duration", EMOTION, "confidence"} <= names:
        return _from_recordings(table)
    raise UsageError(
        f"{for_display(str(path))} is no segments or recordings table: give one that scan's"
        " --segments or -o wrote"
    )


def _from_segments(table: TableFile, joining: Joining) -> Iterator[Timeline]:
    several_models = "model" in table.schema.names
    columns = ["root", "file", "start", "end", *probability_columns(table.labels)]
    batches = table.batches([*columns, "model"] if several_models else columns)
    # The tier last: the model, or the only one.
    rows = (
        row
        for batch in batches
        for row in _rows(batch, columns, "model" if several_models else None)
    )
    for (root, file), of_recording in groupby(rows, key=lambda row: row[:2]):
        by_tier: dict[str, list[_Row]] = {}
        for row in of_recording:
            by_tier.setdefault(row[-1], []).append(row[2:-1])
        windows = {tier: _windows(of_tier) for tier, of_tier in by_tier.items()}
        yield Timeline(
            root,
            file,
            # The last window is aligned to the end of the recording.
            max(float(of_tier.ends.max()) for of_tier in windows.values()),
            {
                tier: join_windows(of_tier, table.labels, joining)
                for tier, of_tier in windows.items()
            },
        )


def _windows(rows: list[_Row]) -> Windows:
    # Of a window without speech, None becomes NaN.
    values = np.array(rows, np.float64)
    return Windows(values[:, 0], values[:, 1], values[:, 2:])


def _from_recordings(table: TableFile) -> Iterator[Timeline]:
    columns = ["root", "file", "duration", EMOTION, "confidence"]
    for batch in table.batches(columns):
        for root, file, duration, label, confidence, tier in _rows(batch, columns, None):
            if label is not None:
                whole = Stretch(0.0, duration, label, confidence)
                yield Timeline(root, file, duration, {tier: [whole]})


def _rows(batch: pa.RecordBatch, columns: list[str], tier: str | None) -> Iterator[_Row]:
    """Yield the rows, each with the value of the tier's column, or the name of the only tier."""
    values = [batch.column(name).to_pylist() for name in columns]
    tiers = [EMOTION] * batch.num_rows if tier is None else batch.column(tier).to_pylist()
    return zip(*values, tiers, strict=True)
