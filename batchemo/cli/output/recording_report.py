"""Prints the prediction for one recording: the label, each class, each window."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, TypeAlias

import click
import numpy as np

from batchemo.cli.output.format import bar, bar_width, position
from batchemo.common.arrays import Float32
from batchemo.common.text import for_display
from batchemo.inference.settings import PostprocessSettings
from batchemo.tables.columns import DIMENSIONS, MIXED, UNCERTAIN
from batchemo.tables.derived import expected_dimensions, is_long, label_or_uncertain
from batchemo.tables.rows import RecordingResult, WindowResults
from batchemo.tables.summary import UNFAMILIAR
from batchemo.timelines import Joining, Stretch, Windows, join_windows

if TYPE_CHECKING:
    from batchemo.inference.model_set import ModelSet

SHORT_BAR = 12
MOST_WINDOWS = 20
"""Of a recording with more windows, the stretches that they make are printed."""

_Window: TypeAlias = "tuple[int, float, float, Float32 | None, float | None]"
"""Model, start, end, probabilities and familiarity."""


def show_recording(
    path: str,
    result: RecordingResult,
    models: ModelSet,
    postprocess: PostprocessSettings,
) -> None:
    """Print a result; of several models, first their mean and then the prediction of each."""
    labels = models.labels
    click.echo(f"{click.style(for_display(path), bold=True)}{_audio_facts(result)}")
    if result.probabilities is None:
        reason = f"{result.reason}: {for_display(result.detail or '')}"
        click.secho(f"  failed: {reason}\n", fg="yellow")
        return
    if result.measured is not None:
        click.echo(f"  {_dimensions(models.measured, result.measured)}\n")
    if not labels:
        _show_measured_windows(result.windows, models.measured)
        return
    columns = shutil.get_terminal_size().columns
    long = is_long(result.duration)
    formatter = _PredictionFormatter(labels, postprocess, columns, long)
    ranked = sorted(zip(labels, result.probabilities, strict=True), key=lambda pair: -pair[1])
    label, confidence = formatter.label(result.probabilities), ranked[0][1]
    agreement = (
        ""
        if result.model_probabilities is None
        else f", {_agreement(result.probabilities, result.model_probabilities)}"
    )
    told = f"{confidence:.0%} of the speaking time" if long else f"confidence {confidence:.2f}"
    if label == MIXED:
        told = f"no label has more than {told}"
    click.echo(f"  {click.style(label, bold=True)}, {told}{agreement}\n")
    if result.familiarity is not None:
        click.echo(f"  {_familiarity(result.familiarity)}\n")
    if postprocess.dimensions:
        click.echo(f"  estimated: {formatter.dimensions(result.probabilities)}\n")
    width = max(map(len, labels))
    for label, probability in ranked:
        drawn = _padded_bar(probability, bar_width(columns))
        click.echo(f"  {label:<{width}}  {drawn}{probability:.2f}")
    if result.model_probabilities is not None:
        click.echo()
        _show_models(result.model_probabilities, formatter, models.with_labels)
    if result.windows is not None and len(result.windows.starts) > len(models.bundles):
        _show_windows(result.windows, formatter, models)
    click.echo()


@dataclass(frozen=True, slots=True)
class _PredictionFormatter:
    """Formats probabilities as text, with the label and dimensions that a table would have."""

    labels: Sequence[str]
    postprocess: PostprocessSettings
    columns: int
    """The width of the terminal."""
    is_long: bool = False
    """Whether the probabilities are shares of the speaking time."""

    def label(self, probabilities: Float32) -> str:
        """Return the label, or `uncertain`."""
        least = self.postprocess.min_confidence
        found = label_or_uncertain(probabilities[None], self.labels, least, self.is_long)
        return str(found[0])

    def dimensions(self, probabilities: Float32) -> str:
        """Return valence, arousal and dominance."""
        values = expected_dimensions(probabilities[None], self.labels)[0]
        return _dimensions([name.removesuffix("_est") for name in DIMENSIONS], values)

    def line(self, probabilities: Float32) -> str:
        """Return the label and its probability, as a short bar and a number."""
        return self._line(self.label(probabilities), float(probabilities.max()))

    def stretch(self, stretch: Stretch) -> str:
        """Return the label of a stretch, or `uncertain`, and its mean probability."""
        known = stretch.confidence >= (self.postprocess.min_confidence or 0.0)
        return self._line(stretch.label if known else UNCERTAIN, stretch.confidence)

    def _line(self, label: str, share: float) -> str:
        drawn = _padded_bar(share, bar_width(self.columns, SHORT_BAR))
        uncertain = [UNCERTAIN] if self.postprocess.min_confidence else []
        uncertain += [MIXED] if self.is_long else []
        width = max(map(len, [*self.labels, *uncertain]))
        return f"{label:<{width}}  {drawn}{share:.2f}"


def _dimensions(names: Sequence[str], values: Float32) -> str:
    return ", ".join(f"{name} {value:+.2f}" for name, value in zip(names, values, strict=True))


def _audio_facts(result: RecordingResult) -> str:
    facts = []
    if result.duration is not None:
        facts.append(f"{result.duration:.1f} s")
    if result.sample_rate is not None:
        facts.append(f"{result.sample_rate / 1000:g} kHz")
    if result.channels is not None and result.channels > 1:
        facts.append(f"{result.channels} channels")
    return f"  ({', '.join(facts)})" if facts else ""


def _agreement(probabilities: Float32, model_probabilities: Float32) -> str:
    """Describe how many models predict the label of the mean of all models."""
    agreeing = int((model_probabilities.argmax(axis=1) == probabilities.argmax()).sum())
    return f"the label of {agreeing} of {len(model_probabilities)} models"


def _familiarity(familiarity: float) -> str:
    """Return the familiarity, and what a low one means for the label."""
    if familiarity >= UNFAMILIAR:
        return f"familiarity {familiarity:.2f}"
    return (
        f"familiarity {familiarity:.2f}: unlike the training recordings, so the label is not to be "
        "trusted"
    )


def _show_models(
    model_probabilities: Float32, formatter: _PredictionFormatter, models: Sequence[str]
) -> None:
    width = max(map(len, models))
    for model, probabilities in zip(models, model_probabilities, strict=True):
        click.echo(f"  {model:<{width}}  {formatter.line(probabilities)}")


def _show_windows(
    windows: WindowResults, formatter: _PredictionFormatter, models: ModelSet
) -> None:
    width = len(position(max(windows.ends)))
    for model, of_model in groupby(windows.iter_windows(), key=lambda window: window[0]):
        if not models.bundles[model].labels:
            continue  # What it measures stands above, for the whole recording.
        rows = list(of_model)
        click.echo(f"\n  {models.names[model]}" if models.names else "")
        if len(rows) > MOST_WINDOWS:
            _show_stretches(rows, formatter, width)
            continue
        for _, start, end, probabilities, familiarity in rows:
            time = f"  {position(start):>{width}} – {position(end):>{width}}"
            if probabilities is None:
                click.echo(f"{time}  {click.style('no speech', dim=True)}")
            else:
                known = "" if familiarity is None else f"  familiarity {familiarity:.2f}"
                click.echo(f"{time}  {formatter.line(probabilities)}{known}")


def _show_measured_windows(windows: WindowResults | None, names: Sequence[str]) -> None:
    """Print the dimensions of each window; a model of dimensions alone has no stretches."""
    if windows is None or windows.measured is None or len(windows.starts) < 2:
        return
    if len(windows.starts) > MOST_WINDOWS:
        click.echo(f"  {len(windows.starts):,} windows (--json has them)\n")
        return
    width = len(position(max(windows.ends)))
    rows = zip(windows.starts, windows.ends, windows.measured, windows.has_speech(), strict=True)
    for start, end, values, has_speech in rows:
        given = _dimensions(names, values) if has_speech else click.style("no speech", dim=True)
        click.echo(f"  {position(start):>{width}} – {position(end):>{width}}  {given}")
    click.echo()


def _show_stretches(rows: Sequence[_Window], formatter: _PredictionFormatter, width: int) -> None:
    """Print the windows of a long recording joined to stretches, as an export has them."""
    silent = np.full(len(formatter.labels), np.nan)
    windows = Windows(
        np.array([start for _, start, *_ in rows]),
        np.array([end for _, _, end, *_ in rows]),
        np.array([silent if row is None else row for _, _, _, row, _ in rows], np.float64),
    )
    click.echo(f"  {len(rows):,} windows, joined to stretches (--json has all windows)")
    for stretch in join_windows(windows, formatter.labels, Joining()):
        time = f"  {position(stretch.start):>{width}} – {position(stretch.end):>{width}}"
        click.echo(f"{time}  {formatter.stretch(stretch)}")


def _padded_bar(share: float, width: int) -> str:
    """Return a bar with space after it, or nothing where the terminal is too narrow for one."""
    return f"{bar(share, width)}  " if width else ""
