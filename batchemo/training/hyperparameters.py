"""The hyperparameters of a training, their defaults and the ranges in which they make sense."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

from batchemo.errors import UsageError

Loss = Literal["cross-entropy", "focal"]
LrSchedule = Literal["plateau", "one-cycle"]
SelectEpoch = Literal["loss", "accuracy", "mean-accuracy", "last"]

LOSSES: tuple[Loss, ...] = ("cross-entropy", "focal")
LR_SCHEDULES: dict[LrSchedule, str] = {
    "plateau": "constant, lowered when the validation loss stops falling",
    "one-cycle": "up from next to nothing in the first quarter of all steps, then down to nothing",
}
"""The learning-rate schedules and what they do."""
SELECT_EPOCH: dict[SelectEpoch, str] = {
    "loss": "the lowest validation loss",
    "accuracy": "the best validation accuracy",
    "mean-accuracy": "the best mean of training accuracy and validation accuracy",
    "last": "the last epoch, whatever its validation figures are",
}
"""The criteria by which the epoch is selected whose weights are the result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hyperparameters:
    """How a net is trained; UsageError for a value that makes no sense.

    >>> Hyperparameters(epochs=50, label_smoothing=0.1).differences(Hyperparameters())
    {'epochs': 50, 'label_smoothing': 0.1}
    """

    epochs: int = 100
    batch_size: int = 32
    learning_rate: float = 1e-3
    """Adam's learning rate: at the start, or at the top of its cycle."""
    lr_schedule: LrSchedule = "plateau"
    weight_decay: float = 0.0
    """The share of the weights that each step takes away, times the learning rate (AdamW)."""
    clip_norm: float = 0.0
    """The norm to which the gradient of each weight tensor is clipped; 0 for no clipping."""
    ema_decay: float = 0.0
    """The decay of the moving average of the weights, which is then the result; 0 for none."""
    loss: Loss = "cross-entropy"
    focal_gamma: float = 2.0
    """The exponent of the focal loss: the higher, the less weight have easy examples."""
    label_smoothing: float = 0.0
    """The share of every target that is spread over all classes."""
    class_weights: bool = False
    """Whether the loss of a class is weighted by the inverse of its frequency."""
    oversample: bool = False
    """Whether recordings of small classes are drawn more often, until all classes are equal."""
    other_corpora_share: float = 0.0
    """The share of each batch from corpora other than the main one. Above 0, classes are drawn
    equally often inside a corpus, and the logits of those that it lacks are masked."""
    augmentations: tuple[str, ...] = ()
    """The augmented copies of every training recording that are trained on besides it."""
    mixup: float = 0.0
    """The share of batches to which mixup is applied; where corpora are balanced, items are only
    mixed with others of their own corpus."""
    speaker_shift: float = 0.0
    """The share of vectors that are moved from their speaker to another one, by what speakers add
    to all their vectors; only where a recipe has an encoder: see `data.effects.SpeakerShift`."""
    dropout: float = 0.2
    l2: float = 0.0
    patience: int = 0
    """Epochs without improvement after which the training stops; 0 for never."""
    plateau_patience: int = 0
    """Epochs without a lower validation loss after which the learning rate falls; 0 for never."""
    plateau_factor: float = 0.5
    select_epoch: SelectEpoch = "loss"
    validation_share: float = 0.2
    """The share of the training speakers (or recordings) that is held out for validation; 0 where
    nothing is selected or calibrated by them."""
    seed: int = 0

    def __post_init__(self) -> None:
        self._check_ranges()
        for name, allowed in (
            ("loss", LOSSES),
            ("lr_schedule", tuple(LR_SCHEDULES)),
            ("select_epoch", tuple(SELECT_EPOCH)),
        ):
            if getattr(self, name) not in allowed:
                raise UsageError(
                    f"{_option(name)} is {getattr(self, name)!r}: it can be {', '.join(allowed)}"
                )
        needs_validation = self.patience or self.plateau_patience or self.select_epoch != "last"
        if needs_validation and not self.validation_share:
            raise UsageError(
                "--validation-share is 0: without validation recordings the last epoch is the"
                " result (--select-epoch last), without --patience and --plateau-patience"
            )

    def _check_ranges(self) -> None:
        # Every condition is false for NaN, which is refused like any number out of range.
        for name in ("epochs", "batch_size"):
            self._check(name, getattr(self, name) >= 1, "must be 1 or more")
        for name in (
            *("patience", "plateau_patience", "focal_gamma"),
            *("l2", "weight_decay", "clip_norm", "seed"),
        ):
            self._check(name, getattr(self, name) >= 0, "cannot be negative")
        self._check("learning_rate", self.learning_rate > 0, "must be above 0")
        for name in (
            *("dropout", "ema_decay", "label_smoothing"),
            *("other_corpora_share", "validation_share"),
        ):
            self._check(name, 0 <= getattr(self, name) < 1, "must be at least 0 and below 1")
        self._check("plateau_factor", 0 < self.plateau_factor < 1, "must lie between 0 and 1")
        for name in ("mixup", "speaker_shift"):
            self._check(name, 0 <= getattr(self, name) <= 1, "must lie between 0 and 1")

    def _check(self, name: str, valid: bool, requirement: str) -> None:
        if not valid:
            raise UsageError(f"{_option(name)} is {getattr(self, name):g}: it {requirement}")

    def differences(self, defaults: Hyperparameters) -> dict[str, Any]:
        """Return the hyperparameters that are not those of `defaults`, by name."""
        names = (field.name for field in fields(self))
        return {n: getattr(self, n) for n in names if getattr(self, n) != getattr(defaults, n)}


def _option(name: str) -> str:
    """Return the command-line option of a hyperparameter: errors name what users can change."""
    return f"--{name.replace('_', '-')}"
