"""Runs a bundle's graph: batches of a fixed size in, calibrated probabilities out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from batchemo.bundles.bundle import Bundle, ForwardFn
from batchemo.common.arrays import Float32, Float64
from batchemo.errors import BundleError, UsageError

Backend: TypeAlias = Literal["onnx", "tensorflow"]

BATCH_SIZE = 16
"""Windows that go through the graph together, unless the user asks for another number: enough to
be fast, few enough that filling up the last batch costs little."""


class Classifier(Protocol):
    """What a scan needs of a model."""

    def run(self, inputs: Float32) -> Float32:
        """Return the calibrated probabilities (n, labels) of n inputs of one shape."""
        ...  # pragma: no cover


@dataclass(frozen=True, slots=True)
class BatchedClassifier:
    """Gives the graph batches of one size only.

    Matrix kernels give other last bits for batches of other sizes, so a row's bytes would depend on
    how many others it happened to share a batch with. Filled up with rows of zeros to one size,
    they depend on the row alone.
    """

    graph: ForwardFn
    labels: int
    temperature: float
    batch_size: int

    def run(self, inputs: Float32) -> Float32:
        """Return the calibrated probabilities (n, labels) of n inputs of one shape."""
        probabilities = np.empty((len(inputs), self.labels), np.float32)
        for start in range(0, len(inputs), self.batch_size):
            rows = inputs[start : start + self.batch_size]
            batch = np.zeros((self.batch_size, *inputs.shape[1:]), np.float32)
            batch[: len(rows)] = rows
            logits = self.graph(batch)
            # Only of the rows that were asked for: rows of zeros may give anything.
            if not np.isfinite(logits[: len(rows)]).all():
                raise BundleError("the model gives logits that are no numbers: it is broken")
            # Of the whole batch, so that this too is only ever computed in one shape.
            calibrated = softmax(logits, self.temperature)
            probabilities[start : start + len(rows)] = calibrated[: len(rows)]
        return probabilities


def softmax(logits: npt.ArrayLike, temperature: float = 1.0) -> Float64:
    """Return the probabilities of each row of logits.

    >>> softmax([[0.0, 0.0], [1000.0, 0.0]]).round(3).tolist()
    [[0.5, 0.5], [1.0, 0.0]]
    """
    scaled = np.asarray(logits, np.float64) / temperature
    # Less the greatest: exp of a large logit would overflow, and the quotient is the same.
    weights = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    normalised: Float64 = weights / weights.sum(axis=1, keepdims=True)
    return normalised


def open_classifier(
    bundle: Bundle, *, backend: Backend = "onnx", batch_size: int = BATCH_SIZE
) -> Classifier:
    """Open a bundle's model, single-threaded, for batches of one fixed size.

    >>> from batchemo.bundles import load_bundle
    >>> bundle = load_bundle("default")
    >>> silence = bundle.input.prepare(np.zeros(bundle.rate, np.float32), bundle.window)
    >>> open_classifier(bundle).run(silence[None]).shape
    (1, 8)
    """
    if batch_size < 1:
        raise UsageError(f"a batch holds at least 1 window, not {batch_size}")
    graph: ForwardFn
    # Imported here: whoever runs one backend need not have the other, nor wait for it.
    if backend == "onnx":
        from batchemo.bundles.onnx_model import open_graph

        graph = open_graph(bundle)
    elif backend == "tensorflow":
        from batchemo.bundles.keras_model import open_graph

        graph = open_graph(bundle)
    else:
        raise UsageError(f"{backend!r} is no backend; there are 'onnx' and 'tensorflow'")
    return BatchedClassifier(graph, len(bundle.labels), bundle.temperature, batch_size)
