"""Turns in the JSON of whisperX: its segments, with the speaker where one was assigned."""

from __future__ import annotations

import json
from typing import Any

from batchemo.common.turns import Turn
from batchemo.sources.turns.values import (
    TurnsError,
    add_turn,
    checked_seconds,
    content_of,
    decoded,
    speaker_of,
)

_MAX_BYTES = 16 * 2**20
"""A list of lists takes twenty times its size in memory."""


def read_whisperx(path: str) -> list[Turn]:
    """Read the segments: start, end and, if there is one, speaker."""
    content = content_of(path)
    if len(content) > _MAX_BYTES:
        raise TurnsError(f"it has {len(content):,} bytes; at most {_MAX_BYTES:,} are read")
    try:
        document = json.loads(decoded(content), parse_constant=_refuse)
    except RecursionError:
        raise TurnsError("it is nested deeper than JSON of whisperX is") from None
    except ValueError as error:
        raise TurnsError(f"it is no JSON that can be read: {error}") from None
    segments = document.get("segments") if isinstance(document, dict) else None
    if not isinstance(segments, list):
        raise TurnsError("it is JSON, but not of whisperX: it has no list `segments`")
    turns: list[Turn] = []
    for number, segment in enumerate(segments, 1):
        try:
            add_turn(turns, _turn(segment))
        except TurnsError as error:
            raise TurnsError(f"segment {number:,}: {error}") from None
    return turns


def _turn(segment: Any) -> Turn:
    if not isinstance(segment, dict):
        raise TurnsError("it is no object with start and end")
    speaker = segment.get("speaker")
    if not isinstance(speaker, (str, type(None))):
        raise TurnsError("its speaker is no text")
    start, end = (checked_seconds(segment.get(name)) for name in ("start", "end"))
    return Turn(start, end, speaker_of(speaker or ""))


def _refuse(name: str) -> float:
    raise TurnsError(f"{name!r} is no time in seconds")
