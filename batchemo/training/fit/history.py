"""What a training has seen epoch by epoch, and what follows from it: rate, end, and choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi

from batchemo.training.hyperparameters import Hyperparameters

_WARM_UP = 0.25
"""The share of all steps in which the rate of a cycle rises."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """One epoch's figures; `validation_*` are of the recordings that are only watched, if any."""

    number: int
    rate: float
    loss: float
    accuracy: float
    validation_loss: float | None = None
    validation_accuracy: float | None = None
    validation_uar: float | None = None

    def worth(self, hyperparameters: Hyperparameters) -> float:
        """How good this epoch's net is by the chosen measure: the higher, the better."""
        if self.validation_loss is None or self.validation_accuracy is None:
            raise ValueError("nothing was watched that could tell one epoch from another")
        if hyperparameters.select_epoch == "accuracy":
            return self.validation_accuracy
        if hyperparameters.select_epoch == "mean-accuracy":
            return (self.accuracy + self.validation_accuracy) / 2
        return -self.validation_loss


def best_epoch(history: Sequence[Epoch], hyperparameters: Hyperparameters) -> Epoch:
    """The epoch whose net is the result: the best, the earliest of equals, or the last."""
    if hyperparameters.select_epoch == "last":
        return history[-1]
    return max(history, key=lambda epoch: epoch.worth(hyperparameters))


def is_over(history: Sequence[Epoch], hyperparameters: Hyperparameters) -> bool:
    """Whether all epochs are done, or none of the last was better than one before them."""
    if len(history) >= hyperparameters.epochs:
        return True
    if not (hyperparameters.patience and history):
        return False
    best = max(history, key=lambda epoch: epoch.worth(hyperparameters))
    return history[-1].number - best.number >= hyperparameters.patience


def next_rate(history: Sequence[Epoch], hyperparameters: Hyperparameters) -> float:
    """The learning rate with which the next epoch begins.

    On a plateau it is lower whenever the validation loss has stayed high.

    >>> def seen(*losses):
    ...     return [Epoch(n, 1.0, 0, 0, loss, 0, 0) for n, loss in enumerate(losses)]
    >>> choices = Hyperparameters(learning_rate=1.0, plateau_patience=2, plateau_factor=0.5)
    >>> [next_rate(seen(*losses), choices) for losses in ((), (3, 2, 2), (3, 2, 2, 2))]
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


def one_cycle(done: float, top: float) -> float:
    """The learning rate when a share of all steps is done: up, then down to next to nothing.

    >>> [round(one_cycle(done, 1.0), 2) for done in (0.0, 0.125, 0.25, 1.0)]
    [0.04, 0.52, 1.0, 0.0]
    """
    if done < _WARM_UP:
        low, high, part = top / 25, top, done / _WARM_UP
    else:
        low, high, part = top, top / 1e4, (done - _WARM_UP) / (1 - _WARM_UP)
    return low + (high - low) * (1 - cos(pi * part)) / 2
