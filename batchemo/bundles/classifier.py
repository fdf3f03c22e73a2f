"""Runs a bundle's graph: fixed batches in, calibrated probabilities out, on either backend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from batchemo.bundles.bundle import Bundle, ForwardFn
from batchemo.common.arrays import Float32
from batchemo.errors import BundleError, UsageError

Backend: TypeAlias = Literal["onnx", "tensorflow"]
BATCH_SIZE = 32


class Classifier(Protocol):
    """What a scan needs of a model."""

    def run(self, items: Float32) -> Float32:
        """The calibrated probabilities (n, labels) of n items."""
        ...  # pragma: no cover


@dataclass(frozen=True, slots=True)
class BatchedClassifier:
    """A graph that only ever sees one shape of batch.

    Matrix kernels give other last bits for other shapes, so a row's bytes would depend on how many
    neighbours it happened to have; padded to one shape, they depend on the row alone.
    """

    graph: ForwardFn
    labels: int
    temperature: float
    batch_size: int

    def run(self, items: Float32) -> Float32:
        """The calibrated probabilities (n, labels) of n items."""
        probabilities = np.empty((len(items), self.labels), np.float32)
        for start in range(0, len(items), self.batch_size):
            rows = items[start : start + self.batch_size]
            batch = np.zeros((self.batch_size, *items.shape[1:]), np.float32)
            batch[: len(rows)] = rows
            logits = self.graph(batch)
            if not np.isfinite(logits[: len(rows)]).all():
                raise BundleError("the model answers with what are no numbers: it is broken")
            calibrated = softmax(logits, self.temperature)
            probabilities[start : start + len(rows)] = calibrated[: len(rows)]
        return probabilities


def softmax(logits: npt.ArrayLike, temperature: float = 1.0) -> npt.NDArray[np.float64]:
    """Probabilities of each row of logits.

    >>> softmax([[0.0, 0.0], [1000.0, 0.0]]).round(3).tolist()
    [[0.5, 0.5], [1.0, 0.0]]
    """
    scaled = np.asarray(logits, np.float64) / temperature
    weights = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    normalised: npt.NDArray[np.float64] = weights / weights.sum(axis=1, keepdims=True)
    return normalised


def open_classifier(
    bundle: Bundle, *, backend: Backend = "onnx", batch_size: int = BATCH_SIZE
) -> Classifier:
    """Start a bundle's model, single-threaded, for batches of one fixed size."""
    if batch_size < 1:
        raise UsageError(f"a batch holds at least 1 item, not {batch_size}")
    graph: ForwardFn
    if backend == "onnx":
        from batchemo.bundles.onnx_model import open_graph

        graph = open_graph(bundle)
    elif backend == "tensorflow":
        from batchemo.bundles.keras_model import open_graph

        graph = open_graph(bundle)
    else:
        raise UsageError(f"{backend!r} is no backend; there are 'onnx' and 'tensorflow'")
    return BatchedClassifier(graph, len(bundle.labels), bundle.temperature, batch_size)
