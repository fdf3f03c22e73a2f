"""Shows the report of a scan and summaries to people."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from batchemo.batch.events import Report
from batchemo.cli.output.format import (
    bar,
    bar_width,
    clock,
    counted,
)
from batchemo.cli.output.notes import remarks
from batchemo.common.text import for_display
from batchemo.tables.summary import Count, Summary

if TYPE_CHECKING:
    from rich.table import Table


def show_report(report: Report, warnings: list[str], stream: IO[str]) -> None:
    """Print what a scan found, how it went and what to look into."""
    from rich.console import Console

    console = Console(file=stream, highlight=False)
    known = report.summary.files()
    hours = report.summary.seconds / 3600
    console.print(f"[bold]{counted(known, 'recording')}[/], {hours:.2f} h of sound\n")
    show_summary(report.summary, console.file)
    for line in [*remarks(report), *warnings]:
        console.print(line, markup=False)
    stages = sorted(report.stages.items(), key=lambda item: -item[1])
    if stages:
        total = sum(report.stages.values())
        slowest, seconds = stages[0]
        console.print(
            f"{counted(report.analysed, 'recording')} analysed in {clock(report.elapsed)}, "
            f"{report.times_real_time:,.0f}× real time; "
            f"slowest stage: {slowest} ({seconds / total:.0%} of the work)"
        )
    if report.output:
        console.print(f"→ {for_display(report.output)}", markup=False)


def show_summary(summary: Summary, stream: IO[str]) -> None:
    """Print emotions with shares and bars, and failures by reason; a table for each group."""
    from rich.console import Console

    console = Console(file=stream, highlight=False)
    groups = sorted({group for group, _, _ in summary.counts})
    for group in groups:
        counts = {
            (status, kind): count
            for (of, status, kind), count in summary.counts.items()
            if of == group
        }
        if summary.group_by is not None:
            total = summary.files(group=group)
            console.print(f"\n{for_display(group)}: {counted(total, 'recording')}", markup=False)
        for status in ("ok", "failed"):
            if summary.files(status, group):
                console.print(_table(counts, status, bar_width(console.width)))
                console.print()


def _table(counts: dict[tuple[str, str], Count], status: str, width: int) -> Table:
    """Lay out the kinds of a status, with bars so wide; with none, only what matters most."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    heard = status == "ok"
    rows = [(kind, count) for (of, kind), count in counts.items() if of == status]
    rows.sort(key=lambda row: (-row[1].files, row[0]))
    total = sum(count.files for _, count in rows)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("emotion" if heard else "failed", no_wrap=True)
    for title in ("files", "share"):
        table.add_column(title, justify="right", no_wrap=True)
    if width:
        table.add_column("", no_wrap=True)
        table.add_column("minutes", justify="right")
    if heard:
        table.add_column("confidence", justify="right")
    for kind, count in rows:
        share = count.files / total
        cells = [for_display(kind), f"{count.files:,}", f"{share:.1%}"]
        if width:
            cells += [bar(share, width), f"{count.seconds / 60:,.1f}"]
        if heard:
            cells.append(f"{count.confidence / count.files:.2f}")
        style = "" if heard else "yellow"
        table.add_row(*(Text(cell, style=style) for cell in cells))
    return table
