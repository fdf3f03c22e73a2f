"""`batchemo features`: the features of recordings as a table."""

from __future__ import annotations

from typing import Any

import click

from batchemo.cli.output.progress import progress_display, warn
from batchemo.cli.output.scan_report import skipped_in_folders
from batchemo.cli.process import Stopped, stop_on_signals
from batchemo.cli.shared_options import (
    ENVIRONMENT,
    channel_option,
    config_option,
    feature_set_from,
    jobs_option,
    param_option,
    quiet_option,
    source_options,
    sources_from,
    switch,
    timeout_option,
)
from batchemo.common.text import counted, for_display

EPILOG = """
\b
Feature sets:
  logmel64    64 log-mels of the speech in a window, as frames
  logmel80    80 log-mels of the speech in a window, with the bands of Whisper, as frames
  logmel128   128 log-mels, as frames
  mfcc40      means of 40 MFCCs
  stats162    means of zero crossings, chroma, 20 MFCCs, RMS and 128 mels
  frames62    MFCCs with deltas, chroma, contrast, zero crossings, bandwidth, pitch, RMS, as frames
  functionals 267 statistics of level, voicing, cepstra, timbre, pitch and rhythm in a window

\b
Columns:
  root, file, status, reason, detail, start, end, speech, the features, then the manifest's columns.
  Feature sets of frames have a row for each frame, numbered in `frame`; the others a row for each
  window. A recording that failed is one row with its reason and without features.

\b
Examples:
  batchemo features ./recordings -o mfcc.parquet --feature-set mfcc40
  batchemo features --manifest clips.csv -o stats.csv --feature-set stats162 --window 5
  batchemo features ./recordings -o mel.parquet --feature-set logmel128 --param n_mels=80

\b
Exit codes:
  0 all done   1 the run failed   2 wrong usage   3 done, some recordings failed
  4 another run writes this table   130/143 interrupted, no table was written
"""


@click.command(context_settings=ENVIRONMENT, epilog=EPILOG)
@source_options
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="FILE",
    # BATCHEMO_OUTPUT is the table of a scan, which this command must not replace.
    allow_from_autoenv=False,
    help="The features table to write: a .parquet, .csv or .xlsx file.",
)
@click.option(
    "--feature-set",
    required=True,
    metavar="NAME",
    help="Which features to compute: a name from the list below.",
)
@param_option
@click.option(
    "--window",
    type=float,
    metavar="SECONDS",
    help="Length of a window; by default the feature set's own.",
)
@click.option(
    "--hop",
    type=float,
    metavar="SECONDS",
    help="Time from the start of one window to the start of the next; by default the length of a "
    "window.",
)
@channel_option
@jobs_option
@timeout_option
@switch("--overwrite", allow_from_autoenv=False, help="Replace the output file if it exists.")
@quiet_option
@config_option
def command(quiet: bool, **values: Any) -> int:
    """Write the features of all recordings of SOURCES as one table, for models of your own."""
    from batchemo.batch.feature_table import FeatureTableOptions, write_feature_table

    sources = sources_from(values)
    features = feature_set_from(values.pop("feature_set"), values.pop("params"))
    options = FeatureTableOptions(sources=sources, features=features, **values)
    try:
        with stop_on_signals(), progress_display(quiet) as on_event:
            report = write_feature_table(options, on_event)
    except Stopped as stopped:
        raise Stopped(stopped.number, "No table was written") from None
    if not quiet:
        for problem in report.problems:
            warn(f"could not be read: {problem}")
        for message in report.empty:
            warn(message)
        parts = [
            counted(report.recordings, "recording"),
            *([f"{report.failed:,} failed"] if report.failed else []),
            counted(report.windows, "window"),
            *skipped_in_folders(report.hidden, report.links, report.other_recordings),
        ]
        click.echo(f"batchemo: {', '.join(parts)} → {for_display(options.output)}")
    return report.exit_code
