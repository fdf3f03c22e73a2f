"""`batchemo scan`: from recordings to one table."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import IO, Any

import click

from batchemo.batch.events import EventHandler, Report
from batchemo.batch.options import STDOUT, ScanOptions
from batchemo.cli import process
from batchemo.cli.output.event_log import JsonLog, open_log
from batchemo.cli.output.progress import (
    Plain,
    everyone,
    live,
    warn,
)
from batchemo.cli.output.scan_report import final_line, show_dry_run, show_report, warnings
from batchemo.cli.process import stoppable
from batchemo.cli.shared_options import (
    ENVIRONMENT,
    config_option,
    interpretation_from,
    interpretation_options,
    jobs_option,
    model_options,
    quiet_option,
    settings_from,
    source_options,
    sources_from,
    switch,
    timeout_option,
)
from batchemo.errors import LockedError, UsageError

EPILOG = """
\b
Examples:
  batchemo scan ./recordings -o results.parquet
  batchemo scan ./recordings -o results.parquet --update --min-age 5m    # every night
  batchemo scan --manifest clips.csv -o results.csv --summary by_speaker.csv --group-by speaker
  batchemo scan ./recordings -o results.parquet -m default -m ./my-model
  batchemo scan ./recordings -o results.parquet --speaker part:1 --min-confidence 0.5
  batchemo scan interviews/ --ext audio --segments over_time.parquet -o interviews.parquet
  find . -name '*.wav' -print0 | batchemo scan --files-from - -0 -o - | head

\b
Exit codes:
  0 all done   1 the run failed   2 wrong usage   3 done, some recordings failed
  4 another run holds the output   130/143 interrupted, what was finished is kept
"""


@click.command(context_settings=ENVIRONMENT, epilog=EPILOG)
@source_options
@click.option(
    "-o",
    "--output",
    metavar="FILE|-",
    help="The table: results.parquet or results.csv; - writes CSV to standard output.",
)
@click.option("--segments", metavar="FILE", help="Also a table of all windows over time.")
@click.option("--summary", metavar="FILE", help="Also a table of counts for each group.")
@click.option(
    "--group-by",
    metavar="WHAT",
    help="What the summary counts by: a manifest's column, folder, part:N (the Nth part of the "
    "path), regex:PATTERN (its group in the path), date, month or year.",
)
@model_options
@interpretation_options
@jobs_option
@timeout_option
@switch("--update", help="Keep what is unchanged, analyse new and changed.")
@switch("--overwrite", help="Replace an output that exists.")
@switch("--retry-failed", help="With --update: try failed ones again.")
@switch("--prune", help="With --update: drop rows of vanished files.")
@click.option("--dry-run", is_flag=True, help="Only tell what is new, changed, unchanged, gone.")
@click.option("--limit", type=click.IntRange(min=0), help="Analyse no more than this many.")
@click.option(
    "--if-locked",
    type=click.Choice(["fail", "skip", "wait"]),
    default="fail",
    show_default=True,
    help="What to do while another run holds the output.",
)
@quiet_option
@click.option("--log-json", metavar="FILE|-", help="Append every event as a line of JSON.")
@config_option
def command(**values: Any) -> int:
    """Find the emotion in every recording of SOURCES: folders, files or globs.

    One row a recording, whatever becomes of it. Interrupted, the same command goes on where it
    was; with --update it analyses only what is new or changed.
    """
    quiet, log_json, dry_run = (values.pop(name) for name in ("quiet", "log_json", "dry_run"))
    sources, settings = sources_from(values), settings_from(values)
    postprocess = interpretation_from(values)
    options = ScanOptions(sources, settings, postprocess, **values)
    if options.output is None and not dry_run:
        raise UsageError("Where should the table go? Give -o results.parquet, or -o - for CSV")
    if options.output == STDOUT and process.output_is_closed():
        raise UsageError("-o - writes to standard output, which is closed")
    outputs = (options.output, options.segments, options.summary)
    log = None if log_json is None else open_log(log_json, outputs)
    people = sys.stderr if STDOUT in (options.output, log_json) else sys.stdout
    if dry_run:
        return _dry_run(options, log, None if quiet else people)
    from batchemo.batch.scan import run_scan

    try:
        with stoppable(), _listeners(quiet, log) as listener:
            stream = sys.stdout.buffer if options.output == STDOUT else None
            report = run_scan(options, listener, stream).report
    except LockedError as error:
        if options.if_locked == "skip":
            if not quiet:
                warn(f"passed over: {error}")
            return 0
        raise
    if not quiet:
        _show(report, warnings(report, sources.extensions), people)
    return report.exit_code


def _dry_run(options: ScanOptions, log: JsonLog | None, people: IO[str] | None) -> int:
    from batchemo.batch.dry_run import dry_run

    found = dry_run(options)
    if log is not None:
        with log:
            log.write("previewed", dataclasses.asdict(found))
    if people is not None:
        show_dry_run(found, people)
    return 3 if found.problems else 0


@contextmanager
def _listeners(quiet: bool, log: JsonLog | None) -> Iterator[EventHandler]:
    with ExitStack() as stack:
        listeners: list[EventHandler] = []
        if log is not None:
            listeners.append(stack.enter_context(log))
        if not quiet:
            tty = sys.stderr.isatty()
            listeners.append(stack.enter_context(live(sys.stderr)) if tty else Plain())
        yield everyone(listeners)


def _show(report: Report, warnings: list[str], people: IO[str]) -> None:
    if people.isatty():
        show_report(report, warnings, people)
        return
    for warning in warnings:
        warn(warning)
    click.echo(final_line(report), file=people)
