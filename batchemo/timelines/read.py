"""Reads timelines from a table: of windows (a segments table), or one stretch for each recording.

Rows of a recording stand together in the tables of a scan, so one recording at a time is held.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, groupby, repeat
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from batchemo.common.text import for_display
from batchemo.errors import UsageError
from batchemo.tables.columns import probability_columns, turns_of
from batchemo.tables.read import TableFile, open_table
from batchemo.timelines.stretches import Joining, Stretch, Windows, join_windows

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
    """The stretches of each tier by its name: of one tier, or of one for each speaker, channel or
    model."""


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
    if turns_of(table.schema.names):
        return _from_turns(table)
    if {"start", "end", EMOTION} <= names and "status" not in names:
        return _from_segments(table, joining)
    if {"duration", EMOTION, "confidence"} <= names:
        return _from_recordings(table)
    raise UsageError(
        f"{for_display(str(path))} is no segments or recordings table: give one that scan's"
        " --segments or -o wrote"
    )


def _from_segments(table: TableFile, joining: Joining) -> Iterator[Timeline]:
    columns = ["root", "file", "start", "end", *probability_columns(table.labels)]
    for (root, file), of_recording in groupby(_rows(table, columns), key=lambda row: row[:2]):
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
    for root, file, duration, label, confidence, tier in _rows(table, columns):
        if label is not None:
            whole = Stretch(0.0, duration, label, confidence)
            yield Timeline(root, file, duration, {tier: [whole]})


def _from_turns(table: TableFile) -> Iterator[Timeline]:
    """Yield a timeline for each recording, of its turns that have a label."""
    times = [name for name in ("start", "end") if name in table.schema.names]
    columns = ["root", "file", "duration", EMOTION, "confidence", *times]
    for (root, file), rows in groupby(_rows(table, columns), key=lambda row: row[:2]):
        tiers: dict[str, list[Stretch]] = {}
        stretches = []
        for _, _, duration, label, confidence, *span, tier in rows:
            start, end = span if span and span[0] is not None else (0.0, duration)
            if label is not None:
                stretches.append((tier, Stretch(start, end, label, confidence)))
        for tier, stretch in sorted(stretches, key=lambda one: one[1].start):
            name = _free_tier(tiers, tier, stretch)
            tiers.setdefault(name, []).append(stretch)
        if tiers:
            yield Timeline(root, file, max(stretch.end for _, stretch in stretches), tiers)


def _free_tier(tiers: dict[str, list[Stretch]], tier: str, stretch: Stretch) -> str:
    """Return the name of a tier in which nothing overlaps with a stretch: numbered if need be."""
    for number in count(1):
        name = tier if number == 1 else f"{tier} {number}"
        if name not in tiers or tiers[name][-1].end <= stretch.start:
            return name
    raise AssertionError  # There is no end of numbers.


_TIER_COLUMNS = ("speaker", "channel", "model")
"""The columns that tell tiers apart, as far as a table has them."""


def _rows(table: TableFile, columns: list[str]) -> Iterator[_Row]:
    """Yield the rows, each with the name of its tier behind it: of the only one, `EMOTION`."""
    # The model of a recordings table is the same for all rows, or was.
    wanted = _TIER_COLUMNS[:2] if "status" in table.schema.names else _TIER_COLUMNS
    own = turns_of(table.schema.names) if "status" in table.schema.names else table.schema.names
    tier_columns = [name for name in wanted if name in own]
    for batch in table.batches([*columns, *tier_columns]):
        values = [batch.column(name).to_pylist() for name in columns]
        parts = [batch.column(name).to_pylist() for name in tier_columns]
        names = (
            _tier_name(dict(zip(tier_columns, row, strict=True)))
            for row in (zip(*parts, strict=True) if parts else repeat((), batch.num_rows))
        )
        yield from zip(*values, names, strict=True)


def _tier_name(parts: dict[str, Any]) -> str:
    """Return what a tier is called.

    >>> _tier_name({"speaker": "anna", "channel": 1}), _tier_name({"speaker": None})
    ('anna, channel 1', 'emotion')
    """
    named = {name: value for name, value in parts.items() if value is not None}
    shown = (f"channel {value}" if name == "channel" else value for name, value in named.items())
    return ", ".join(shown) or EMOTION
