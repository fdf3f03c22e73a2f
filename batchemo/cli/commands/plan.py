"""`batchemo plan`: list the recordings once, for a scan in shards."""

from __future__ import annotations

from typing import Any

import click

from batchemo.cli.output.progress import warn
from batchemo.cli.shared_options import source_options, sources_from
from batchemo.common.text import counted, for_display

EPILOG = """
\b
Examples:
  batchemo plan /data/calls -o plan.parquet
  batchemo scan --plan plan.parquet --shard 3/16 -o shards
  batchemo merge shards -o results.parquet
"""


@click.command(epilog=EPILOG)
@source_options
@click.option("-o", "--output", metavar="FILE", required=True, help="The plan: a .parquet file.")
@click.option("--overwrite", is_flag=True, help="Replace the plan if it exists.")
def command(output: str, overwrite: bool, **values: Any) -> int:
    """List the recordings of SOURCES in a plan, so that several machines can share them.

    A shard is a part of it: `batchemo scan --plan plan.parquet --shard 3/16 -o shards` is what the
    third of sixteen machines, or jobs of an array, runs. `batchemo merge` joins the tables.
    """
    from batchemo.batch.shards import make_plan

    made = make_plan(sources_from(values), output, overwrite=overwrite)
    for problem in made.problems:
        warn(problem)
    click.echo(f"batchemo: {counted(made.recordings, 'recording')} → {for_display(output)}")
    return 3 if made.problems else 0
