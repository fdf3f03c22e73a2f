"""What a scan prints at its end: the summary, warnings, one final line, or the dry run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import IO, TYPE_CHECKING

import click

from batchemo.batch.events import Report
from batchemo.cli.output.format import clock
from batchemo.cli.output.progress import warn
from batchemo.cli.output.summary import (
    show_next_steps,
    show_summary,
    unfamiliar_warning,
)
from batchemo.common.text import counted, for_display
from batchemo.sources.filters import extension_option
from batchemo.tables.schema import STATUS_OK

if TYPE_CHECKING:
    from batchemo.batch.dry_run import DryRun
    from batchemo.bundles import Bundle


def final_line(report: Report) -> str:
    """Return one line that says how the scan went."""
    new = f" ({report.new_failures:,} new)" if report.failed != report.new_failures else ""
    missing = report.failed_missing
    noun, others = report.summary.noun, report.failed - missing
    # Of a recording with several rows, some may have failed.
    of_rows = (
        "" if noun == "recording" else f" of {counted(report.summary.count_recordings(), noun)}"
    )
    failed = _texts_that_apply(
        {f"{missing:,} missing": missing, f"{others:,}{of_rows} failed": others}
    )
    if failed:
        failed[-1] += new
    parts = [counted(report.analysed, "recording") + " analysed", *failed, *remarks(report)]
    if report.problems:
        parts.append(counted(len(report.problems), "source") + " could not be read")
    output = f" → {for_display(report.output)}" if report.output else ""
    speed = f"{report.times_real_time:,.0f}× real time"
    return f"batchemo: {', '.join(parts)} in {clock(report.elapsed)} ({speed}){output}"


def show_report(
    report: Report, bundles: Sequence[Bundle], stream: IO[str], html: str | None = None
) -> None:
    """Print what matters first: how many, which emotions, how far to trust them, what failed.

    `bundles` are the models that ran, and `html` is the report that was written, if any.
    """
    from rich.console import Console

    console = Console(file=stream, highlight=False)
    summary = report.summary
    failed = f", {report.failed:,} failed" if report.failed else ""
    ok = summary.count_recordings(STATUS_OK)
    console.print(f"[bold]{counted(ok, summary.noun)} analysed{failed}[/]")
    show_summary(summary, bundles, console.file)
    if notes := [*remarks(report), *problems(report)]:
        console.print()
    for line in notes:
        console.print(f"- {line}", markup=False)
    console.print()
    console.print(_speed(report), markup=False)
    for path in filter(None, (report.output, html)):
        console.print(f"→ {for_display(path)}", markup=False)
    show_next_steps(report, console.file, has_report=html is not None)


def _speed(report: Report) -> str:
    total = sum(report.stages.values())
    if not total:
        return "Nothing had to be analysed"
    slowest = max(report.stages, key=lambda stage: report.stages[stage])
    return (
        f"{counted(report.analysed, 'recording')}, {report.sound / 3600:.2f} h, in "
        f"{clock(report.elapsed)}: {report.times_real_time:,.0f}× real time; "
        f"{slowest} took {report.stages[slowest] / total:.0%}"
    )


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
    """Return messages about all that the user should look into."""
    return [*problems(report), *unfamiliar_warning(report.summary)]


def problems(report: Report) -> list[str]:
    """Return messages about what went wrong with sources and settings."""
    messages = [f"could not be read: {for_display(problem)}" for problem in report.problems]
    messages += [
        f"{for_display(root)} is missing or empty: its rows are kept; --overwrite drops them"
        for root in report.empty_roots
    ]
    if report.unreachable:
        number = counted(report.unreachable, "recording")
        messages.append(f"{number} could not be reached; their earlier rows are kept")
    messages += report.empty
    messages += map(for_display, report.warnings)
    return messages


def _texts_that_apply(texts: Mapping[str, object]) -> list[str]:
    return [text for text, applies in texts.items() if applies]


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
