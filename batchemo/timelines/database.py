"""A database of audformat: one folder for all recordings of a table.

DIR/
  db.yaml            the schemes and tables
  db.TIER.csv        file, start, end, emotion and confidence of every stretch of a tier
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

from batchemo.common.files import atomic_write
from batchemo.common.text import for_display
from batchemo.timelines.read import EMOTION, Timeline
from batchemo.timelines.stretches import Stretch

HEADER = "db.yaml"
_COLUMNS = ("file", "start", "end", "emotion", "confidence")
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]")


def write_database(timelines: Iterable[tuple[str, Timeline]], folder: Path) -> int:
    """Write the timelines, each under the name of its file; return how many there were."""
    labels: dict[str, None] = {}
    tables: dict[str, IO[bytes]] = {}
    count = 0
    with ExitStack() as files:
        for name, timeline in timelines:
            count += 1
            for tier, stretches in timeline.tiers.items():
                labels.update(dict.fromkeys(for_display(one.label) for one in stretches))
                table = _NOT_IN_A_NAME.sub("_", tier)
                if table not in tables:
                    path = folder / f"db.{table}.csv"
                    tables[table] = files.enter_context(atomic_write(path))
                    tables[table].write(_csv([_COLUMNS]))
                tables[table].write(_csv(_row(name, stretch) for stretch in stretches))
    names = sorted(tables) or [EMOTION]
    with atomic_write(folder / HEADER) as file:
        file.write(_header(names, sorted(labels)).encode())
    return count


def _header(tables: list[str], labels: list[str]) -> str:
    """Return the header: every JSON document is a YAML document too."""
    columns = {name: {"scheme_id": name} for name in _COLUMNS[3:]}
    header: dict[str, Any] = {
        "name": "batchemo",
        "source": "batchemo export",
        "usage": "other",
        "languages": [],
        "description": "How expressions sound, as a model predicts: not what people feel.",
        "schemes": {
            "emotion": {"dtype": "str", "labels": labels},
            "confidence": {"dtype": "float", "minimum": 0.0, "maximum": 1.0},
        },
        "tables": {name: {"type": "segmented", "columns": columns} for name in tables},
    }
    return json.dumps(header, indent=2, ensure_ascii=False) + "\n"


def _row(name: str, stretch: Stretch) -> tuple[str, ...]:
    times = _timedelta(stretch.start), _timedelta(stretch.end)
    return (name, *times, for_display(stretch.label), f"{stretch.confidence:.4f}")


def _csv(rows: Iterable[Sequence[str]]) -> bytes:
    # Without the mark that other CSVs have against formulas: audformat takes names as they are.
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _timedelta(seconds: float) -> str:
    """Return a time as pandas writes it, to the microsecond.

    >>> _timedelta(3661.5)
    '0 days 01:01:01.500000'
    """
    microseconds = round(seconds * 1_000_000)
    minutes, microseconds = divmod(microseconds, 60_000_000)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"{days} days {hours:02}:{minutes:02}:{microseconds / 1_000_000:09.6f}"
