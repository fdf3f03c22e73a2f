"""How a net is taught: every choice of `fit` and of the batches that it is given."""

from __future__ import annotations

from dataclasses import dataclass, field

from batchemo.training.augment import Augmentation


@dataclass(frozen=True, slots=True, kw_only=True)
class FitOptions:
    """How to teach. The last average is the result: no epoch is chosen."""

    epochs: int = 40
    batch_size: int = 32
    foreign_share: float = 0.25
    """The share of each batch that comes from corpora other than the first."""
    rate: float = 2e-3
    warm_up: float = 0.25
    """The share of all steps in which the learning rate rises."""
    decay: float = 0.02
    smoothing: float = 0.1
    average: float = 0.99
    clip_norm: float = 1.0
    seed: int = 0
    augmentation: Augmentation = field(default_factory=Augmentation)
