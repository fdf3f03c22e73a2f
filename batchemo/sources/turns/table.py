"""Turns in a table, or a manifest: the columns start and end, and speaker and channel if wanted."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from batchemo.common.text import for_display, from_text
from batchemo.common.turns import Turn
from batchemo.sources.turns.values import (
    TurnsError,
    add_turn,
    channel_of,
    checked_seconds,
    seconds_of,
    speaker_of,
)

if TYPE_CHECKING:
    import pyarrow

TIMES = ("start", "end")
COLUMNS = (*TIMES, "speaker", "channel")


def has_turns(columns: Sequence[str]) -> bool:
    """Return whether a table with these columns gives turns.

    >>> has_turns(["file", "start", "end"]), has_turns(["file", "start"])
    (True, False)
    """
    return set(TIMES) <= set(columns)


def turns_of(table: pyarrow.Table, title: str) -> list[Turn]:
    """Return the turn of each row, with the row's number; without times it is all of a recording.

    `TurnsError` for what is no time, no speaker or no channel.
    """
    starts, ends = (_values(table, name, _seconds, title) for name in TIMES)
    speakers = _values(table, "speaker", lambda value: speaker_of(str(value)), title)
    channels = _values(table, "channel", channel_of, title)
    turns = []
    rows = zip(starts, ends, speakers, channels, strict=True)
    for row, (start, end, speaker, channel) in enumerate(rows):
        if (start is None) != (end is None):
            raise TurnsError(f"row {row + 1:,} of {title} has only one of start and end")
        turns.append(Turn(start, end, speaker, channel, row))
    return turns


def read_table_of_turns(path: str) -> dict[str, list[Turn]]:
    """Read the turns of each recording that a table names by its column `file`."""
    from batchemo.sources.manifest import read_manifest

    manifest = read_manifest(path)
    if manifest.turns is None:
        columns = for_display(", ".join(manifest.extras.column_names)) or "none"
        raise TurnsError(f"it has no columns start and end; besides file it has: {columns}")
    found: dict[str, list[Turn]] = {}
    for cells, turn in zip(manifest.paths.to_pylist(), manifest.turns, strict=True):
        name = from_text(cells["file"] or "")
        if not name:
            raise TurnsError(f"row {(turn.row or 0) + 1:,} names no file")
        key = os.path.join(from_text(cells.get("root") or ""), name)
        # What else the table has is no manifest: its rows are not those of the results.
        own = Turn(turn.start, turn.end, turn.speaker, turn.channel)
        add_turn(found.setdefault(key, []), own)
    return found


def _values(
    table: pyarrow.Table, name: str, read: Callable[[Any], Any], title: str
) -> list[Any | None]:
    if name not in table.column_names:
        return [None] * table.num_rows
    values = []
    for row, value in enumerate(_plain(table[name]), 1):
        try:
            values.append(None if value is None or value == "" else read(value))
        except TurnsError as error:
            raise TurnsError(f"row {row:,} of {title}, column {name}: {error}") from None
    return values


def _plain(column: pyarrow.ChunkedArray) -> list[Any]:
    import pyarrow as pa

    if pa.types.is_duration(column.type):
        # As numbers of the column's own unit; as Python objects they would need pandas.
        per_second = {"s": 1, "ms": 1e3, "us": 1e6, "ns": 1e9}[column.type.unit]
        numbers = column.cast(pa.int64()).to_pylist()
        return [None if value is None else value / per_second for value in numbers]
    return list(column.to_pylist())


def _seconds(value: object) -> float:
    return seconds_of(value) if isinstance(value, str) else checked_seconds(value)
