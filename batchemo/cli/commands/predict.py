"""`batchemo predict`: single recordings in detail, analysed in this process."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from batchemo.cli.output.progress import PositionDisplay, warn
from batchemo.cli.output.recording_report import show_recording
from batchemo.cli.process import libraries_silenced
from batchemo.cli.shared_options import (
    ENVIRONMENT,
    config_option,
    json_option,
    model_options,
    postprocess_from,
    postprocess_options,
    settings_from,
)
from batchemo.common.arrays import Float32
from batchemo.inference.settings import PostprocessSettings
from batchemo.tables.columns import DIMENSIONS
from batchemo.tables.derived import (
    agreement,
    expected_dimensions,
    is_long,
    label_or_uncertain,
    top_two,
)
from batchemo.tables.rows import RecordingResult, WindowResults

if TYPE_CHECKING:
    from batchemo.inference.model_set import ModelSet

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
  windows [{start, end, the same four, and familiarity}], with null for windows without speech
  familiarity: how like the training recordings it is, 0 to 1; null if the model cannot say
  duration, sample_rate, channels, rms_db, clipped, silence, size, mtime_ns, etag
  for several models also agreement and models {name: {the same four}}, and model in each window
  with --dimensions, valence_est, arousal_est and dominance_est wherever those four are
  of a model that gives them, arousal, valence and dominance, for the recording and each window;
  a model without labels has null for emotion, confidence, margin and probabilities

\b
Exit codes:
  0 all done   1 the run failed   2 wrong usage   3 some recordings failed
"""


@click.command(context_settings=ENVIRONMENT, epilog=EPILOG)
@click.argument("files", nargs=-1, required=True, type=click.Path())
@model_options
@postprocess_options
@json_option
@config_option
def command(files: tuple[str, ...], as_json: bool, **values: Any) -> int:
    """Analyse the recordings FILE…: the probability of each class, and each window over time.

    The numbers are those of a scan of the same recordings with the same options.
    """
    from batchemo.inference.single import open_predictor

    postprocess = postprocess_from(values)
    predictor = open_predictor(files, *settings_from(values), postprocess=postprocess)
    models = predictor.model_set
    failed = False
    objects = []
    with libraries_silenced(), PositionDisplay(sys.stderr) as display:
        for path, result in zip(files, predictor.rows(display), strict=True):
            display.clear()
            failed |= result.reason is not None
            if as_json:
                objects.append(_as_object(result, models, postprocess))
            else:
                show_recording(path, result, models, postprocess)
    if as_json:
        click.echo(json.dumps(objects, indent=2, allow_nan=False))
    for message in predictor.warnings:
        warn(message)
    return 3 if failed else 0


def _as_object(
    result: RecordingResult, models: ModelSet, postprocess: PostprocessSettings
) -> dict[str, Any]:
    """Return a result as an object for JSON, with the names of the tables' columns."""
    describe = partial(_prediction, labels=models.labels, postprocess=postprocess)
    summarise = partial(describe, long=is_long(result.duration))
    return {
        "root": result.root,
        "file": result.file,
        "status": "failed" if result.reason else "ok",
        "reason": result.reason,
        "detail": result.detail,
        **summarise(result.probabilities),
        **_measured(models.measured, result.measured),
        **_model_predictions(result, models.with_labels, summarise),
        "windows": None if result.windows is None else _windows(result.windows, models, describe),
        **{name: getattr(result, name) for name in _MEASUREMENTS},
        "model": models.model,
    }


_WRITTEN_APART = {
    *("root", "file", "reason", "detail", "probabilities", "model_probabilities", "windows"),
    "measured",
    # Recordings are predicted as a whole.
    *("turn", "overlap", "speech_share"),
}
_MEASUREMENTS = [
    field.name for field in dataclasses.fields(RecordingResult) if field.name not in _WRITTEN_APART
]

_Describe = Callable[[Float32 | None], dict[str, Any]]


def _prediction(
    probabilities: Float32 | None,
    labels: tuple[str, ...],
    postprocess: PostprocessSettings,
    *,
    long: bool = False,
) -> dict[str, Any]:
    """Return what a table derives from probabilities; null for each where there are none."""
    names = ["emotion", "confidence", "margin", "probabilities"]
    names += DIMENSIONS if postprocess.dimensions else ()
    if probabilities is None or not labels:
        return dict.fromkeys(names)
    row = probabilities[None]
    _, confidence, margin = top_two(row)
    values = [
        str(label_or_uncertain(row, labels, postprocess.min_confidence, long)[0]),
        float(confidence[0]),
        float(margin[0]),
        dict(zip(labels, map(float, probabilities), strict=True)),
    ]
    if postprocess.dimensions:
        values += expected_dimensions(row, labels)[0].tolist()
    return dict(zip(names, values, strict=True))


def _measured(names: Sequence[str], values: Float32 | None) -> dict[str, Any]:
    """Return the dimensions that the model gives; null for a failure, or without speech."""
    if values is None or np.isnan(values).any():
        return dict.fromkeys(names)
    return dict(zip(names, map(float, values), strict=True))


def _model_predictions(
    result: RecordingResult, names: Sequence[str], describe: _Describe
) -> dict[str, Any]:
    """Return the prediction of each of several models; nothing for a single one."""
    if not names:
        return {}
    if result.model_probabilities is None or result.probabilities is None:
        return {"agreement": None, "models": None}
    by_model = zip(names, result.model_probabilities, strict=True)
    share = agreement(result.model_probabilities[None], result.probabilities[None])[0]
    return {
        "agreement": float(share),
        "models": {name: describe(probabilities) for name, probabilities in by_model},
    }


def _windows(windows: WindowResults, models: ModelSet, describe: _Describe) -> list[dict[str, Any]]:
    measured = models.measured
    return [
        {
            **({"model": models.names[model]} if models.names else {}),
            "start": float(start),
            "end": float(end),
            **describe(probabilities),
            **_measured(measured, None if windows.measured is None else windows.measured[index]),
            "familiarity": familiarity,
        }
        for index, (model, start, end, probabilities, familiarity) in enumerate(
            windows.iter_windows()
        )
    ]
