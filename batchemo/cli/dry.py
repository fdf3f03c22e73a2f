"""Shows what a scan would do."""

from __future__ import annotations

from typing import IO

import click

from batchemo.cli.listeners import warn
from batchemo.cli.text import counted
from batchemo.scan.options import ScanOptions
from batchemo.sources.names import for_display

MEANING = {
    "new": "to be analysed",
    "changed": "known, to be analysed again",
    "unchanged": "kept",
    "gone": "in the earlier table, no longer there (--prune drops them)",
}


def show_dry_run(options: ScanOptions, stream: IO[str]) -> int:
    """Print how many recordings are in which state, with examples; give the exit code."""
    from batchemo.scan.preview import preview

    found = preview(options)
    for name, state in found.states():
        size = f", {state.bytes / 2**20:,.1f} MiB" if state.bytes else ""
        click.echo(f"{name:<10}{counted(state.files, 'recording')}{size}: {MEANING[name]}", stream)
        if name != "unchanged":
            for example in state.examples:
                click.echo(f"          {for_display(example)}", stream)
            if state.files > len(state.examples):
                click.echo("          …", stream)
    for count, why in ((found.young, "too young"), (found.duplicates, "named more than once")):
        if count:
            click.echo(f"left out  {counted(count, 'file')}: {why}", stream)
    for problem in found.problems:
        warn(f"could not be read: {problem}")
    return 3 if found.problems else 0
