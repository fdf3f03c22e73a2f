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
  batchemo summary results.parquet --labels labels.csv --precision 0.9
"""


@click.command(epilog=EPILOG)
@click.argument("results", type=click.Path(), required=False)
@click.option(
    "--group-by",
    metavar="WHAT",
    help="Count separately for each value of WHAT: a column of the table, folder, part:N (the Nth "
    "part of the path), regex:PATTERN (its group in the path), date, month or year.",
)
@click.option(
    "--labels",
    metavar="FILE",
    help="Compare the predictions with the labels of a review, instead of counting them; without "
    "RESULTS, report only how well reviewers agree.",
)
@click.option(
    "--precision",
    type=click.FloatRange(0, 1),
    default=0.8,
    show_default=True,
    metavar="P",
    help="With --labels: find the confidence above which predictions have this precision.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    metavar="N",
    help="With --labels: the --seed of the review, which identifies its random sample.",
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="Write the counts to a .parquet, .csv or .xlsx file; with --labels, the labelled "
    "recordings.",
)
@click.option("--overwrite", is_flag=True, help="Replace the output file if it exists.")
@json_option
def command(
    results: str | None,
    group_by: str | None,
    labels: str | None,
    precision: float,
    seed: int,
    output: str | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Count the emotions and failures in RESULTS, the recordings table of a scan.

    The columns are those of scan's --summary: group, status, emotion, reason, files, share,
    minutes, mean_confidence, mean_familiarity, and means of dimensions that the model measures.
    """
    if labels is not None:
        if group_by is not None:
            raise UsageError("--group-by counts predictions: leave it out, or leave out --labels")
        from batchemo.cli.output.review_report import report_labels

        report_labels(
            results, labels, precision, seed, output, overwrite=overwrite, as_json=as_json
        )
        return
    if results is None:
        raise UsageError("name the table of a scan, or a file of labels (--labels)")
    from batchemo.batch.outputs import check_output
    from batchemo.batch.writer import write_table
    from batchemo.cli.output.summary import show_summary

    path = None if output is None else check_output(output, overwrite=overwrite)
    summary = count_recordings(results, group_by)
    if path is not None and path.exists() and path.samefile(results):
        raise UsageError(f"-o {for_display(results)}: is the counted table: name another file")
    if path is not None:
        counts = summary.table()
        with write_table(path, counts.schema) as table:
            table.write(counts)
    if as_json:
        click.echo(json.dumps(summary.table().to_pylist(), indent=2, ensure_ascii=False))
    elif path is None:
        show_summary(summary, (), sys.stdout)


_NEEDED = ("file", "status", "reason", "emotion", "confidence", "duration", "mtime")


def count_recordings(results: str, group_by: str | None) -> Summary:
    """Count the rows of a recordings table, batch by batch so that it need not fit in memory."""
    from batchemo.tables.columns import FAMILIARITY, MEASURED, row_noun, turns_of
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
    measured = tuple(name for name in MEASURED if name in table.optional)
    columns = [name for name in names if name in (*_NEEDED, FAMILIARITY, *measured, group_by)]
    batches = (pa.Table.from_batches([batch]) for batch in table.batches(columns))
    return summarise(batches, group_by, measured, row_noun(turns_of(names)))
