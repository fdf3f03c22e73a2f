"""`batchemo bench`: what limits a scan on this machine, and with which options it is fastest."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from batchemo.cli.output.format import bar, clock
from batchemo.cli.process import Stopped, stop_on_signals
from batchemo.cli.shared_options import device_option, json_option, parse_jobs, split_commas
from batchemo.common.text import counted
from batchemo.diagnostics.bench import SECONDS, BenchOptions, BenchResult
from batchemo.inference.settings import settings_of
from batchemo.sources import DEFAULT_EXTENSIONS, SourceOptions

EPILOG = """
\b
Examples:
  batchemo bench
  batchemo bench ./recordings -m accurate
  batchemo bench ./recordings --ext flac -j 64 --json

\b
Stages of the analysis in one process:
  decode    reading and decoding
  resample  resampling to the model's rate
  vad       level, clipping, silence, voice activity detection
  features  computing the model's input
  model     running the model
  rest      everything else, including waiting

\b
Exit codes:
  0 all done   1 nothing could be measured   2 wrong usage   130/143 interrupted
"""

ADVICE = {
    "reading": "the disk is slower than the processors; a faster one helps, more processes do not",
    "decode": "decoding takes most of the time; wav is the fastest format",
    "resample": "resampling takes most of the time; recordings at the model's rate need none",
    "features": "features take most of the time; more processors help",
    "model": "the model takes most of the time; more processors or a smaller model help",
}
DEFAULT_ADVICE = "more processors help"
ERASE_LINE = "\r\x1b[K"
"""Moves a terminal's cursor to the start of its line and clears the line."""


@click.command(epilog=EPILOG)
@click.argument("paths", nargs=-1, type=click.Path())
@click.option(
    "-m", "--model", default="default", show_default=True, help="A model's name or folder."
)
@device_option
@click.option(
    "--ext",
    multiple=True,
    default=DEFAULT_EXTENSIONS,
    show_default=True,
    metavar="LIST",
    help="File extensions to search folders for, separated by commas: wav,flac,…; audio is every "
    "format that can be decoded.",
)
@click.option(
    "-j",
    "--jobs",
    "max_jobs",
    type=parse_jobs,
    default="auto",
    show_default=True,
    metavar="N|auto",
    help="Largest number of worker processes to try; auto is one for each processor that this "
    "process may use.",
)
@click.option(
    "--seconds",
    type=float,
    default=SECONDS,
    show_default=True,
    help="Total duration of the measurements, without the time to start the workers.",
)
@json_option
def command(
    paths: tuple[str, ...],
    model: str,
    device: str,
    ext: tuple[str, ...],
    max_jobs: int,
    seconds: float,
    as_json: bool,
) -> int:
    """Measure how fast recordings like those in PATHS are scanned here, and what would help.

    Up to 64 of them, none larger than 8 MiB, are analysed repeatedly; without PATHS, synthetic
    ones. Nothing is written. It takes less than a minute; run nothing else meanwhile.
    """
    from batchemo.diagnostics.bench import run_bench

    sources = SourceOptions(paths=paths, extensions=split_commas(ext))
    [settings] = settings_of([model], device=device)
    options = BenchOptions(sources, settings, max_jobs, seconds)
    try:
        with stop_on_signals(), _status_line() as show_status:
            result = run_bench(options, show_status)
    except Stopped as stopped:
        raise Stopped(stopped.number, "The measurement was not finished") from None
    if as_json:
        click.echo(json.dumps(as_object(result), indent=2))
    else:
        _show(result)
    return 0


@contextmanager
def _status_line() -> Iterator[Callable[[str], None]]:
    """Yield a function that shows what is being measured, on one line; only on a terminal."""
    if not sys.stderr.isatty():
        yield lambda text: None
        return
    try:
        yield lambda text: click.echo(f"{ERASE_LINE}measuring: {text} …", sys.stderr, nl=False)
    finally:
        click.echo(ERASE_LINE, sys.stderr, nl=False)


def as_object(result: BenchResult) -> dict[str, Any]:
    """Return all findings as an object for JSON, with times in milliseconds."""
    return {
        "model": result.model,
        "device": result.device,
        "recordings": dataclasses.asdict(result.sample),
        "stages_ms": {stage: 1000 * seconds for stage, seconds in result.stages.items()},
        "reading_ms": None if result.reading is None else 1000 * result.reading,
        "processes": [
            {
                "jobs": throughput.jobs,
                "recordings_per_second": throughput.recordings_per_second,
                "times_real_time": throughput.times_real_time,
            }
            for throughput in result.throughputs
        ],
        "batches": [
            {"size": size, "ms_a_window": 1000 * seconds}
            for size, seconds in result.batches.items()
        ],
        "bottleneck": result.bottleneck,
        "best": {"jobs": result.best_jobs, "batch_size": result.best_batch},
    }


def _show(result: BenchResult) -> None:
    _show_sample(result)
    click.echo(f"\n{'stage':<12}{'ms a recording':>16}{'share':>10}")
    for stage, share in result.shares.items():
        spent = 1000 * result.stages[stage]
        click.echo(f"{stage:<12}{spent:>16.2f}{share:>10.0%}  {bar(share)}".rstrip())
    if result.reading is not None:
        click.echo(f"from disk, uncached {1000 * result.reading:>8.2f}")
    click.echo(f"\n{'processes':<12}{'recordings/s':>16}{'× real time':>13}{'speed-up':>13}")
    single = result.throughputs[0].recordings_per_second
    for throughput in result.throughputs:
        rate = throughput.recordings_per_second
        figures = f"{rate:>16,.1f}{throughput.times_real_time:>13,.0f}{rate / single:>13.2f}"
        click.echo(f"{throughput.jobs:<12}{figures}")
    click.echo(f"\n{'batch size':<12}{'ms a window':>16}")
    for size, seconds in result.batches.items():
        click.echo(f"{size:<12}{1000 * seconds:>16.2f}")
    _show_advice(result)


def _show_sample(result: BenchResult) -> None:
    sample = result.sample
    kind = "synthetic recording" if sample.synthetic else "recording"
    click.echo(
        f"{counted(sample.count, kind)}, mean length {sample.mean_seconds:.1f} s; "
        f"model {result.model} on {result.device}"
    )
    if sample.too_large:
        click.echo(f"skipped because too large: {counted(sample.too_large, 'recording')}")
    if sample.failed:
        click.echo(f"failed, but measured too: {counted(sample.failed, 'recording')}")


def _show_advice(result: BenchResult) -> None:
    default = result.default_batch
    note = "the default" if result.best_batch == default else f"the default is {default}"
    click.echo(
        f"\nlimited by  {result.bottleneck}: {ADVICE.get(result.bottleneck, DEFAULT_ADVICE)}"
    )
    click.echo(f"best here   -j {result.best_jobs} --batch-size {result.best_batch} ({note})")
    million = clock(1e6 / result.best_throughput.recordings_per_second)
    click.echo(f"            a million such recordings take about {million}")
