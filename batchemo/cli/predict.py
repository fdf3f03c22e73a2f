"""`batchemo predict`: single recordings, looked at closely."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import click

from batchemo.cli.closeup import show
from batchemo.cli.options import ENVIRONMENT, config_option, model_options, settings_from
from batchemo.tables.rows import Floats, Row, Windows, agreement, judge

EPILOG = """
\b
Examples:
  batchemo predict interview.wav
  batchemo predict *.wav --json | jq -r '.[] | [.file, .emotion, .confidence] | @tsv'
  batchemo predict call.wav --hop 0.5 --channel 1
  batchemo predict call.wav -m default -m ./my-model

\b
--json prints an array with an object for each FILE, in their order:
  root, file, status, reason, detail, model
  emotion, confidence, margin, probabilities {label: probability}
  windows [{start, end, and the same four}], null where nothing sounds like speech
  duration, sample_rate, channels, rms_db, clipped, silence, size, mtime_ns
  of several models also: agreement, models {name: {the same four}}, and in each window model

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

    look = look_closely(files, *settings_from(values))
    failed = False
    found = []
    for path, row in zip(files, look.rows(), strict=True):
        failed |= row.reason is not None
        if as_json:
            found.append(as_object(row, look.labels, look.model, look.models))
        else:
            show(path, row, look.labels, look.models)
    if as_json:
        click.echo(json.dumps(found, indent=2, allow_nan=False))
    return 3 if failed else 0


def as_object(
    row: Row, labels: tuple[str, ...], model: str, models: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Give all that is known of a recording, under the names that the tables use."""
    identity = {"root": row.root, "file": row.file, "status": "failed" if row.reason else "ok"}
    return {
        **identity,
        "reason": row.reason,
        "detail": row.detail,
        **_judgement(row.probabilities, labels),
        **(_votes(row, labels, models) if models else {}),
        "windows": None if row.windows is None else _windows(row.windows, labels, models),
        **{name: getattr(row, name) for name in _MEASURED},
        "model": model,
    }


_BESIDE = {"root", "file", "reason", "detail", "probabilities", "opinions", "windows"}
_MEASURED = [field.name for field in dataclasses.fields(Row) if field.name not in _BESIDE]


def _votes(row: Row, labels: tuple[str, ...], models: tuple[str, ...]) -> dict[str, Any]:
    if row.opinions is None or row.probabilities is None:
        return {"agreement": None, "models": None}
    each = zip(models, row.opinions, strict=True)
    return {
        "agreement": float(agreement(row.opinions[None], row.probabilities[None])[0]),
        "models": {name: _judgement(opinion, labels) for name, opinion in each},
    }


def _windows(
    windows: Windows, labels: tuple[str, ...], models: tuple[str, ...]
) -> list[dict[str, Any]]:
    return [
        {
            **({"model": models[place]} if models else {}),
            "start": float(start),
            "end": float(end),
            **_judgement(probabilities, labels),
        }
        for place, start, end, probabilities in windows.over_time()
    ]


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
