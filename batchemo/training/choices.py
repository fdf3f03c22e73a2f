"""Every choice that is open when one of the systems is taught, each with its default."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

from batchemo.errors import UsageError

Loss = Literal["cross-entropy", "focal"]
Choose = Literal["loss", "accuracy", "mean-accuracy", "last"]

LOSSES: tuple[Loss, ...] = ("cross-entropy", "focal")
CHOOSE: dict[Choose, str] = {
    "loss": "the lowest loss on the validation recordings",
    "accuracy": "the best accuracy on the validation recordings",
    "mean-accuracy": "the best mean of the accuracies on training and validation recordings",
    "last": "the last one, whatever the validation recordings say",
}
"""Which epoch's net is the result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """How to teach a net."""

    epochs: int = 100
    batch_size: int = 32
    rate: float = 1e-3
    """Adam's learning rate at the start."""
    loss: Loss = "cross-entropy"
    focal_gamma: float = 2.0
    """How far the focal loss turns from what the net already knows."""
    class_weights: bool = False
    """Whether a mistake counts more the rarer its class."""
    oversample: bool = False
    """Whether recordings of small classes come more often, until all classes are equal."""
    copies: tuple[str, ...] = ()
    """The changed copies of every training recording that are learnt from beside it."""
    dropout: float = 0.2
    l2: float = 0.0
    patience: int = 0
    """Epochs without a better one after which teaching ends; 0 for never."""
    plateau_patience: int = 0
    """Epochs without a lower validation loss after which the rate falls; 0 for never."""
    plateau_factor: float = 0.5
    choose: Choose = "loss"
    validation: float = 0.2
    """The share of the training recordings, or of their speakers, that is only watched."""
    seed: int = 0

    def __post_init__(self) -> None:
        self._check_numbers()
        for name, allowed in (("loss", LOSSES), ("choose", tuple(CHOOSE))):
            if getattr(self, name) not in allowed:
                told = ", ".join(allowed)
                raise UsageError(f"--{name} is {getattr(self, name)!r}: it can be {told}")

    def _check_numbers(self) -> None:
        for name in ("epochs", "batch_size"):
            self._must(name, getattr(self, name) >= 1, "must be 1 or more")
        for name in ("patience", "plateau_patience", "focal_gamma", "l2", "seed"):
            self._must(name, getattr(self, name) >= 0, "cannot be negative")
        self._must("rate", self.rate > 0, "must be above 0")
        self._must("dropout", 0 <= self.dropout < 1, "must be at least 0 and below 1")
        for name in ("plateau_factor", "validation"):
            self._must(name, 0 < getattr(self, name) < 1, "must lie between 0 and 1")

    def _must(self, name: str, good: bool, what: str) -> None:
        if not good:
            option = name.replace("_", "-")
            raise UsageError(f"--{option} is {getattr(self, name):g}: it {what}")

    def differences(self, standard: Choices) -> dict[str, Any]:
        """Give the choices that are not the standard ones, by name."""
        names = (field.name for field in fields(self))
        return {n: getattr(self, n) for n in names if getattr(self, n) != getattr(standard, n)}
