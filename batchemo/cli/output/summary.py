"""A summary in a terminal: which emotions, how far to trust them, what failed, what to do next.

On a terminal of 80 columns no line is broken within a word, and no table is wider than it.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

from batchemo.audio.failure import REASONS
from batchemo.batch.known_rows import TRANSIENT_REASONS
from batchemo.cli.output.format import NARROW, bar, bar_width
from batchemo.common.text import counted, for_display
from batchemo.storage.url import is_url
from batchemo.tables.schema import STATUS_FAILED, STATUS_OK
from batchemo.tables.summary import NO_LABEL, UNFAMILIAR, Count, Summary

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from batchemo.batch.events import Report
    from batchemo.bundles import Bundle

MOST_BAR = 14
"""The longest bar: beside the other columns, more does not fit into 80."""


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
        f"{total.unfamiliar:,} of {counted(total.known, summary.noun)} are unlike those that the "
        f"model was trained on (familiarity below {UNFAMILIAR:g}): their labels are not to be "
        "trusted. Listen to some before you use them (batchemo review)"
    ]


def show_summary(summary: Summary, bundles: Sequence[Bundle], stream: IO[str]) -> None:
    """Print the emotions of each group, how far to trust them, and all failures by reason.

    `bundles` are the models that ran, as far as they are known.
    """
    console = _console(stream)
    for group in sorted({group for group, _, _ in summary.counts}):
        rows = {
            kind: count
            for (of_group, status, kind), count in summary.counts.items()
            if (of_group, status) == (group, STATUS_OK)
        }
        if summary.group_by is not None:
            console.print(f"\n{_group_facts(summary, group)}", markup=False, style="bold")
        if rows:
            console.print()
            console.print(_emotions(rows, summary.noun, console.width))
            if means := _means(summary, group):
                console.print(means)
    _show_trust(summary, bundles, console)
    if failed := summary.by_outcome(STATUS_FAILED):
        console.print()
        console.print(_failures(failed, summary.noun, console.width))


def _group_facts(summary: Summary, group: str) -> str:
    total, failed = summary.total(group), summary.count_recordings(STATUS_FAILED, group)
    facts = [counted(total.recordings, summary.noun)]
    if failed:
        facts.append(f"{failed:,} failed")
    if total.known:
        facts.append(f"mean familiarity {total.mean_familiarity:.2f}")
    return f"{for_display(group)}: {', '.join(facts)}"


def _means(summary: Summary, group: str) -> str:
    """Return the means of the dimensions that the model measures."""
    total = summary.total(group)
    means = ((name, total.mean_of(name)) for name in summary.measured)
    return ", ".join(f"mean {name} {mean:+.2f}" for name, mean in means if mean is not None)


def _show_trust(summary: Summary, bundles: Sequence[Bundle], console: Console) -> None:
    """Print how far to trust the labels: familiarity first, then each model's own figures."""
    from batchemo.bundles.figures import describe_accuracy

    if set(summary.by_outcome(STATUS_OK)) <= {NO_LABEL}:
        return
    total = summary.total()
    console.print()
    for message in unfamiliar_warning(summary):
        console.print(message, markup=False, style="bold yellow")
    if total.known:
        console.print(
            f"Mean familiarity {total.mean_familiarity:.2f} "
            "(1: like the training recordings; 0: nothing like them)."
        )
    for bundle in bundles:
        accuracy = describe_accuracy(bundle) or "has no figures on speakers that it does not know"
        console.print(f"The model {for_display(bundle.name)} {accuracy}.", markup=False)
    console.print("A label says how a voice sounds, not what a person feels.")


def show_next_steps(report: Report, stream: IO[str], *, has_report: bool) -> None:
    """Print the commands that come next; nothing where they could not read the table."""
    output = report.output
    if output is None or is_url(output):
        return
    console = _console(stream)
    table = shlex.quote(for_display(output))
    commands = {}
    if any(report.summary.by_outcome(STATUS_OK)):
        commands[f"batchemo review {table}"] = "listen, and correct labels"
        if not has_report:
            html = shlex.quote(for_display(str(Path(output).with_suffix(".html"))))
            commands[f"batchemo report {table} -o {html}"] = "pictures, to look at and to send"
    if commands:
        console.print("\nNext:")
        width = max(map(len, commands))
        # Beside a long path there is no room.
        beside = width + max(map(len, commands.values())) + 6 <= console.width
        for command, purpose in commands.items():
            # Never wrapped: what is copied from a terminal must run.
            space = " " * (width - len(command) + 2) if beside else "\n      "
            text = f"  {command}{space}# {purpose}"
            console.print(text, markup=False, soft_wrap=True)
    failed = report.summary.by_outcome(STATUS_FAILED)
    if again := sum(count.recordings for r, count in failed.items() if r in TRANSIENT_REASONS):
        console.print(
            f"  The same command with --update tries {counted(again, 'failed recording')} again"
        )


def _console(stream: IO[str]) -> Console:
    from rich.console import Console

    return Console(file=stream, highlight=False)


def _table(title: str, *numbers: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column(title, no_wrap=True)
    for number in numbers:
        table.add_column(number, justify="right", no_wrap=True)
    return table


def _emotions(rows: Mapping[str, Count], noun: str, columns: int) -> Table:
    """Return the table of emotions; on a narrow terminal without intervals and bars."""
    from batchemo.review.figures import wilson

    width = bar_width(columns, MOST_BAR)
    total = sum(count.recordings for count in rows.values())
    interval = ["95 % interval"] if width else []
    table = _table("emotion", f"{noun}s", "share", *interval)
    if width:
        table.add_column("", no_wrap=True)
    table.add_column("confidence", justify="right")
    for kind, count in sorted(rows.items(), key=lambda row: (-row[1].recordings, row[0])):
        share = count.recordings / total
        cells = [for_display(kind) or "(no labels)", f"{count.recordings:,}", f"{share:.1%}"]
        if width:
            low, high = wilson(share, total)
            cells += [f"{low:.0%} to {high:.0%}", bar(share, width)]
        mean = count.confidence / count.recordings
        cells.append("" if kind == NO_LABEL else f"{mean:.2f}")
        _add_row(table, cells)
    return table


def _failures(rows: Mapping[str, Count], noun: str, columns: int) -> Table:
    """Return the table of failures; on a narrow terminal without the reasons' sentences."""
    table = _table("failed", f"{noun}s")
    if columns >= NARROW:
        table.add_column("why")
    for reason, count in rows.items():
        cells = [for_display(reason), f"{count.recordings:,}", REASONS.get(reason, "")]
        _add_row(table, cells[: len(table.columns)], "yellow")
    return table


def _add_row(table: Table, cells: Sequence[str], style: str = "") -> None:
    from rich.text import Text

    table.add_row(*(Text(cell, style=style) for cell in cells))
