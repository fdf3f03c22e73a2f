"""Shows what a scan would do."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

import click

from batchemo.cli.output.format import counted
from batchemo.cli.output.progress import warn
from batchemo.common.text import for_display

if TYPE_CHECKING:
    from batchemo.batch.dry_run import Preview

MEANING = {
    "new": "to be analysed",
    "changed": "known, to be analysed again",
    "unchanged": "kept",
    "gone": "in the earlier table, no longer there (--prune drops them)",
    "elsewhere": "in the earlier table, there, but not among the sources: kept",
}


def show_dry_run(found: Preview, stream: IO[str]) -> None:
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
