"""`batchemo summary`: counts what a table of results holds."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from batchemo.common.text import for_display
from batchemo.errors import UsageError

if TYPE_CHECKING:
    from batchemo.tables.summary import Summary

EPILOG = """
\b
Examples:
  batchemo summary results.parquet
  batchemo summary results.parquet --group-by speaker -o by_speaker.csv
  batchemo summary results.csv --group-by month --json
"""


@click.command(epilog=EPILOG)
@click.argument("results", type=click.Path())
@click.option(
    "--group-by",
    metavar="WHAT",
    help="A column of the table, folder, part:N (the Nth part of the path), regex:PATTERN (its "
    "group in the path), date, month or year.",
)
@click.option("-o", "--output", metavar="FILE", help="Write the counts to a .parquet or .csv file.")
@click.option("--overwrite", is_flag=True, help="Replace an output that exists.")
@click.option("--json", "as_json", is_flag=True, help="Print an array of objects for machines.")
def command(
    results: str, group_by: str | None, output: str | None, overwrite: bool, as_json: bool
) -> None:
    """Count the emotions and failures in RESULTS, a files table that a scan wrote.

    The columns are those of scan's --summary: group, status, emotion, reason, files, share,
    minutes, mean_confidence.
    """
    from batchemo.batch.outputs import check_output
    from batchemo.batch.writer import whole_table
    from batchemo.cli.output.scan_report import show_summary
    from batchemo.tables.schema import summary_schema

    path = None if output is None else check_output(output, overwrite=overwrite)
    summary = count(results, group_by)
    if path is not None and path.exists() and path.samefile(results):
        raise UsageError(f"-o {for_display(results)}: that is the very table that was counted")
    if path is not None:
        with whole_table(path, summary_schema()) as table:
            table.write(summary.table())
    if as_json:
        click.echo(json.dumps(summary.table().to_pylist(), indent=2, ensure_ascii=False))
    elif path is None:
        show_summary(summary, sys.stdout)


def count(results: str, group_by: str | None) -> Summary:
    """Count a files table, batch by batch."""
    import pyarrow as pa

    from batchemo.tables.read import open_table
    from batchemo.tables.summary import check_group_by, summarise

    table = open_table(results)
    names = table.schema.names
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        raise UsageError(
            f"{for_display(results)} is no files table: it has no {', '.join(missing)}. Give the "
            "table that scan's -o wrote"
        )
    check_group_by(group_by, names)
    wanted = list(_NEEDED)
    if group_by is not None and group_by in names and group_by not in _NEEDED:
        wanted.append(group_by)
    return summarise((pa.Table.from_batches([b]) for b in table.batches(wanted)), group_by)


_NEEDED = ("file", "status", "reason", "emotion", "confidence", "duration", "mtime")
