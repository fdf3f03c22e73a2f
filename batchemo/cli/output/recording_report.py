"""Shows one recording to people: what it sounds like, class by class, and over time."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import click

from batchemo.cli.output.format import bar, bar_width
from batchemo.common.arrays import Float32
from batchemo.common.text import for_display
from batchemo.inference.settings import NO_POSTPROCESSING, PostprocessSettings
from batchemo.tables.columns import DIMENSIONS, UNCERTAIN
from batchemo.tables.derived import expected_dimensions, label_or_uncertain
from batchemo.tables.rows import RecordingResult, WindowResults

NARROW_BAR = 12


def show(
    path: str,
    row: RecordingResult,
    labels: Sequence[str],
    models: Sequence[str] = (),
    how: PostprocessSettings = NO_POSTPROCESSING,
) -> None:
    """Print the recording; of several models, what all say together and then each."""
    click.echo(f"{click.style(for_display(path), bold=True)}{_facts(row)}")
    if row.probabilities is None:
        click.secho(f"  failed: {row.reason}: {for_display(row.detail or '')}\n", fg="yellow")
        return
    ranked = sorted(zip(labels, row.probabilities, strict=True), key=lambda each: -each[1])
    postprocessor = _Teller(labels, how)
    label, confidence = postprocessor.name(row.probabilities), ranked[0][1]
    agreed = (
        ""
        if row.model_probabilities is None
        else f", {_agreed(row.probabilities, row.model_probabilities)}"
    )
    click.echo(f"  {click.style(label, bold=True)}, confidence {confidence:.2f}{agreed}\n")
    if how.dimensions:
        click.echo(f"  estimated: {postprocessor.place(row.probabilities)}\n")
    width = max(map(len, labels))
    columns = shutil.get_terminal_size().columns
    for label, probability in ranked:
        drawn = _drawn(probability, bar_width(columns))
        click.echo(f"  {label:<{width}}  {drawn}{probability:.2f}")
    if row.model_probabilities is not None:
        click.echo()
        _show_votes(row.model_probabilities, postprocessor, models, columns)
    if row.windows is not None and len(row.windows.starts) > max(1, len(models)):
        _show_windows(row.windows, postprocessor, models, columns)
    click.echo()


def _agreed(together: Float32, model_probabilities: Float32) -> str:
    """Say how many models have the label of all together."""
    agreed = int((model_probabilities.argmax(axis=1) == together.argmax()).sum())
    return f"the label of {agreed} of {len(model_probabilities)} models"


def _show_votes(
    model_probabilities: Float32, postprocessor: _Teller, models: Sequence[str], columns: int
) -> None:
    width = max(map(len, models))
    for model, opinion in zip(models, model_probabilities, strict=True):
        click.echo(f"  {model:<{width}}  {postprocessor.verdict(opinion, columns)}")


@dataclass(frozen=True, slots=True)
class _Teller:
    """Puts probabilities in words, as they are to be read."""

    labels: Sequence[str]
    how: PostprocessSettings

    def name(self, probabilities: Float32) -> str:
        return str(label_or_uncertain(probabilities[None], self.labels, self.how.min_confidence)[0])

    def place(self, probabilities: Float32) -> str:
        values = expected_dimensions(probabilities[None], self.labels)[0]
        words = (name.removesuffix("_est") for name in DIMENSIONS)
        return ", ".join(f"{word} {v:+.2f}" for word, v in zip(words, values, strict=True))

    def verdict(self, probabilities: Float32, columns: int) -> str:
        """Write the label with the highest probability as a short bar and a number."""
        share = float(probabilities.max())
        drawn = _drawn(share, bar_width(columns, NARROW_BAR))
        width = max(map(len, [*self.labels, UNCERTAIN] if self.how.min_confidence else self.labels))
        return f"{self.name(probabilities):<{width}}  {drawn}{share:.2f}"


def _facts(row: RecordingResult) -> str:
    known = []
    if row.duration is not None:
        known.append(f"{row.duration:.1f} s")
    if row.sample_rate is not None:
        known.append(f"{row.sample_rate / 1000:g} kHz")
    if row.channels is not None and row.channels > 1:
        known.append(f"{row.channels} channels")
    return f"  ({', '.join(known)})" if known else ""


def _show_windows(
    windows: WindowResults, postprocessor: _Teller, models: Sequence[str], columns: int
) -> None:
    pad = len(position(max(windows.ends)))
    for place, lines in groupby(windows.iter_windows(), key=lambda window: window[0]):
        click.echo(f"\n  {models[place]}" if models else "")
        for _, start, end, probabilities in lines:
            time = f"  {position(start):>{pad}} – {position(end):>{pad}}"
            if probabilities is None:
                click.echo(f"{time}  {click.style('no speech', dim=True)}")
            else:
                click.echo(f"{time}  {postprocessor.verdict(probabilities, columns)}")


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
