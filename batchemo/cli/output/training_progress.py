"""Shows how training and evaluating go on: a bar that moves on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Protocol

import click

from batchemo.cli.output.format import NARROW, counted
from batchemo.common.text import for_display

if TYPE_CHECKING:
    from batchemo.evaluation.predictions import Prediction
    from batchemo.training.data.protocols import Split
    from batchemo.training.fit.history import Epoch

_WIDE = 110
"""Columns of a terminal that has room for a long bar."""


class Follower(Protocol):
    """Follows a training or an evaluation."""

    def say(self, text: str) -> None:
        """Take a line that stays."""

    def hear(self, done: int, total: int) -> None:
        """Take how many recordings have their features."""

    def epoch(self, split: Split, epoch: Epoch) -> None:
        """Take what an epoch brought."""

    def sat(self, done: int, total: int, split: Split, predictions: Sequence[Prediction]) -> None:
        """Take what a trial brought."""


@contextmanager
def followed(quiet: bool, epochs: int) -> Iterator[Follower]:
    """Follow a training of at most so many epochs, as standard error allows."""
    if quiet:
        yield _Silent()
    elif sys.stderr.isatty():
        with _bar(sys.stderr, epochs) as follower:
            yield follower
    else:
        yield _Lines(epochs)


class _Silent:
    def say(self, text: str) -> None:
        pass

    def hear(self, done: int, total: int) -> None:
        pass

    def epoch(self, split: Split, epoch: Epoch) -> None:
        pass

    def sat(self, done: int, total: int, split: Split, predictions: Sequence[Prediction]) -> None:
        pass


class _Lines:
    """A line for all features, one an epoch, one a trial."""

    def __init__(self, epochs: int) -> None:
        self._epochs = epochs
        self._first = True

    def say(self, text: str) -> None:
        click.echo(f"batchemo: {for_display(text)}", err=True)

    def hear(self, done: int, total: int) -> None:
        if done == total:
            self.say(f"{counted(total, 'recording')} heard")

    def epoch(self, split: Split, epoch: Epoch) -> None:
        if self._first and epoch.number:
            self.say(goes_on(epoch))
        self._first = False
        self.say(epoch_line(epoch, self._epochs))

    def sat(self, done: int, total: int, split: Split, predictions: Sequence[Prediction]) -> None:
        self.say(trial_line(done, total, split))


class _Bar:
    """One bar, for the recordings first, then for the epochs or trials."""

    def __init__(self, stream: IO[str], epochs: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self._console = Console(file=stream, highlight=False)
        self._epochs = epochs
        self._first = True
        told = TextColumn("{task.description}", markup=False)
        width = self._console.width
        columns = [told, BarColumn(40 if width >= _WIDE else 10), TimeElapsedColumn()]
        if width < NARROW:
            columns = [told]
        self.progress = Progress(*columns, console=self._console, transient=True)
        self._task = self.progress.add_task("begins", total=None)

    def say(self, text: str) -> None:
        self._console.print(for_display(text), markup=False)

    def hear(self, done: int, total: int) -> None:
        if done < total:
            self._move(f"{done:,}/{total:,} recordings heard", done, total)
        else:
            self._move(f"{counted(total, 'recording')} heard, the net begins", 0, total)

    def epoch(self, split: Split, epoch: Epoch) -> None:
        if self._first and epoch.number:
            self.say(goes_on(epoch))
        self._first = False
        told = (
            f"epoch {epoch.number + 1}/{self._epochs}: loss {epoch.loss:.3f}, accuracy "
            f"{epoch.accuracy:.3f}"
        )
        if epoch.validation_accuracy is not None:
            told += f"; watched {epoch.validation_accuracy:.3f}"
        self._move(told, epoch.number + 1, self._epochs)

    def sat(self, done: int, total: int, split: Split, predictions: Sequence[Prediction]) -> None:
        self._move(trial_line(done, total, split), done, total)

    def _move(self, told: str, done: int, total: int) -> None:
        self.progress.update(self._task, description=told, completed=done, total=total)


@contextmanager
def _bar(stream: IO[str], epochs: int) -> Iterator[_Bar]:
    follower = _Bar(stream, epochs)
    with follower.progress:
        yield follower


def goes_on(epoch: Epoch) -> str:
    """Say that this, the first epoch that is told of, is not the first one."""
    return f"goes on from epoch {epoch.number}, where an earlier run was stopped"


def epoch_line(epoch: Epoch, epochs: int) -> str:
    """Say in a line what an epoch brought."""
    told = (
        f"epoch {epoch.number + 1}/{epochs}: loss {epoch.loss:.3f}, accuracy {epoch.accuracy:.3f}"
    )
    if epoch.validation_loss is None:
        return told
    return (
        f"{told}; watched: loss {epoch.validation_loss:.3f}, accuracy"
        f" {epoch.validation_accuracy:.3f}, UAR {epoch.validation_uar:.3f}"
    )


def trial_line(done: int, total: int, split: Split) -> str:
    """Say in a line which trial is done."""
    return f"training {done}/{total} done and tested: {split.fold}, seed {split.seed}"
