"""Tables to report on, written as CSV by hand: a row is a dictionary of what matters."""

from __future__ import annotations

from typing import Any

COLUMNS = (
    *("root", "file", "status", "reason", "detail", "emotion", "confidence", "margin"),
    *("p_calm", "p_angry", "familiarity", "windows", "duration", "sample_rate", "channels"),
    *("rms_db", "clipped", "silence", "size", "mtime", "model"),
)


def analysed(file: str, emotion: str = "calm", confidence: float = 0.8, **more: Any) -> dict:
    values = {
        "root": "/rec",
        "file": file,
        "status": "ok",
        "emotion": emotion,
        "confidence": confidence,
        "familiarity": 0.5,
        "duration": 60.0,
        "rms_db": -25.0,
        "clipped": 0.0,
        "silence": 0.1,
        "mtime": "2026-01-01 00:00:00Z",
    }
    return values | more


def failed(file: str, reason: str) -> dict:
    return {"root": "/rec", "file": file, "status": "failed", "reason": reason}
