"""`batchemo predict`: single recordings, looked at closely."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from functools import partial
from typing import Any

import click

from batchemo.cli.output.progress import warn
from batchemo.cli.output.recording_report import show
from batchemo.cli.shared_options import (
    ENVIRONMENT,
    config_option,
    interpretation_from,
    interpretation_options,
    model_options,
    settings_from,
)
from batchemo.common.arrays import Float32
from batchemo.inference.settings import NO_POSTPROCESSING, PostprocessSettings
from batchemo.tables.columns import DIMENSIONS
from batchemo.tables.derived import agreement, expected_dimensions, label_or_uncertain, top_two
from batchemo.tables.rows import RecordingResult, WindowResults

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
  with --dimensions, valence_est, arousal_est, dominance_est wherever those four are

\b
Exit codes:
  0 all done   1 the run failed   2 wrong usage   3 some recordings failed
"""


@click.command(context_settings=ENVIRONMENT, epilog=EPILOG)
@click.argument("files", nargs=-1, required=True, type=click.Path())
@model_options
@interpretation_options
@click.option("--json", "as_json", is_flag=True, help="Print an array of objects for machines.")
@config_option
def command(files: tuple[str, ...], as_json: bool, **values: Any) -> int:
    """Look closely at the recordings FILE…: every class's probability, and windows over time.

    The numbers are those of a scan of the same recordings with the same options.
    """
    from batchemo.inference.single import open_predictor

    how = interpretation_from(values)
    look = open_predictor(files, *settings_from(values), postprocess=how)
    failed = False
    found = []
    for path, row in zip(files, look.rows(), strict=True):
        failed |= row.reason is not None
        if as_json:
            found.append(as_object(row, look.labels, look.model, look.models, how))
        else:
            show(path, row, look.labels, look.models, how)
    if as_json:
        click.echo(json.dumps(found, indent=2, allow_nan=False))
    for caution in look.warnings:
        warn(caution)
    return 3 if failed else 0


def as_object(
    row: RecordingResult,
    labels: tuple[str, ...],
    model: str,
    models: tuple[str, ...] = (),
    how: PostprocessSettings = NO_POSTPROCESSING,
) -> dict[str, Any]:
    """Give all that is known of a recording, under the names that the tables use."""
    judged = partial(_judgement, labels=labels, how=how)
    identity = {"root": row.root, "file": row.file, "status": "failed" if row.reason else "ok"}
    return {
        **identity,
        "reason": row.reason,
        "detail": row.detail,
        **judged(row.probabilities),
        **(_votes(row, models, judged) if models else {}),
        "windows": None if row.windows is None else _windows(row.windows, models, judged),
        **{name: getattr(row, name) for name in _MEASURED},
        "model": model,
    }


_BESIDE = {"root", "file", "reason", "detail", "probabilities", "opinions", "windows"}
_MEASURED = [
    field.name for field in dataclasses.fields(RecordingResult) if field.name not in _BESIDE
]


_Judged = Callable[[Float32 | None], dict[str, Any]]


def _votes(row: RecordingResult, models: tuple[str, ...], judged: _Judged) -> dict[str, Any]:
    if row.model_probabilities is None or row.probabilities is None:
        return {"agreement": None, "models": None}
    each = zip(models, row.model_probabilities, strict=True)
    return {
        "agreement": float(agreement(row.model_probabilities[None], row.probabilities[None])[0]),
        "models": {name: judged(opinion) for name, opinion in each},
    }


def _windows(windows: WindowResults, models: tuple[str, ...], judged: _Judged) -> list[dict[str, Any]]:
    return [
        {
            **({"model": models[place]} if models else {}),
            "start": float(start),
            "end": float(end),
            **judged(probabilities),
        }
        for place, start, end, probabilities in windows.iter_windows()
    ]


def _judgement(
    probabilities: Float32 | None, labels: tuple[str, ...], how: PostprocessSettings
) -> dict[str, Any]:
    names = ["emotion", "confidence", "margin", "probabilities"]
    names += DIMENSIONS if how.dimensions else ()
    if probabilities is None:
        return dict.fromkeys(names)
    _, confidence, margin = top_two(probabilities[None])
    told = [
        str(label_or_uncertain(probabilities[None], labels, how.min_confidence)[0]),
        float(confidence[0]),
        float(margin[0]),
        dict(zip(labels, map(float, probabilities), strict=True)),
    ]
    place = expected_dimensions(probabilities[None], labels)[0].tolist() if how.dimensions else []
    return dict(zip(names, [*told, *place], strict=True))
