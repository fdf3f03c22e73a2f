"""The features table: one row a window, or one a frame, with the recipe's own columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

FRAME = "frame"

FEATURES = {
    "root": "as in the files table",
    "file": "as in the files table",
    "status": "ok, or failed: then this is the recording's only row, and holds no features",
    "reason": "why it failed, a code (see docs/audio.md); null where status is ok",
    "detail": "what was found, in words; null where status is ok",
    "start": "where the window begins, in seconds; null where status is failed",
    "end": "where it ends, in seconds; null where status is failed",
    "speech": "whether the window sounds like speech; null where status is failed",
    FRAME: "the frame's number in its window, from 0; only where the recipe gives frames",
}
"""The columns before the recipe's own."""


def features_schema(
    names: Sequence[str], *, frames: bool, extras: pa.Schema | None = None
) -> pa.Schema:
    """Give the schema for a recipe's columns and a manifest's own columns.

    >>> features_schema(["rms"], frames=False).names[-4:]
    ['start', 'end', 'speech', 'rms']
    """
    import pyarrow as pa

    text, code = pa.string(), pa.dictionary(pa.int32(), pa.string())
    types = {
        "root": code,
        "file": text,
        "status": code,
        "reason": code,
        "detail": text,
        "start": pa.float64(),
        "end": pa.float64(),
        "speech": pa.bool_(),
        FRAME: pa.int32(),
    }
    fields = [pa.field(name, types[name]) for name in FEATURES if frames or name != FRAME]
    fields += [pa.field(name, pa.float32()) for name in names]
    return pa.schema(fields + (list(extras) if extras is not None else []))
