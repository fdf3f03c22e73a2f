"""Writes a report: the facts of a table, and what it is compared with, as one file."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import nlargest
from pathlib import Path

from batchemo.common.files import atomic_write
from batchemo.common.text import for_display
from batchemo.errors import UsageError
from batchemo.report.clips import clip_of
from batchemo.report.compare import Comparison, compare_tables
from batchemo.report.facts import collect_facts
from batchemo.report.page import page
from batchemo.timelines.read import Timeline, read_timelines
from batchemo.timelines.stretches import Joining

LONG, MOST_TIMELINES = 60.0, 10
"""Seconds from which on a recording is shown over time, and how many at most: the longest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions:
    """What a report holds."""

    group_by: str | None = None
    against: str | Path | None = None
    """An earlier table of the same corpus."""
    segments: str | Path | None = None
    """The segments table of the same scan, for emotions over time."""
    audio: bool = True
    """Whether the least and most certain recordings can be played."""


def write_report(
    results: str | Path,
    output: str | Path,
    options: ReportOptions = ReportOptions(),
) -> Comparison | None:
    """Write a report on a recordings table; return the comparison with the earlier one, if any.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> names = "root,file,status,reason,emotion,confidence,p_calm,duration,mtime"
    >>> row = '"/rec","a.wav","ok",,"calm",1,1,2.5,2026-01-01 00:00:00Z'
    >>> _ = (folder / "results.csv").write_text(f"{names}\\n{row}\\n")
    >>> write_report(folder / "results.csv", folder / "report.html")
    >>> "Emotions in results.csv" in (folder / "report.html").read_text()
    True
    """
    check_report(output)
    facts = collect_facts(results, group_by=options.group_by)
    comparison = None if options.against is None else compare_tables(results, options.against)
    timelines = [] if options.segments is None else _longest(options.segments)
    parts = page(facts, comparison, timelines, clip_of if options.audio else None)
    with atomic_write(Path(output)) as file:
        for part in parts:
            file.write(part.encode())
    return comparison


def check_report(output: str | Path) -> None:
    """Raise a UsageError unless the name is that of an HTML file."""
    if Path(output).suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"{for_display(str(output))}: a report is an .html file: name it so")


def _longest(segments: str | Path) -> list[Timeline]:
    timelines = read_timelines(segments, Joining())
    long = (timeline for timeline in timelines if timeline.duration >= LONG)
    return nlargest(MOST_TIMELINES, long, key=lambda timeline: timeline.duration)
