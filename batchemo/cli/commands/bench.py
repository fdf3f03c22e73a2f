"""`batchemo bench`: what bounds a scan on this machine, and with which options it is fastest."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from batchemo.cli.output.format import bar, clock, counted
from batchemo.cli.process import Stopped, stoppable
from batchemo.cli.shared_options import jobs, split_words
from batchemo.diagnostics.bench import SECONDS, BenchOptions, Findings
from batchemo.inference.settings import BATCH_SIZE, ModelSettings
from batchemo.sources import SourceOptions

EPILOG = """
\b
Examples:
  batchemo bench
  batchemo bench ./recordings -m accurate
  batchemo bench ./recordings --ext flac -j 64 --json

\b
Stages, of one process:
  decode    reading and decoding
  resample  to the model's rate
  gate      level, clipping, silence, speech or not
  features  what the net is given
  model     the net
  rest      all else, waiting included

\b
Exit codes:
  0 measured   1 nothing could be measured   2 wrong usage   130/143 interrupted
"""

ADVICE = {
    "reading": "the disk is slower than the processors; a faster one helps, more processes do not",
    "decode": "decoding takes most of the time; wav is the cheapest format",
    "resample": "resampling takes most of the time; recordings at the model's rate need none",
    "features": "features take most of the time; more processors help",
    "model": "the net takes most of the time; more processors help, or a smaller model",
}
OTHERWISE = "more processors help"
ERASE = "\r\x1b[K"
"""Begins a terminal's line anew."""


@click.command(epilog=EPILOG)
@click.argument("paths", nargs=-1, type=click.Path())
@click.option(
    "-m", "--model", default="default", show_default=True, help="A model's name or its folder."
)
@click.option(
    "--ext",
    multiple=True,
    default=("wav",),
    show_default=True,
    metavar="LIST",
    help="Extensions to look for in folders: wav,flac,…; audio is all that can be read.",
)
@click.option(
    "-j",
    "--jobs",
    "most",
    type=jobs,
    default="auto",
    show_default=True,
    metavar="N|auto",
    help="The most worker processes to try; auto is one a processor that this process may use.",
)
@click.option(
    "--seconds",
    type=float,
    default=SECONDS,
    show_default=True,
    help="How long to measure, all in all; starting the workers comes on top.",
)
@click.option("--json", "as_json", is_flag=True, help="Print an object for machines.")
def command(
    paths: tuple[str, ...],
    model: str,
    ext: tuple[str, ...],
    most: int,
    seconds: float,
    as_json: bool,
) -> int:
    """Measure how fast recordings like those in PATHS are scanned here, and what would help.

    Up to 64 of them, none larger than 8 MiB, are heard again and again; without PATHS, made ones.
    Nothing is written. It takes less than a minute; let nothing else run meanwhile.
    """
    from batchemo.diagnostics.bench import run_bench

    sources = SourceOptions(paths=paths, extensions=split_words(ext))
    options = BenchOptions(sources, ModelSettings(model), most, seconds)
    try:
        with stoppable(), _teller() as tell:
            found = run_bench(options, tell)
    except Stopped as stopped:
        raise Stopped(stopped.number, "Nothing was measured to its end") from None
    if as_json:
        click.echo(json.dumps(as_object(found), indent=2))
    else:
        _show(found)
    return 0


@contextmanager
def _teller() -> Iterator[Callable[[str], None]]:
    """Tell people what is under way, on one line that goes; nobody where there is no terminal."""
    if not sys.stderr.isatty():
        yield lambda text: None
        return
    try:
        yield lambda text: click.echo(f"{ERASE}measuring: {text} …", sys.stderr, nl=False)
    finally:
        click.echo(ERASE, sys.stderr, nl=False)


def as_object(found: Findings) -> dict[str, Any]:
    """Give all that was found, times in milliseconds."""
    return {
        "model": found.model,
        "recordings": dataclasses.asdict(found.sample),
        "stages_ms": {stage: 1000 * seconds for stage, seconds in found.stages.items()},
        "reading_ms": None if found.reading is None else 1000 * found.reading,
        "processes": [
            {
                "jobs": pace.jobs,
                "recordings_per_second": pace.recordings,
                "times_real_time": pace.real_time,
            }
            for pace in found.paces
        ],
        "batches": [
            {"size": size, "ms_a_window": 1000 * seconds} for size, seconds in found.batches.items()
        ],
        "bound": found.bound,
        "best": {"jobs": found.best_jobs, "batch_size": found.best_batch},
    }


def _show(found: Findings) -> None:
    _show_sample(found)
    click.echo(f"\n{'stage':<12}{'ms a recording':>16}{'share':>10}")
    for stage, share in found.shares.items():
        spent = 1000 * found.stages[stage]
        click.echo(f"{stage:<12}{spent:>16.2f}{share:>10.0%}  {bar(share)}".rstrip())
    if found.reading is not None:
        click.echo(f"from disk, uncached {1000 * found.reading:>8.2f}")
    click.echo(f"\n{'processes':<12}{'recordings/s':>16}{'× real time':>13}{'against one':>13}")
    for pace in found.paces:
        against = pace.recordings / found.paces[0].recordings
        figures = f"{pace.recordings:>16,.1f}{pace.real_time:>13,.0f}{against:>13.2f}"
        click.echo(f"{pace.jobs:<12}{figures}")
    click.echo(f"\n{'batch size':<12}{'ms a window':>16}")
    for size, seconds in found.batches.items():
        click.echo(f"{size:<12}{1000 * seconds:>16.2f}")
    _show_advice(found)


def _show_sample(found: Findings) -> None:
    sample = found.sample
    kind = "made for this" if sample.made else "of yours"
    told = f"{counted(sample.count, 'recording')} {kind}, {sample.seconds:.1f} s each in the mean"
    click.echo(f"{told}; model {found.model}")
    if sample.passed_over:
        click.echo(f"passed over as too large: {counted(sample.passed_over, 'recording')}")
    if sample.failed:
        click.echo(f"failed, and counted all the same: {counted(sample.failed, 'recording')}")


def _show_advice(found: Findings) -> None:
    usual = "the default" if found.best_batch == BATCH_SIZE else f"the default is {BATCH_SIZE}"
    best = f"-j {found.best_jobs} --batch-size {found.best_batch} ({usual})"
    click.echo(f"\nbound by    {found.bound}: {ADVICE.get(found.bound, OTHERWISE)}")
    click.echo(f"best here   {best}")
    million = clock(1e6 / found.best_pace.recordings)
    click.echo(f"            a million such recordings take about {million}")
