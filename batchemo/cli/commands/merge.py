"""`batchemo merge`: the tables of all shards become one."""

from __future__ import annotations

import click

from batchemo.common.text import counted, for_display

EPILOG = """
\b
Examples:
  batchemo merge shards -o results.parquet
  batchemo merge windows -o windows.parquet
"""


@click.command(epilog=EPILOG)
@click.argument("shards", type=click.Path())
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    required=True,
    help="The table: a .parquet, .csv or .xlsx file.",
)
@click.option("--overwrite", is_flag=True, help="Replace the table if it exists.")
def command(shards: str, output: str, overwrite: bool) -> None:
    """Merge the tables in the folder SHARDS, which `batchemo scan --shard` wrote.

    The result is, byte for byte, the table of one scan of the whole plan. Missing shards
    are reported, and tables of another plan, another model or other options are refused.
    """
    from batchemo.batch.shards import merge_shards

    rows = merge_shards(shards, output, overwrite=overwrite)
    click.echo(f"batchemo: {counted(rows, 'row')} → {for_display(output)}")
