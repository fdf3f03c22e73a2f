"""What a scan prints at its end: the summary, warnings, one final line, or the dry run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, TYPE_CHECKING

import click

from batchemo.batch.events import Report
from batchemo.cli.output.format import bar, bar_width, clock
from batchemo.cli.output.progress import warn
from batchemo.common.text import counted, for_display
from batchemo.sources.filters import extension_option
from batchemo.tables.schema import STATUS_FAILED, STATUS_OK
from batchemo.tables.summary import NO_LABEL, UNFAMILIAR, Count, Summary

if TYPE_CHECKING:
    from rich.table import Table

    from batchemo.batch.dry_run import DryRun


def final_line(report: Report) -> str:
    """Return one line that says how the scan went."""
    new = f" ({report.new_failures:,} new)" if report.failed != report.new_failures else ""
    missing = report.failed_missing
    failed = _texts_that_apply(
        {
            f"{missing:,} missing": missing,
            f"{report.failed - missing:,} failed": report.failed - missing,
        }
    )
    if failed:
        failed[-1] += new
    parts = [counted(report.analysed, "recording") + " analysed", *failed, *remarks(report)]
    if report.problems:
        parts.append(counted(len(report.problems), "source") + " could not be read")
    output = f" → {for_display(report.output)}" if report.output else ""
    speed = f"{report.times_real_time:,.0f}× real time"
    return f"batchemo: {', '.join(parts)} in {clock(report.elapsed)} ({speed}){output}"


def show_report(report: Report, warnings: list[str], stream: IO[str]) -> None:
    """Print the summary, the remarks, the warnings, and how long the scan took."""
    from rich.console import Console

    console = Console(file=stream, highlight=False)
    recordings = counted(report.summary.count_recordings(), "recording")
    console.print(f"[bold]{recordings}[/], {report.summary.seconds / 3600:.2f} h of audio\n")
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
            f"slowest stage: {slowest} ({seconds / total:.0%} of the processing time)"
        )
    if report.output:
        console.print(f"→ {for_display(report.output)}", markup=False)


def remarks(report: Report) -> list[str]:
    """Describe the recordings and rows that this run did not analyse."""
    again = counted(report.predicted_again, "row")
    orphans = f"{report.orphans:,} rows kept" if report.orphans != 1 else "1 row kept"
    return [
        *_texts_that_apply(
            {
                f"{report.kept:,} unchanged": report.kept,
                f"{again} predicted again from embeddings": report.predicted_again,
                f"{orphans} of recordings that are not in the sources": report.orphans,
                f"{counted(report.pruned, 'row')} of deleted recordings dropped": report.pruned,
                f"{report.young:,} modified too recently, skipped": report.young,
                f"{report.duplicates:,} listed more than once, counted once": report.duplicates,
                "stopped at --limit": report.limited,
            }
        ),
        *skipped_in_folders(report.hidden, report.links, report.other_recordings),
    ]


def skipped_in_folders(hidden: int, links: int, other_recordings: Mapping[str, int]) -> list[str]:
    """Describe what was skipped in folders, with the option that would include it.

    >>> for text in skipped_in_folders(hidden=0, links=2, other_recordings={".mp3": 12}):
    ...     print(text)
    2 links skipped (--follow-links includes them)
    12 recordings in other formats skipped (12 .mp3; --ext audio includes them)
    """
    total = sum(other_recordings.values())
    formats = ", ".join(f"{number:,} {extension}" for extension, number in other_recordings.items())
    option = extension_option(other_recordings)
    return _texts_that_apply(
        {
            f"{counted(hidden, 'hidden file')} skipped (--hidden includes them)": hidden,
            f"{counted(links, 'link')} skipped (--follow-links includes them)": links,
            f"{counted(total, 'recording')} in other formats skipped ({formats}; {option} "
            "includes them)": total,
        }
    )


def warnings(report: Report) -> list[str]:
    """Return messages about problems that the user should look into."""
    messages = [f"could not be read: {for_display(problem)}" for problem in report.problems]
    messages += [
        f"{for_display(root)} is missing or empty: its rows are kept; --overwrite drops them"
        for root in report.empty_roots
    ]
    if report.unreachable:
        number = counted(report.unreachable, "recording")
        messages.append(f"{number} could not be reached; their earlier rows are kept")
    messages += report.empty
    messages += unfamiliar_warning(report.summary)
    messages += map(for_display, report.warnings)
    return messages


def unfamiliar_warning(summary: Summary) -> list[str]:
    """Say that labels are not to be trusted, where most recordings are unlike the training's.

    >>> few, most = Count(3, known=3, unfamiliar=1), Count(3, known=3, unfamiliar=2)
    >>> unfamiliar_warning(Summary(counts={("all", "ok", "sad"): few}))
    []
    >>> print(*unfamiliar_warning(Summary(counts={("all", "ok", "sad"): most})))
    2 of 3 recordings are unlike those that the model was trained on (familiarity below 0.3): ...
    """
    total = summary.total()
    # Then the median recording's familiarity is below the limit.
    if 2 * total.unfamiliar <= total.known:
        return []
    return [
        f"{total.unfamiliar:,} of {counted(total.known, 'recording')} are unlike those that the "
        f"model was trained on (familiarity below {UNFAMILIAR:g}): their labels are not to be "
        "trusted. Listen to some before you use them; see docs/models.md"
    ]


def _texts_that_apply(texts: Mapping[str, object]) -> list[str]:
    return [text for text, applies in texts.items() if applies]


def show_summary(summary: Summary, stream: IO[str]) -> None:
    """Print emotions with shares and bars, and failures by reason; a table for each group.

    And the mean familiarity, of each group and of all recordings, where there is one.
    """
    from rich.console import Console

    console = Console(file=stream, highlight=False)
    groups = sorted({group for group, _, _ in summary.counts})
    for group in groups:
        counts = {
            (status, kind): count
            for (of_group, status, kind), count in summary.counts.items()
            if of_group == group
        }
        if summary.group_by is not None:
            total = summary.total(group)
            facts = [counted(total.recordings, "recording")]
            if total.known:
                facts.append(f"mean familiarity {total.mean_familiarity:.2f}")
            console.print(f"\n{for_display(group)}: {', '.join(facts)}", markup=False)
        for status in (STATUS_OK, STATUS_FAILED):
            if summary.count_recordings(status, group):
                console.print(_summary_table(counts, status, bar_width(console.width)))
                console.print()
    total = summary.total()
    if total.known:
        console.print(
            f"mean familiarity {total.mean_familiarity:.2f} "
            "(1: like the training recordings; 0: nothing like them)"
        )


def _summary_table(counts: dict[tuple[str, str], Count], status: str, width: int) -> Table:
    """Return the rows of a status with bars of this width; without bars, also with fewer columns.

    A terminal that is too narrow for bars is too narrow for the minutes too.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    is_ok = status == STATUS_OK
    rows = [(kind, count) for (of_status, kind), count in counts.items() if of_status == status]
    rows.sort(key=lambda row: (-row[1].recordings, row[0]))
    total = sum(count.recordings for _, count in rows)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("emotion" if is_ok else "failed", no_wrap=True)
    for title in ("recordings", "share"):
        table.add_column(title, justify="right", no_wrap=True)
    if width:
        table.add_column("", no_wrap=True)
        table.add_column("minutes", justify="right")
    if is_ok:
        table.add_column("confidence", justify="right")
    for kind, count in rows:
        share = count.recordings / total
        cells = [for_display(kind) or "(no labels)", f"{count.recordings:,}", f"{share:.1%}"]
        if width:
            cells += [bar(share, width), f"{count.seconds / 60:,.1f}"]
        if is_ok:
            mean = count.confidence / count.recordings
            cells.append("" if kind == NO_LABEL else f"{mean:.2f}")
        style = "" if is_ok else "yellow"
        table.add_row(*(Text(cell, style=style) for cell in cells))
    return table


