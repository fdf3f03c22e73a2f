"""`batchemo predict`: single recordings, looked at closely."""

from __future__ import annotations

import dataclasses
import json
import shutil
from typing import Any

import click
import numpy as np

from batchemo.cli.options import ENVIRONMENT, config_option, model_options, settings_from
from batchemo.cli.text import bar, bar_width
from batchemo.sources.names import for_display
from batchemo.tables.rows import Floats, Row, Windows, judge

EPILOG = """
\b
Examples:
  batchemo predict interview.wav
  batchemo predict *.wav --json | jq -r '.[] | [.file, .emotion, .confidence] | @tsv'
  batchemo predict call.wav --hop 0.5 --channel 1

\b
--json prints an array with an object for each FILE, in their order:
  root, file, status, reason, detail, model
  emotion, confidence, margin, probabilities {label: probability}
  windows [{start, end, and the same four}], null where nothing sounds like speech
  duration, sample_rate, channels, rms_db, clipped, silence, size, mtime_ns

\b
Exit codes:
  0 all done   1 the run failed   2 wrong usage   3 some recordings failed
"""


@click.command(context_settings=ENVIRONMENT, epilog=EPILOG)
@click.argument("files", nargs=-1, required=True, type=click.Path())
@model_options
@click.option("--json", "as_json", is_flag=True, help="Print an array of objects for machines.")
@config_option
def command(files: tuple[str, ...], as_json: bool, **values: Any) -> int:
    """Look closely at the recordings FILE…: every class's probability, and windows over time.

    The numbers are those of a scan with the same options.
    """
    from batchemo.scan.closely import look_closely

    look = look_closely(files, settings_from(values))
    failed = False
    found = []
    for path, row in zip(files, look.rows(), strict=True):
        failed |= row.reason is not None
        if as_json:
            found.append(as_object(row, look.labels, look.model))
        else:
            show(path, row, look.labels)
    if as_json:
        click.echo(json.dumps(found, indent=2, allow_nan=False))
    return 3 if failed else 0


def as_object(row: Row, labels: tuple[str, ...], model: str) -> dict[str, Any]:
    """Give all that is known of a recording, under the names that the tables use."""
    identity = {"root": row.root, "file": row.file, "status": "failed" if row.reason else "ok"}
    return {
        **identity,
        "reason": row.reason,
        "detail": row.detail,
        **_judgement(row.probabilities, labels),
        "windows": None if row.windows is None else _windows(row.windows, labels),
        **{name: getattr(row, name) for name in _MEASURED},
        "model": model,
    }


_BESIDE = {"root", "file", "reason", "detail", "probabilities", "windows"}
_MEASURED = [field.name for field in dataclasses.fields(Row) if field.name not in _BESIDE]


def _windows(windows: Windows, labels: tuple[str, ...]) -> list[dict[str, Any]]:
    return [
        {"start": float(start), "end": float(end), **_judgement(probabilities, labels)}
        for start, end, probabilities in _over_time(windows)
    ]


def _over_time(windows: Windows) -> list[tuple[float, float, Floats | None]]:
    """List the windows, those without speech with None for their probabilities."""
    each = zip(windows.starts, windows.ends, windows.probabilities, strict=True)
    return [(start, end, None if np.isnan(p).any() else p) for start, end, p in each]


def _judgement(probabilities: Floats | None, labels: tuple[str, ...]) -> dict[str, Any]:
    if probabilities is None:
        return dict.fromkeys(("emotion", "confidence", "margin", "probabilities"))
    best, confidence, margin = judge(probabilities[None])
    return {
        "emotion": labels[best[0]],
        "confidence": float(confidence[0]),
        "margin": float(margin[0]),
        "probabilities": dict(zip(labels, map(float, probabilities), strict=True)),
    }


def show(path: str, row: Row, labels: tuple[str, ...]) -> None:
    """Print one recording for people."""
    click.echo(f"{click.style(for_display(path), bold=True)}{_facts(row)}")
    if row.probabilities is None:
        click.secho(f"  failed: {row.reason}: {for_display(row.detail or '')}\n", fg="yellow")
        return
    ranked = sorted(zip(labels, row.probabilities, strict=True), key=lambda each: -each[1])
    label, confidence = ranked[0]
    click.echo(f"  {click.style(label, bold=True)}, confidence {confidence:.2f}\n")
    width = max(map(len, labels))
    columns = shutil.get_terminal_size().columns
    for label, probability in ranked:
        drawn = _drawn(probability, bar_width(columns))
        click.echo(f"  {label:<{width}}  {drawn}{probability:.2f}")
    if row.windows is not None and len(row.windows.starts) > 1:
        click.echo()
        _show_windows(row.windows, labels, width, columns)
    click.echo()


def _facts(row: Row) -> str:
    known = []
    if row.duration is not None:
        known.append(f"{row.duration:.1f} s")
    if row.sample_rate is not None:
        known.append(f"{row.sample_rate / 1000:g} kHz")
    if row.channels is not None and row.channels > 1:
        known.append(f"{row.channels} channels")
    return f"  ({', '.join(known)})" if known else ""


def _show_windows(windows: Windows, labels: tuple[str, ...], width: int, columns: int) -> None:
    pad = len(position(windows.ends[-1]))
    for start, end, probabilities in _over_time(windows):
        time = f"  {position(start):>{pad}} – {position(end):>{pad}}"
        if probabilities is None:
            click.echo(f"{time}  {click.style('no speech', dim=True)}")
            continue
        best = int(probabilities.argmax())
        share = float(probabilities[best])
        drawn = _drawn(share, bar_width(columns, 12))
        click.echo(f"{time}  {labels[best]:<{width}}  {drawn}{share:.2f}")


def _drawn(share: float, width: int) -> str:
    """Draw a bar with room behind it, or nothing where there is no room."""
    return f"{bar(share, width)}  " if width else ""


def position(seconds: float) -> str:
    """Write a place in a recording.

    >>> position(1.5), position(62.25), position(3700)
    ('0:01.5', '1:02.2', '1:01:40.0')
    """
    minutes, rest = divmod(round(seconds, 1), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"
