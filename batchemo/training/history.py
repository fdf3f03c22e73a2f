"""What a training has seen epoch by epoch, and what follows from it: rate, end, and choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from batchemo.training.choices import Choices


@dataclass(frozen=True, slots=True)
class Epoch:
    """One epoch's figures; `validation_*` are of the recordings that are only watched."""

    number: int
    rate: float
    loss: float
    accuracy: float
    validation_loss: float
    validation_accuracy: float
    validation_uar: float

    def worth(self, choices: Choices) -> float:
        """How good this epoch's net is by the chosen measure: the higher, the better."""
        if choices.choose == "accuracy":
            return self.validation_accuracy
        if choices.choose == "mean-accuracy":
            return (self.accuracy + self.validation_accuracy) / 2
        return -self.validation_loss


def best_epoch(history: Sequence[Epoch], choices: Choices) -> Epoch:
    """The epoch whose net is the result: the best, the earliest of equals, or the last."""
    if choices.choose == "last":
        return history[-1]
    return max(history, key=lambda epoch: epoch.worth(choices))


def is_over(history: Sequence[Epoch], choices: Choices) -> bool:
    """Whether all epochs are done, or none of the last was better than one before them."""
    if len(history) >= choices.epochs:
        return True
    if not (choices.patience and history):
        return False
    best = max(history, key=lambda epoch: epoch.worth(choices))
    return history[-1].number - best.number >= choices.patience


def next_rate(history: Sequence[Epoch], choices: Choices) -> float:
    """The learning rate of the next epoch: lower whenever the validation loss stays high.

    >>> def seen(*losses):
    ...     return [Epoch(n, 1.0, 0, 0, loss, 0, 0) for n, loss in enumerate(losses)]
    >>> choices = Choices(rate=1.0, plateau_patience=2, plateau_factor=0.5)
    >>> [next_rate(seen(*losses), choices) for losses in ((), (3, 2, 2), (3, 2, 2, 2))]
    [1.0, 1.0, 0.5]
    """
    rate, lowest, waited = choices.rate, float("inf"), 0
    for epoch in history:
        if epoch.validation_loss < lowest:
            lowest, waited = epoch.validation_loss, 0
            continue
        waited += 1
        if choices.plateau_patience and waited >= choices.plateau_patience:
            rate, waited = rate * choices.plateau_factor, 0
    return rate
