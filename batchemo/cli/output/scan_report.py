"""What a scan reports in words: its summary, warnings, and the dry run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, TYPE_CHECKING

import click

from batchemo.batch.events import Report
from batchemo.cli.output.format import (
    bar,
    bar_width,
    clock,
    counted,
)
from batchemo.cli.output.progress import warn
from batchemo.common.text import for_display
from batchemo.tables.summary import Count, Summary

if TYPE_CHECKING:
    from rich.table import Table

    from batchemo.batch.dry_run import DryRun


def remarks(report: Report) -> list[str]:
    """Say what became of recordings and rows that were not analysed."""
    kept, left_over = f"{report.kept:,} kept", f"{report.left_over:,} kept"
    told = {
        f"{kept} from earlier runs": report.kept,
        f"{left_over} of recordings that are not among the sources": report.left_over,
        f"{counted(report.pruned, 'row')} dropped of vanished recordings": report.pruned,
        f"{report.young:,} too young, left for the next run": report.young,
        f"{report.duplicates:,} named more than once, counted once": report.duplicates,
        "stopped at the limit": report.limited,
    }
    return [*_those_that_hold(told), *passed_over(report.hidden, report.links)]


def passed_over(hidden: int, links: int) -> list[str]:
    """Say what a walk did not look into, and which option would.

    >>> passed_over(hidden=0, links=2)
    ['2 links not followed (--follow-links does)']
    """
    return _those_that_hold(
        {
            f"{counted(hidden, 'hidden file')} left out (--hidden takes them)": hidden,
            f"{counted(links, 'link')} not followed (--follow-links does)": links,
        }
    )


def warnings(report: Report, extensions: tuple[str, ...]) -> list[str]:
    """Say what the user should look into."""
    told = [f"could not be read: {for_display(problem)}" for problem in report.problems]
    told += [
        f"{for_display(root)} is not there or empty: its rows are kept; --overwrite begins anew"
        for root in report.empty_roots
    ]
    if report.unreachable:
        number = counted(report.unreachable, "recording")
        told.append(f"{number} could not be reached; their earlier rows are kept")
    told += map(for_display, report.warnings)
    found = report.analysed or report.kept or report.young or report.limited
    if not found and not told:
        told.append(nothing_found(extensions))
    return told


def nothing_found(extensions: tuple[str, ...]) -> str:
    """Say what was looked for in vain, and what else there is.

    >>> nothing_found(("audio",))
    'no recordings were found. Folders are searched for audio'
    """
    searched = f"no recordings were found. Folders are searched for {', '.join(extensions)}"
    if {"audio", "any"} & set(extensions):
        return searched
    return f"{searched}; --ext audio looks for all that can be read"


def _those_that_hold(told: Mapping[str, object]) -> list[str]:
    return [text for text, holds in told.items() if holds]


def show_report(report: Report, warnings: list[str], stream: IO[str]) -> None:
    """Print what a scan found, how it went and what to look into."""
    from rich.console import Console

    console = Console(file=stream, highlight=False)
    known = report.summary.count_recordings()
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
            total = summary.count_recordings(group=group)
            console.print(f"\n{for_display(group)}: {counted(total, 'recording')}", markup=False)
        for status in ("ok", "failed"):
            if summary.count_recordings(status, group):
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
    total = sum(count.recordings for _, count in rows)
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
        share = count.recordings / total
        cells = [for_display(kind), f"{count.recordings:,}", f"{share:.1%}"]
        if width:
            cells += [bar(share, width), f"{count.seconds / 60:,.1f}"]
        if heard:
            cells.append(f"{count.confidence / count.recordings:.2f}")
        style = "" if heard else "yellow"
        table.add_row(*(Text(cell, style=style) for cell in cells))
    return table


MEANING = {
    "new": "to be analysed",
    "changed": "known, to be analysed again",
    "unchanged": "kept",
    "gone": "in the earlier table, no longer there (--prune drops them)",
    "elsewhere": "in the earlier table, there, but not among the sources: kept",
}


def show_dry_run(found: DryRun, stream: IO[str]) -> None:
    """Print how many recordings are in which state, with examples."""
    for name, state in found.states():
        size = f", {state.bytes / 2**20:,.1f} MiB" if state.bytes else ""
        click.echo(f"{name:<10}{counted(state.files, 'recording')}{size}: {MEANING[name]}", stream)
        if name != "unchanged":
            for example in state.examples:
                click.echo(f"          {for_display(example)}", stream)
            if state.files > len(state.examples):
                click.echo("          …", stream)
    left_out = (
        (found.young, "file", "too young"),
        (found.duplicates, "file", "named more than once"),
        (found.hidden, "hidden file", "--hidden takes them"),
        (found.links, "link", "--follow-links follows them"),
    )
    for count, kind, why in left_out:
        if count:
            click.echo(f"left out  {counted(count, kind)}: {why}", stream)
    if found.limited:
        click.echo("stopped at the limit", stream)
    for problem in found.problems:
        warn(f"could not be read: {problem}")


def final_line(report: Report) -> str:
    """Say in one line how the scan went."""
    failed = [f"{report.failed:,} failed"] if report.failed else []
    parts = [counted(report.analysed, "recording") + " analysed", *failed, *remarks(report)]
    if report.problems:
        parts.append(counted(len(report.problems), "source") + " could not be read")
    where = f" → {for_display(report.output)}" if report.output else ""
    speed = f"{report.times_real_time:,.0f}× real time"
    return f"batchemo: {', '.join(parts)} in {clock(report.elapsed)} ({speed}){where}"
