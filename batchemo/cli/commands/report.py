"""`batchemo report`: a table of results as a page to look at and to send."""

from __future__ import annotations

from pathlib import Path

import click

from batchemo.common.text import for_display
from batchemo.errors import UsageError

EPILOG = """
\b
Examples:
  batchemo report results.parquet -o report.html --group-by folder
  batchemo report results.parquet -o report.html --segments windows.parquet --no-audio
  batchemo report tonight.parquet -o report.html --against last.parquet --fail-on-drift
"""
DRIFT = 3


@click.command(epilog=EPILOG)
@click.argument("results", type=click.Path())
@click.option("-o", "--output", metavar="FILE", required=True, help="The report: an .html file.")
@click.option(
    "--group-by",
    metavar="WHAT",
    help="Also show the shares in each group: a column of the table, folder, part:N (the Nth part"
    " of the path), regex:PATTERN (its group in the path), date, month or year.",
)
@click.option(
    "--segments",
    metavar="FILE",
    help="The segments table of the same scan: shows the longest recordings over time.",
)
@click.option(
    "--against",
    metavar="FILE",
    help="An earlier table of the same corpus: shows what is new, and whether shares or "
    "confidence differ by more than chance.",
)
@click.option(
    "--fail-on-drift",
    is_flag=True,
    help="With --against: end with exit code 3 if they differ by more than chance (p below 0.01).",
)
@click.option("--no-audio", is_flag=True, help="Leave out the sound of the recordings.")
@click.option("--overwrite", is_flag=True, help="Replace the report if it exists.")
def command(
    results: str,
    output: str,
    group_by: str | None,
    segments: str | None,
    against: str | None,
    fail_on_drift: bool,
    no_audio: bool,
    overwrite: bool,
) -> int:
    """Write a report on RESULTS, the recordings table of a scan: one HTML file.

    It needs no network and runs no script. The 30 least and the 30 most certain recordings can be
    played, at most 8 s of each.
    """
    if fail_on_drift and against is None:
        raise UsageError("--fail-on-drift compares two tables: name the earlier one by --against")
    if Path(output).exists() and not overwrite:
        raise UsageError(f"{for_display(output)} exists: --overwrite replaces it")
    from batchemo.report import ReportOptions, write_report

    comparison = write_report(
        results,
        output,
        ReportOptions(group_by=group_by, against=against, segments=segments, audio=not no_audio),
    )
    click.echo(f"batchemo: {for_display(output)}")
    return DRIFT if fail_on_drift and comparison and comparison.has_drifted else 0
