"""Every choice that is open when one of the systems is taught, each with its default."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

from batchemo.errors import UsageError

Loss = Literal["cross-entropy", "focal"]
LrSchedule = Literal["plateau", "one-cycle"]
SelectEpoch = Literal["loss", "accuracy", "mean-accuracy", "last"]

LOSSES: tuple[Loss, ...] = ("cross-entropy", "focal")
LR_SCHEDULES: dict[LrSchedule, str] = {
    "plateau": "as it is, lowered when the loss on the validation recordings stays high",
    "one-cycle": "up from next to nothing in the first quarter of all steps, then down to nothing",
}
"""How the learning rate goes."""
SELECT_EPOCH: dict[SelectEpoch, str] = {
    "loss": "the lowest loss on the validation recordings",
    "accuracy": "the best accuracy on the validation recordings",
    "mean-accuracy": "the best mean of the accuracies on training and validation recordings",
    "last": "the last one, whatever the validation recordings say",
}
"""Which epoch's net is the result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hyperparameters:
    """How to teach a net."""

    epochs: int = 100
    batch_size: int = 32
    learning_rate: float = 1e-3
    """Adam's learning rate: at the start, or at the top of its cycle."""
    lr_schedule: LrSchedule = "plateau"
    weight_decay: float = 0.0
    """How much of the weights is taken away at every step, times the learning rate (AdamW)."""
    clip_norm: float = 0.0
    """The longest gradient that is followed as it is, weight by weight; 0 for any."""
    ema_decay: float = 0.0
    """How much the moving average of the weights, which is the result, keeps; 0 for none."""
    loss: Loss = "cross-entropy"
    focal_gamma: float = 2.0
    """How far the focal loss turns from what the net already knows."""
    label_smoothing: float = 0.0
    """The share of every target that is spread over all classes."""
    class_weights: bool = False
    """Whether a mistake counts more the rarer its class."""
    oversample: bool = False
    """Whether recordings of small classes come more often, until all classes are equal."""
    other_corpora_share: float = 0.0
    """The share of each batch from corpora other than the one with the most labels. Above 0,
    classes come equally often inside a corpus, and those that a corpus lacks are masked for it."""
    augmentations: tuple[str, ...] = ()
    """The changed copies of every training recording that are learnt from beside it."""
    augment_spectrograms: bool = False
    """Whether pictures are changed on the fly: warped, filtered, masked, cropped."""
    mixup: float = 0.0
    """The share of batches whose items are blended with others; where corpora are balanced, only
    with those of their own."""
    dropout: float = 0.2
    l2: float = 0.0
    patience: int = 0
    """Epochs without a better one after which teaching ends; 0 for never."""
    plateau_patience: int = 0
    """Epochs without a lower validation loss after which the rate falls; 0 for never."""
    plateau_factor: float = 0.5
    select_epoch: SelectEpoch = "loss"
    validation_share: float = 0.2
    """The share of the training recordings, or of their speakers, that is only watched; 0 where
    nothing is chosen by them."""
    seed: int = 0

    def __post_init__(self) -> None:
        self._check_numbers()
        names = (
            ("loss", LOSSES),
            ("lr_schedule", tuple(LR_SCHEDULES)),
            ("select_epoch", tuple(SELECT_EPOCH)),
        )
        for name, allowed in names:
            if getattr(self, name) not in allowed:
                told = ", ".join(allowed)
                raise UsageError(
                    f"--{name.replace('_', '-')} is {getattr(self, name)!r}: it can be {told}"
                )
        watched = self.patience or self.plateau_patience or self.select_epoch != "last"
        if watched and not self.validation_share:
            raise UsageError(
                "--validation-share is 0: without validation recordings the last epoch is the result"
                " (--select-epoch last), without --patience and --plateau-patience"
            )

    def _check_numbers(self) -> None:
        for name in ("epochs", "batch_size"):
            self._must(name, getattr(self, name) >= 1, "must be 1 or more")
        for name in (
            "patience",
            "plateau_patience",
            "focal_gamma",
            "l2",
            "weight_decay",
            "clip_norm",
        ):
            self._must(name, getattr(self, name) >= 0, "cannot be negative")
        self._must("seed", self.seed >= 0, "cannot be negative")
        self._must("learning_rate", self.learning_rate > 0, "must be above 0")
        for name in (
            "dropout",
            "ema_decay",
            "label_smoothing",
            "other_corpora_share",
            "validation_share",
        ):
            self._must(name, 0 <= getattr(self, name) < 1, "must be at least 0 and below 1")
        self._must("plateau_factor", 0 < self.plateau_factor < 1, "must lie between 0 and 1")
        self._must("mixup", 0 <= self.mixup <= 1, "must lie between 0 and 1")

    def _must(self, name: str, good: bool, what: str) -> None:
        if not good:
            option = name.replace("_", "-")
            raise UsageError(f"--{option} is {getattr(self, name):g}: it {what}")

    def differences(self, standard: Hyperparameters) -> dict[str, Any]:
        """Give the choices that are not the standard ones, by name."""
        names = (field.name for field in fields(self))
        return {n: getattr(self, n) for n in names if getattr(self, n) != getattr(standard, n)}
