"""Progress of training and evaluation: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Protocol

import click

from batchemo.cli.output.format import NARROW
from batchemo.common.text import counted, for_display

if TYPE_CHECKING:
    from batchemo.evaluation.predictions import Prediction
    from batchemo.training.data.protocols import Split
    from batchemo.training.fit.history import Epoch

_WIDE = 110
"""Columns of a terminal that is wide enough for a long bar."""


class TrainingProgress(Protocol):
    """Callbacks that show how a training or an evaluation progresses."""

    def message(self, text: str) -> None:
        """Print a line that stays."""

    def on_features(self, done: int, total: int) -> None:
        """Show how many recordings have their features."""

    def on_epoch(self, split: Split, epoch: Epoch) -> None:
        """Show the result of an epoch."""

    def on_run(
        self, done: int, total: int, split: Split, predictions: Sequence[Prediction]
    ) -> None:
        """Show that a run (one fold with one seed) was trained and tested."""


@contextmanager
def training_progress(quiet: bool, epochs: int) -> Iterator[TrainingProgress]:
    """Yield the progress display that suits standard error, for at most this many epochs."""
    if quiet:
        yield _Silent()
    elif sys.stderr.isatty():
        display = _Bar(sys.stderr, epochs)
        with display.progress:
            yield display
    else:
        yield _Lines(epochs)


class _Silent:
    def message(self, text: str) -> None:
        pass

    def on_features(self, done: int, total: int) -> None:
        pass

    def on_epoch(self, split: Split, epoch: Epoch) -> None:
        pass

    def on_run(
        self, done: int, total: int, split: Split, predictions: Sequence[Prediction]
    ) -> None:
        pass


class _Lines:
    """Prints one line for all features, one for each epoch, one for each run."""

    def __init__(self, epochs: int) -> None:
        self._epochs = epochs
        self._is_first_epoch = True

    def message(self, text: str) -> None:
        click.echo(f"batchemo: {for_display(text)}", err=True)

    def on_features(self, done: int, total: int) -> None:
        if done == total:
            self.message(f"features of {counted(total, 'recording')} computed")

    def on_epoch(self, split: Split, epoch: Epoch) -> None:
        if self._is_first_epoch and epoch.number:
            self.message(resumed_message(epoch))
        self._is_first_epoch = False
        self.message(epoch_message(epoch, self._epochs))

    def on_run(
        self, done: int, total: int, split: Split, predictions: Sequence[Prediction]
    ) -> None:
        self.message(run_message(done, total, split))


class _Bar:
    """Shows one bar: first for the recordings, then for the epochs or runs."""

    def __init__(self, stream: IO[str], epochs: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self._console = Console(file=stream, highlight=False)
        self._epochs = epochs
        self._is_first_epoch = True
        description = TextColumn("{task.description}", markup=False)
        width = self._console.width
        columns = [description, BarColumn(40 if width >= _WIDE else 10), TimeElapsedColumn()]
        if width < NARROW:
            columns = [description]
        self.progress = Progress(*columns, console=self._console, transient=True)
        self._task = self.progress.add_task("starting", total=None)

    def message(self, text: str) -> None:
        self._console.print(for_display(text), markup=False)

    def on_features(self, done: int, total: int) -> None:
        if done < total:
            self._update(f"features of {done:,}/{total:,} recordings", done, total)
        else:
            self._update(f"features of {counted(total, 'recording')} computed", 0, total)

    def on_epoch(self, split: Split, epoch: Epoch) -> None:
        if self._is_first_epoch and epoch.number:
            self.message(resumed_message(epoch))
        self._is_first_epoch = False
        text = training_figures(epoch, self._epochs)
        if epoch.validation_accuracy is not None:
            text += f"; validation {epoch.validation_accuracy:.3f}"
        self._update(text, epoch.number + 1, self._epochs)

    def on_run(
        self, done: int, total: int, split: Split, predictions: Sequence[Prediction]
    ) -> None:
        self._update(run_message(done, total, split), done, total)

    def _update(self, text: str, done: int, total: int) -> None:
        self.progress.update(self._task, description=text, completed=done, total=total)


def resumed_message(epoch: Epoch) -> str:
    """Return the message for a training that resumes at this epoch."""
    return f"resumed from epoch {epoch.number}, where an earlier run was stopped"


def training_figures(epoch: Epoch, epochs: int) -> str:
    """Return the number of an epoch with its figures on the training recordings."""
    number = f"epoch {epoch.number + 1}/{epochs}"
    return f"{number}: loss {epoch.loss:.3f}, accuracy {epoch.accuracy:.3f}"


def epoch_message(epoch: Epoch, epochs: int) -> str:
    """Return a line with the figures of an epoch."""
    text = training_figures(epoch, epochs)
    if epoch.validation_loss is None:
        return text
    return (
        f"{text}; validation: loss {epoch.validation_loss:.3f}, accuracy"
        f" {epoch.validation_accuracy:.3f}, UAR {epoch.validation_uar:.3f}"
    )


def run_message(done: int, total: int, split: Split) -> str:
    """Return a line that says which run is done."""
    return f"run {done}/{total} trained and tested: {split.fold}, seed {split.seed}"
