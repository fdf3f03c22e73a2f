"""`batchemo features`: the features of recordings as a table."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import Any

import click

from batchemo.batch.events import EventHandler, ignore_event
from batchemo.cli.output.format import counted
from batchemo.cli.output.progress import Plain, live, warn
from batchemo.cli.output.scan_report import nothing_found, passed_over
from batchemo.cli.process import Stopped, stoppable
from batchemo.cli.shared_options import (
    ENVIRONMENT,
    config_option,
    jobs_option,
    param_option,
    quiet_option,
    recipe_with,
    source_options,
    sources_from,
    switch,
    timeout_option,
)
from batchemo.common.text import for_display
from batchemo.errors import UsageError

_FOR_NETS = "combined"

EPILOG = """
\b
Recipes:
  logmel64    64 log-mels of the speech in a window, as frames
  logmel128   128 log-mels, as frames
  mfcc40      means of 40 MFCCs
  stats162    means of zero crossings, chroma, 20 MFCCs, RMS and 128 mels
  frames62    MFCCs with deltas, chroma, contrast, zero crossings, bandwidth, pitch, RMS, as frames
  functionals 267 statistics of level, voicing, cepstra, timbre, pitch and rhythm over a window
  combined    logmel64 and functionals in one array, for nets alone: no table is made of it

\b
Columns:
  root, file, status, reason, detail, start, end, speech, the recipe's own, then the manifest's.
  Recipes of frames give a row a frame, numbered in `frame`; the others a row a window. A
  recording that failed is one row with its reason and no features.

\b
Examples:
  batchemo features ./recordings -o mfcc.parquet --recipe mfcc40
  batchemo features --manifest clips.csv -o stats.csv --recipe stats162 --window 5
  batchemo features ./recordings -o mel.parquet --recipe logmel128 --param n_mels=80

\b
Exit codes:
  0 all done   1 the run failed   2 wrong usage   3 done, some recordings failed
  4 another run writes this table   130/143 interrupted, nothing was written
"""


@click.command(context_settings=ENVIRONMENT, epilog=EPILOG)
@source_options
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="FILE",
    allow_from_autoenv=False,
    help="The table: a name ending in .parquet or .csv.",
)
@click.option("--recipe", required=True, metavar="NAME", help="Which features: see below.")
@param_option
@click.option(
    "--window", type=float, metavar="SECONDS", help="Length of a window; default: the recipe's."
)
@click.option(
    "--hop", type=float, metavar="SECONDS", help="From one window to the next; default: no overlap."
)
@click.option(
    "--channel",
    default="mix",
    show_default=True,
    metavar="mix|0|1|…",
    help="The mean of all channels, or the one of that number.",
)
@jobs_option
@timeout_option
@switch("--overwrite", allow_from_autoenv=False, help="Replace an output that exists.")
@quiet_option
@config_option
def command(quiet: bool, **values: Any) -> int:
    """Write the features of all recordings of SOURCES as one table, for models of your own."""
    from batchemo.batch.feature_table import FeatureTableOptions, write_feature_table

    sources = sources_from(values)
    recipe = recipe_with(values.pop("recipe"), values.pop("params"))
    if recipe.name == _FOR_NETS:
        raise UsageError(
            f"--recipe {_FOR_NETS}: is two kinds of features in one array, for nets alone: take "
            "logmel64 and functionals, each into a table of its own"
        )
    options = FeatureTableOptions(sources=sources, recipe=recipe, **values)
    with ExitStack() as stack:
        listener: EventHandler = ignore_event
        if not quiet:
            tty = sys.stderr.isatty()
            listener = stack.enter_context(live(sys.stderr)) if tty else Plain()
        try:
            with stoppable():
                done = write_feature_table(options, listener)
        except Stopped as stopped:
            raise Stopped(stopped.number, "No table was written") from None
    if not quiet:
        for problem in done.problems:
            warn(f"could not be read: {problem}")
        if not done.recordings and not done.problems:
            warn(nothing_found(sources.extensions))
        failed = f", {done.failed:,} failed" if done.failed else ""
        told = f"{counted(done.recordings, 'recording')}{failed}, {counted(done.windows, 'window')}"
        told = ", ".join([told, *passed_over(done.hidden, done.links)])
        click.echo(f"batchemo: {told} → {for_display(options.output)}")
    return done.exit_code
