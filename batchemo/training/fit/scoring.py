"""What a net predicts for items: the logits of each window, and calibrated probabilities."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from batchemo.bundles import softmax
from batchemo.common.arrays import Float32, Float64, Index
from batchemo.training.nets.layers import LOGITS, Model, outputs_of

ForwardFn: TypeAlias = Callable[[Float32], Float32]
"""A batch of features (n, *shape) → their logits (n, labels)."""

_BATCH_SIZE = 256
_TEMPERATURES = np.geomspace(0.25, 8.0, 121)
"""The temperatures that are tried: 3 % apart, finer than a few hundred recordings can tell."""


def forward_function(model: Model) -> ForwardFn:
    """Return a compiled function from a batch of features to the model's logits."""
    import tensorflow as tf

    forward = tf.function(
        lambda batch: outputs_of(model, batch)[LOGITS],
        # Batches of any size, so that the last, smaller one does not compile a second graph.
        input_signature=[tf.TensorSpec(tuple(model.inputs[0].shape), tf.float32)],
    )

    def run(batch: Float32) -> Float32:
        return np.asarray(forward(batch), np.float32)

    return run


def predict_items(forward: ForwardFn, windows: Sequence[Float32]) -> list[Float32]:
    """Return the logits (windows, labels) of each item, given the windows of each item."""
    stacked = np.concatenate(list(windows))
    starts = range(0, len(stacked), _BATCH_SIZE)
    logits = np.concatenate([forward(stacked[at : at + _BATCH_SIZE]) for at in starts])
    return split_by_item(logits, windows)


def split_by_item(logits: Float32, windows: Sequence[Float32]) -> list[Float32]:
    """Split the rows of all windows by the items that the windows are of."""
    return np.split(logits, np.cumsum([len(of_item) for of_item in windows])[:-1])


def probabilities(logits: Sequence[Float32], temperature: float = 1.0) -> Float64:
    """Return the probabilities of each item: the mean over its windows, as in a scan."""
    ends = np.cumsum([len(of_item) for of_item in logits])[:-1]
    of_windows = softmax(np.concatenate(list(logits)), temperature)
    return np.stack([of_item.mean(axis=0) for of_item in np.split(of_windows, ends)])


def cross_entropy(probabilities: Float64, labels: Index) -> Float64:
    """Return minus the logarithm of the probability of each item's label; always finite."""
    likelihood: Float64 = probabilities[np.arange(len(labels)), labels]
    return -np.log(np.maximum(likelihood, 1e-12))


def fit_temperature(
    logits: Sequence[Float32], labels: Index, weights: Float64 | None = None
) -> float:
    """Return the temperature with the lowest mean cross-entropy on these items, or weighted mean.

    >>> confident = [np.array([[9.0, 0.0]], np.float32), np.array([[0.0, 9.0]], np.float32)]
    >>> fit_temperature(confident * 2, np.array([0, 1, 0, 0])) > 4
    True
    """

    def mean_cross_entropy(temperature: float) -> float:
        of_items = cross_entropy(probabilities(logits, temperature), labels)
        return float(np.average(of_items, weights=weights))

    return min((float(temperature) for temperature in _TEMPERATURES), key=mean_cross_entropy)
