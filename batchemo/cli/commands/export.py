"""`batchemo export`: what is heard when, as files of the tools that people listen in."""

from __future__ import annotations

import click

from batchemo.common.text import counted, for_display
from batchemo.timelines.export import KINDS, export_timelines
from batchemo.timelines.stretches import Joining

EPILOG = """
\b
Examples:
  batchemo scan interviews -o results.parquet --segments windows.parquet
  batchemo export windows.parquet --to elan -o tiers
  batchemo export windows.parquet --to audacity --least-length 3 -o labels
"""


@click.command(epilog=EPILOG)
@click.argument("table", type=click.Path())
@click.option(
    "--to",
    "kind",
    type=click.Choice(KINDS),
    required=True,
    help="The tool: audacity (a label track), textgrid (Praat), elan (EAF), srt (subtitles), rttm, "
    "or audformat, which is one folder for all recordings.",
)
@click.option(
    "-o", "--output", metavar="DIR", required=True, help="The folder for the files, new or empty."
)
@click.option(
    "--least-length",
    type=click.FloatRange(0),
    default=Joining().least_length,
    show_default=True,
    metavar="S",
    help="Join a stretch shorter than S seconds to its neighbour.",
)
@click.option(
    "--hysteresis",
    type=click.FloatRange(0, 1),
    default=Joining().hysteresis,
    show_default=True,
    metavar="P",
    help="Start a new stretch only where another label is more probable by P or more.",
)
@click.option("--overwrite", is_flag=True, help="Replace files of the same names.")
def command(
    table: str,
    kind: str,
    output: str,
    least_length: float,
    hysteresis: float,
    overwrite: bool,
) -> None:
    """Write the labels of each recording of TABLE over time, as files for another tool.

    TABLE is a segments table: its windows are joined to stretches of one label. From a recordings
    table, each recording is one stretch.
    """
    joining = Joining(least_length, hysteresis)
    count = export_timelines(table, kind, output, joining, overwrite=overwrite)
    click.echo(f"{for_display(output)}: {counted(count, 'recording')}")
