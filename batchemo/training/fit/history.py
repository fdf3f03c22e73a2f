"""The figures of a training's epochs, and what follows from them: rate, end and selection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi

from batchemo.training.hyperparameters import Hyperparameters

_WARM_UP = 0.25
"""The share of all steps in which the learning rate of one cycle rises."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """The figures of one epoch; those of validation are None where there is no validation."""

    number: int
    learning_rate: float
    """At the start of the epoch."""
    loss: float
    accuracy: float
    validation_loss: float | None = None
    validation_accuracy: float | None = None
    validation_uar: float | None = None

    def score(self, hyperparameters: Hyperparameters) -> float:
        """Return how good the epoch is by `select_epoch`: the higher, the better."""
        if self.validation_loss is None or self.validation_accuracy is None:
            raise ValueError("without validation recordings no epoch is better than another")
        if hyperparameters.select_epoch == "accuracy":
            return self.validation_accuracy
        if hyperparameters.select_epoch == "mean-accuracy":
            return (self.accuracy + self.validation_accuracy) / 2
        return -self.validation_loss


def select_epoch(history: Sequence[Epoch], hyperparameters: Hyperparameters) -> Epoch:
    """Return the epoch whose weights are the result: the best, the first of equals, or the last."""
    if hyperparameters.select_epoch == "last":
        return history[-1]
    return max(history, key=lambda epoch: epoch.score(hyperparameters))


def is_finished(history: Sequence[Epoch], hyperparameters: Hyperparameters) -> bool:
    """Whether all epochs are done, or `patience` epochs have passed without a better one."""
    if len(history) >= hyperparameters.epochs:
        return True
    if not (hyperparameters.patience and history):
        return False
    best = max(history, key=lambda epoch: epoch.score(hyperparameters))
    return history[-1].number - best.number >= hyperparameters.patience


def next_learning_rate(history: Sequence[Epoch], hyperparameters: Hyperparameters) -> float:
    """Return the learning rate with which the next epoch starts.

    With the plateau schedule it falls after `plateau_patience` epochs without a lower loss. It is
    computed from the history alone, so that a resumed training goes on as if never stopped.

    >>> def history(*losses):
    ...     return [Epoch(n, 1.0, 0, 0, loss, 0, 0) for n, loss in enumerate(losses)]
    >>> plateau = Hyperparameters(learning_rate=1.0, plateau_patience=2, plateau_factor=0.5)
    >>> [next_learning_rate(history(*losses), plateau) for losses in ((), (3, 2, 2), (3, 2, 2, 2))]
    [1.0, 1.0, 0.5]
    """
    if hyperparameters.lr_schedule == "one-cycle":
        return one_cycle(len(history) / hyperparameters.epochs, hyperparameters.learning_rate)
    rate, lowest, waited = hyperparameters.learning_rate, float("inf"), 0
    if not hyperparameters.plateau_patience:
        return rate
    for epoch in history:
        if epoch.validation_loss is not None and epoch.validation_loss < lowest:
            lowest, waited = epoch.validation_loss, 0
            continue
        waited += 1
        if waited >= hyperparameters.plateau_patience:
            rate, waited = rate * hyperparameters.plateau_factor, 0
    return rate


def one_cycle(progress: float, peak: float) -> float:
    """Return the learning rate after a share of all steps: up, then down to next to nothing.

    >>> [round(one_cycle(progress, 1.0), 2) for progress in (0.0, 0.125, 0.25, 1.0)]
    [0.04, 0.52, 1.0, 0.0]
    """
    if progress < _WARM_UP:
        start, end, phase = peak / 25, peak, progress / _WARM_UP
    else:
        start, end, phase = peak, peak / 1e4, (progress - _WARM_UP) / (1 - _WARM_UP)
    return start + (end - start) * (1 - cos(pi * phase)) / 2
