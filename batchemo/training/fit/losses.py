"""What a net pays for its surprise: minus the logarithm of the right label's probability."""

from __future__ import annotations

from typing import Any

from batchemo.training.hyperparameters import Choices

Tensor = Any


def surprise(targets: Tensor, logits: Tensor) -> Tensor:
    """How surprising the right label was to the net, for each item; a target may be several."""
    import tensorflow as tf

    return tf.nn.softmax_cross_entropy_with_logits(targets, logits)


def price(surprises: Tensor, choices: Choices) -> Tensor:
    """The loss of each item: cross-entropy is the surprise itself.

    The focal loss (Lin et al., 2017) fades as the right label grows likely, so that the net is
    taught by what it does not know yet.
    """
    from keras import ops

    if choices.loss == "focal":
        return (1 - ops.exp(-surprises)) ** choices.focal_gamma * surprises
    return surprises