STATE_MEANINGS = {
    "new": "will be analysed",
    "changed": "will be analysed again",
    "unchanged": "earlier rows are kept",
    "gone": "in the earlier table, but deleted since (--prune drops their rows)",
    "elsewhere": "in the earlier table, but not in the sources: their rows are kept",
}


def show_dry_run(found: DryRun, stream: IO[str]) -> None:
    """Print how many recordings are in each state, with examples."""
    for name, state in found.states():
        size = f", {state.bytes / 2**20:,.1f} MiB" if state.bytes else ""
        recordings = counted(state.files, "recording")
        click.echo(f"{name:<10}{recordings}{size}: {STATE_MEANINGS[name]}", stream)
        if name != "unchanged":
            for example in state.examples:
                click.echo(f"          {for_display(example)}", stream)
            if state.files > len(state.examples):
                click.echo("          …", stream)
    skipped = (
        (found.young, "file", "modified too recently"),
        (found.duplicates, "file", "listed more than once"),
        (found.hidden, "hidden file", "--hidden includes them"),
        (found.links, "link", "--follow-links includes them"),
    )
    for count, noun, reason in skipped:
        if count:
            click.echo(f"skipped   {counted(count, noun)}: {reason}", stream)
    for extension, number in found.other_recordings.items():
        reason = f"{extension_option([extension])} includes them"
        click.echo(f"skipped   {counted(number, f'{extension} file')}: {reason}", stream)
    if found.limited:
        click.echo("stopped at --limit", stream)
    for problem in found.problems:
        warn(f"could not be read: {problem}")
    for message in found.empty:
        warn(message)
