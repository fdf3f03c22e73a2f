"""What a net says of items: each window's logits, and the items' calibrated probabilities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from batchemo.bundles import softmax
from batchemo.bundles.bundle import ForwardFn
from batchemo.common.arrays import Float32, Float64, Index
from batchemo.training.nets.layers import Model

_HEARD_AT_ONCE = 256
_TEMPERATURES = np.geomspace(0.25, 8.0, 121)


def predict_items(graph: ForwardFn, windows: Sequence[Float32]) -> list[Float32]:
    """The logits (windows, labels) of each item."""
    stacked = np.concatenate(list(windows))
    starts = range(0, len(stacked), _HEARD_AT_ONCE)
    logits = np.concatenate([graph(stacked[at : at + _HEARD_AT_ONCE]) for at in starts])
    return np.split(logits, np.cumsum([len(own) for own in windows])[:-1])


def probabilities(logits: Sequence[Float32], temperature: float = 1.0) -> Float64:
    """Each item's probabilities: the mean of its windows', as in a scan."""
    ends = np.cumsum([len(own) for own in logits])[:-1]
    each = softmax(np.concatenate(list(logits)), temperature)
    return np.stack([part.mean(axis=0) for part in np.split(each, ends)])


def surprises(told: Float64, labels: Index) -> Float64:
    """Minus the logarithm of the right label's probability, of each item."""
    likely: Float64 = told[np.arange(len(labels)), labels]
    return -np.log(np.maximum(likely, 1e-12))


def fit_temperature(logits: Sequence[Float32], labels: Index) -> float:
    """The temperature under which these items' own labels are likeliest.

    >>> unsure = [np.array([[9.0, 0.0]], np.float32), np.array([[0.0, 9.0]], np.float32)]
    >>> fit_temperature(unsure * 2, np.array([0, 1, 0, 0])) > 4
    True
    """

    def cost(temperature: float) -> float:
        return float(surprises(probabilities(logits, temperature), labels).mean())

    return min((float(t) for t in _TEMPERATURES), key=cost)


def keras_graph(model: Model) -> ForwardFn:
    """The model as something to call with a batch of arrays."""
    import tensorflow as tf

    forward = tf.function(
        lambda batch: model(batch, training=False),
        input_signature=[tf.TensorSpec(tuple(model.inputs[0].shape), tf.float32)],
    )

    def run(batch: Float32) -> Float32:
        return np.asarray(forward(batch), np.float32)

    return run
