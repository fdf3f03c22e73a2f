"""`batchemo scan`: a recordings table from folders, files, lists and manifests."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import IO, Any

import click

from batchemo.batch.events import EventHandler, Report
from batchemo.batch.options import STDOUT, ScanOptions
from batchemo.cli import process
from batchemo.cli.output.event_log import JsonLog, open_log
from batchemo.cli.output.metrics import check_metrics, write_metrics
from batchemo.cli.output.progress import combine_handlers, progress_display, warn
from batchemo.cli.output.scan_report import final_line, show_dry_run, show_report, warnings
from batchemo.cli.process import stop_on_signals
from batchemo.cli.sections import CommandWithSections
from batchemo.cli.shared_options import (
    ENVIRONMENT,
    config_option,
    executor_option,
    jobs_option,
    model_options,
    postprocess_from,
    postprocess_options,
    quiet_option,
    settings_from,
    source_options,
    sources_from,
    split_commas,
    switch,
    timeout_option,
)
from batchemo.errors import LockedError, UsageError
from batchemo.inference.settings import SPEECH, ModelSettings
from batchemo.sources.plan_file import Shard
from batchemo.storage.url import is_url

EPILOG = """
\b
Examples:
  batchemo scan ./recordings -o results.parquet
  batchemo scan ./recordings -o results.parquet --update --min-age 5m    # every night
  batchemo scan s3://bucket/calls -o s3://bucket/results.parquet --update
  batchemo scan --manifest clips.csv -o results.csv --summary by_speaker.csv --group-by speaker
  batchemo scan ./recordings -o results.parquet -m default -m ./my-model
  batchemo scan ./recordings -o results.parquet --speaker part:1 --min-confidence 0.5
  batchemo scan interviews/ --ext audio --segments over_time.parquet -o interviews.parquet
  find . -name '*.wav' -print0 | batchemo scan --files-from - -0 -o - | head

\b
Exit codes:
  0 all done   1 the run failed   2 wrong usage   3 done, some recordings failed
  4 another run holds the output   130/143 interrupted, finished work is kept
