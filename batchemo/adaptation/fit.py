"""Fits a head: the base's log-probabilities, corrected by what its embedding says of the answers.

    logits = scale · log-probabilities + bias + weights · (embedding − centre) / radius

The base's log-probabilities are there from the start: without answers, the head is the base. It is
held there by penalties: maximum likelihood with normal priors (of mean 1 for the scale, 0 for bias
and weights), of which that of the weights becomes weaker with every answer. Every class that was
answered has the same weight, however often it was: so the head learns to tell the classes apart,
and not how frequent they are, and a corpus that is mostly neutral does not become all neutral.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from batchemo.adaptation.examples import Corpus, Examples
from batchemo.bundles.head import Head
from batchemo.common.arrays import Float32, Float64, Int64

_WEIGHTS_PENALTY = 10.0
"""Divided by the number of answers. Penalties that were chosen for each corpus by leaving out
answers were worse: a few dozen answers tell too little of it."""
_SCALE_PENALTY = 1.0
_BIAS_PENALTY = 1.0
_ITERATIONS = 300


@dataclass(frozen=True, slots=True, eq=False)
class BaseOutput:
    """What the base's log-probabilities are for the labels of the head.

    A label that the base lacks has the probability of one label of many, the same everywhere.
    """

    selection: Float64
    """(labels of the base, labels)"""
    constant: Float64
    """(labels,)"""

    @classmethod
    def for_labels(cls, base: Sequence[str], labels: Sequence[str]) -> BaseOutput:
        """Return how the labels of a head come from those of its base.

        >>> BaseOutput.for_labels(["sad", "happy"], ["sad", "bored"]).selection.tolist()
        [[1.0, 0.0], [0.0, 0.0]]
        """
        selection = np.array([[float(ours == own) for own in labels] for ours in base])
        constant = np.where(selection.any(axis=0), 0.0, -np.log(len(base)))
        return cls(selection, constant)

    def of(self, log_probabilities: Float64) -> Float64:
        """Return the log-probabilities of the head's labels, not normalised."""
        result: Float64 = log_probabilities @ self.selection + self.constant
        return result


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """The numbers of a fitted head, for embeddings as the corpus has them."""

    scale: float
    bias: Float64
    weights: Float64
    """(size, labels)"""

    def logits(self, base: Float64, embedding: Float32 | Float64) -> Float64:
        """Return the logits of windows; `embedding` is centred and divided by the radius.

        It may be of float32: a copy of that of a whole corpus would be large.
        """
        correction = np.matmul(embedding, np.asarray(self.weights, embedding.dtype))
        result: Float64 = self.scale * base + self.bias + correction
        return result

    def to_head(self, base: BaseOutput, corpus: Corpus) -> Head:
        """Return the head for the outputs of the base as they are."""
        weights = self.weights / corpus.radius
        offset = self.bias + self.scale * base.constant - corpus.centre @ weights
        return Head(self.scale * base.selection, weights, offset)


def normalised(examples: Examples, corpus: Corpus) -> Float64:
    """Return the embeddings, centred and divided by the radius of the corpus."""
    result: Float64 = (examples.embedding - corpus.centre) / corpus.radius
    return result


def balanced_weights(classes: Int64) -> Float64:
    """Return a weight for each example, so that all classes that there are weigh the same.

    >>> balanced_weights(np.array([0, 0, 0, 2])).round(2).tolist()
    [0.67, 0.67, 0.67, 2.0]
    """
    counts = np.bincount(classes)
    weights: Float64 = len(classes) / np.count_nonzero(counts) / counts[classes]
    return weights


def fit_head(examples: Examples, base: BaseOutput, corpus: Corpus) -> Fit:
    """Fit a head to all examples.

    In as few unknowns as there are windows: the best weights are combinations of the windows'
    embeddings, so that with 40 of them there are 40 unknowns for each class, and not as many as the
    embedding has numbers.
    """
    from scipy.optimize import minimize

    weights = balanced_weights(examples.classes) / examples.window_counts()
    of_window = weights[examples.example_of_window][:, None]
    logs_of_base = base.of(examples.log_probabilities)
    labels = logs_of_base.shape[1]
    targets = np.eye(labels)[examples.classes[examples.example_of_window]]
    left, sizes, directions = np.linalg.svd(normalised(examples, corpus), full_matrices=False)
    features: Float64 = left * sizes
    penalty = _WEIGHTS_PENALTY / len(examples)

    def loss(values: Float64) -> tuple[float, Float64]:
        scale, bias = values[0], values[1 : 1 + labels]
        matrix = values[1 + labels :].reshape(-1, labels)
        logs = _log_softmax(scale * logs_of_base + bias + features @ matrix)
        gradient = (np.exp(logs) - targets) * of_window
        total = -(of_window * targets * logs).sum()
        total += _SCALE_PENALTY / 2 * (scale - 1) ** 2
        total += _BIAS_PENALTY / 2 * (bias @ bias) + penalty / 2 * np.square(matrix).sum()
        parts = (
            [(gradient * logs_of_base).sum() + _SCALE_PENALTY * (scale - 1)],
            gradient.sum(axis=0) + _BIAS_PENALTY * bias,
            (features.T @ gradient + penalty * matrix).ravel(),
        )
        return float(total), np.concatenate(parts)

    start = np.zeros(1 + labels * (1 + features.shape[1]))
    start[0] = 1.0
    options = {"maxiter": _ITERATIONS}
    values = minimize(loss, start, jac=True, method="L-BFGS-B", options=options).x
    matrix = values[1 + labels :].reshape(-1, labels)
    return Fit(float(values[0]), values[1 : 1 + labels], directions.T @ matrix)


@contextmanager
def one_thread() -> Iterator[None]:
    """Fit in one thread: the matrices are small, and several threads only wait for each other."""
    # Before: SciPy has a BLAS of its own, and only what is loaded already is limited.
    import scipy.optimize  # noqa: F401
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        yield


def _log_softmax(logits: Float64) -> Float64:
    shifted = logits - logits.max(axis=1, keepdims=True)
    result: Float64 = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return result
