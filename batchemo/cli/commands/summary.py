"""`batchemo summary`: counts of emotions and failures in a table of results."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from batchemo.cli.shared_options import json_option
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
    help="Count separately for each value of WHAT: a column of the table, folder, part:N (the Nth "
    "part of the path), regex:PATTERN (its group in the path), date, month or year.",
)
@click.option("-o", "--output", metavar="FILE", help="Write the counts to a .parquet or .csv file.")
@click.option("--overwrite", is_flag=True, help="Replace the output file if it exists.")
@json_option
def command(
    results: str, group_by: str | None, output: str | None, overwrite: bool, as_json: bool
) -> None:
    """Count the emotions and failures in RESULTS, the recordings table of a scan.

    The columns are those of scan's --summary: group, status, emotion, reason, files, share,
    minutes, mean_confidence, mean_familiarity.
    """
    from batchemo.batch.outputs import check_output
    from batchemo.batch.writer import write_table
    from batchemo.cli.output.scan_report import show_summary, unfamiliar_warning
    from batchemo.tables.schema import summary_schema

    path = None if output is None else check_output(output, overwrite=overwrite)
    summary = count_recordings(results, group_by)
    if path is not None and path.exists() and path.samefile(results):
        raise UsageError(f"-o {for_display(results)}: is the counted table: name another file")
    if path is not None:
        with write_table(path, summary_schema()) as table:
            table.write(summary.table())
    if as_json:
        click.echo(json.dumps(summary.table().to_pylist(), indent=2, ensure_ascii=False))
    elif path is None:
        show_summary(summary, sys.stdout)
        for message in unfamiliar_warning(summary):
            click.echo(message)


_NEEDED = ("file", "status", "reason", "emotion", "confidence", "duration", "mtime")


def count_recordings(results: str, group_by: str | None) -> Summary:
    """Count the rows of a recordings table, batch by batch so that it need not fit in memory."""
    from batchemo.tables.columns import FAMILIARITY
    from batchemo.tables.read import open_table
    from batchemo.tables.summary import check_group_by, summarise

    table = open_table(results)
    # Not before: opening a table prepares for Arrow.
    import pyarrow as pa

    names = table.schema.names
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        raise UsageError(
            f"{for_display(results)} is not a recordings table: it lacks {', '.join(missing)}. "
            "Give the table that scan's -o wrote"
        )
    check_group_by(group_by, names)
    # A table of an earlier version has no familiarity; and a group need not be a column.
    columns = [name for name in names if name in (*_NEEDED, FAMILIARITY, group_by)]
    batches = (pa.Table.from_batches([batch]) for batch in table.batches(columns))
    return summarise(batches, group_by)