"""


SECTIONS = {
    "What to analyse": (
        *("files_from", "null", "manifest", "base", "include", "exclude", "ext", "hidden"),
        *("follow_links", "min_age", "plan", "shard", "turns", "limit", "allow_empty"),
    ),
    "What to write": (
        *("output", "partition_by", "segments", "embeddings", "summary", "group_by", "report"),
        "overwrite",
    ),
    "The model": ("model", "window", "hop", "channel", "backend", "batch_size", "device"),
    "From probabilities to labels": ("min_confidence", "dimensions", "speaker", "class_shares"),
    "Again, every night": (
        *("update", "prune", "retry_failed", "retry_reasons", "max_tries", "fail_on"),
        *("if_locked", "dry_run"),
    ),
    "The run": ("jobs", "executor", "timeout", "quiet", "log_json", "metrics", "config"),
}


@click.command(
    cls=CommandWithSections, sections=SECTIONS, context_settings=ENVIRONMENT, epilog=EPILOG
)
@source_options
@click.option(
    "--plan",
    metavar="FILE",
    help="Analyse the recordings of a plan, which `batchemo plan` wrote, instead of SOURCES.",
)
@click.option(
    "--shard",
    metavar="I/N",
    help="Analyse part I of N of the plan, such as 3/16. -o, --segments and --embeddings then "
    "name folders for the tables of all shards, which `batchemo merge` joins.",
)
@click.option(
    "--turns",
    metavar="FILE|FOLDER|speech",
    help="Write a row for each turn instead of each recording. FILE says who speaks when: RTTM, "
    "TextGrid, ELAN, Audacity labels, whisperX JSON, or a table with file, start, end and, "
    "optionally, speaker and channel. FOLDER has such a file for each recording. speech "
    "detects the turns (batchemo[turns]).",
)
@click.option(
    "-o",
    "--output",
    metavar="FILE|-",
    help="The recordings table to write: a .parquet, .csv or .xlsx file, here or in a bucket "
    "(s3://bucket/results.parquet); - writes CSV to standard output.",
)
@click.option(
    "--partition-by",
    metavar="WHAT",
    help="Write the recordings table as a folder, -o DIR, with a Parquet file for each group: a "
    "column, folder, month, … as for --group-by.",
)
@click.option(
    "--segments",
    metavar="FILE",
    help="Also write a table with a row for each window: a .parquet, .csv or .xlsx file.",
)
@click.option(
    "--embeddings",
    metavar="FILE",
    help="Also write a table with an embedding of each recording, which `batchemo review` and "
    "`batchemo adapt` take: a .parquet file.",
)
@click.option(
    "--summary",
    metavar="FILE",
    help="Also write a table with the numbers of recordings for each emotion, in each group: a "
    ".parquet, .csv or .xlsx file.",
)
@click.option(
    "--group-by",
    metavar="WHAT",
    help="What the summary counts by: a column of the manifest, folder, part:N (the Nth part of "
    "the path), regex:PATTERN (its group in the path), date, month or year.",
)
@model_options
@postprocess_options
@jobs_option
@executor_option
@timeout_option
@switch(
    "--update",
    help="Keep the rows of unchanged recordings in an existing output; analyse new and changed "
    "recordings.",
)
@switch("--overwrite", help="Replace an existing output; analyse everything anew.")
@switch("--retry-failed", help="With --update: analyse failed recordings again.")
@click.option(
    "--retry-reasons",
    multiple=True,
    metavar="LIST",
    help="With --update: analyse recordings again that failed for one of these reasons, such as "
    "timeout.",
)
@click.option(
    "--max-tries",
    type=click.IntRange(min=1),
    metavar="N",
    help="After N runs, analyse a failed recording no more. The column `tries` of the table "
    "counts the runs.",
)
@click.option(
    "--fail-on",
    type=click.Choice(["any", "new", "none"]),
    default="any",
    show_default=True,
    help="Which failed recordings make the exit code 3: any in the table, only new ones, or none.",
)
@switch("--prune", help="With --update: drop the rows of recordings that no longer exist.")
@switch(
    "--allow-empty",
    help="Accept sources without recordings, and write a table even if nothing was found.",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Analyse nothing; only list what is new, changed, unchanged or gone.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    metavar="N",
    help="Stop after analysing this many recordings.",
)
@click.option(
    "--if-locked",
    type=click.Choice(["fail", "skip", "wait"]),
    default="fail",
    show_default=True,
    help="While another run holds the output: fail with exit code 4, skip this run, or wait.",
)
@quiet_option
@click.option(
    "--log-json",
    metavar="FILE|-",
    help="Append every event to FILE as a line of JSON; - is standard output.",
)
@click.option(
    "--metrics",
    metavar="FILE",
    help="Write the metrics of the finished scan to FILE, a .prom file for Prometheus' node "
    "exporter. An earlier file is replaced.",
)
@click.option(
    "--report",
    metavar="FILE",
    help="Write a report on the finished table to FILE, an .html file, as `batchemo report` does."
    " An earlier file is replaced.",
)
@config_option
def command(**values: Any) -> int:
    """Predict the emotion in every recording of SOURCES: folders, files, globs or URLs.

    The table has a row for each recording, also for those that failed. After an interruption the
    same command resumes; with --update it analyses only new and changed recordings.
    """
    quiet, log_json, dry_run = (values.pop(name) for name in ("quiet", "log_json", "dry_run"))
    metrics, report_path = values.pop("metrics"), values.pop("report")
    plan, shard, turns = (values.pop(name) for name in ("plan", "shard", "turns"))
    sources, settings = sources_from(values), settings_from(values)
    if turns == SPEECH:
        settings = tuple(dataclasses.replace(each, turns="speech") for each in settings)
    else:
        sources = dataclasses.replace(sources, turns=turns)
    if plan is not None or shard is not None:
        part = None if shard is None else Shard.parse(shard)
        sources = dataclasses.replace(sources, plan=plan, shard=part)
    postprocess = postprocess_from(values)
    values["retry_reasons"] = split_commas(values["retry_reasons"])
    options = ScanOptions(sources, settings, postprocess, **values)
    if sources.shard is not None:
        from batchemo.batch.shards import with_shard_outputs

        options = with_shard_outputs(options)
    if options.output is None and not dry_run:
        raise UsageError("No output is given: add -o results.parquet, or -o - for CSV")
    if options.output == STDOUT and process.stdout_is_closed():
        raise UsageError("-o - writes to standard output, which is closed")
    outputs = (options.output, options.segments, options.summary, options.embeddings)
    metrics_path = None if metrics is None else check_metrics(metrics)
    if report_path is not None:
        _check_report(report_path, options, settings)
    log = None if log_json is None else open_log(log_json, outputs)
    # What people read must not mix with the table or the log.
    stream = sys.stderr if STDOUT in (options.output, log_json) else sys.stdout
    if dry_run:
        return _dry_run(options, log, None if quiet else stream)
    from batchemo.batch.scan import run_scan

    try:
        with stop_on_signals(), _event_handler(quiet, log) as on_event:
            table_stream = sys.stdout.buffer if options.output == STDOUT else None
            report = run_scan(options, on_event, table_stream).report
    except LockedError as error:
        if options.if_locked == "skip":
            if not quiet:
                warn(f"skipped: {error}")
            return 0
        raise
    if metrics_path is not None:
        write_metrics(metrics_path, report)
    if report_path is not None and report.output:
        from batchemo.report import ReportOptions, write_report

        shown = ReportOptions(group_by=options.group_by, segments=options.segments)
        write_report(report.output, report_path, shown)
    if quiet:
        # An empty folder is most often a disk that is not mounted: never silent, as an error.
        for message in report.empty:
            warn(message)
    else:
        _show(report, settings, stream, report_path)
    return report.exit_code


def _check_report(path: str, options: ScanOptions, settings: Sequence[ModelSettings]) -> None:
    """Raise a UsageError where no report can be written, before any work."""
    from batchemo.bundles import load_bundle
    from batchemo.report.write import check_report

    check_report(path)
    if options.output in (None, STDOUT):
        raise UsageError("--report reads the finished table: name a file for it by -o")
    if is_url(options.output):
        raise UsageError("--report reads the finished table, which is not read from a bucket")
    bundles = [load_bundle(each.model) for each in settings]
    if not any(bundle.labels for bundle in bundles):
        bundles[0].require_labels("a report")


def _dry_run(options: ScanOptions, log: JsonLog | None, stream: IO[str] | None) -> int:
    from batchemo.batch.dry_run import dry_run

    found = dry_run(options)
    if log is not None:
        with log:
            log.write("dry_run", dataclasses.asdict(found))
    if stream is not None:
        show_dry_run(found, stream)
    return 3 if found.problems or found.empty else 0


@contextmanager
def _event_handler(quiet: bool, log: JsonLog | None) -> Iterator[EventHandler]:
    with ExitStack() as stack:
        # The log first: it must have an event even if printing it fails.
        handlers: list[EventHandler] = [] if log is None else [stack.enter_context(log)]
        handlers.append(stack.enter_context(progress_display(quiet)))
        yield combine_handlers(handlers)


def _show(
    report: Report, settings: Sequence[ModelSettings], stream: IO[str], html: str | None
) -> None:
    """Print the whole report on a terminal; elsewhere warnings and one line, as for a mail."""
    if stream.isatty():
        from batchemo.bundles import load_bundle

        show_report(report, [load_bundle(each.model) for each in settings], stream, html)
        return
    for message in warnings(report):
        warn(message)
    click.echo(final_line(report), file=stream)
