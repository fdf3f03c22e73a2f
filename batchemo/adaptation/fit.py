"""Fits a head: the base's log-probabilities, corrected by what its embedding says of the answers.

    logits = scale · log-probabilities + bias + weights · (embedding − centre) / radius

The base's log-probabilities are there from the start: without answers, the head is the base. How
far it may go from there is one number, the strength of the penalty on the weights: maximum
likelihood with normal priors (of mean 1 for the scale, 0 for bias and weights). Every class that
was answered has the same weight, however often it was: so the head learns to tell the classes
apart, and not how frequent they are, and a corpus that is mostly neutral does not become all
neutral.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from batchemo.adaptation.examples import Corpus, Examples
from batchemo.bundles.head import Head
from batchemo.common.arrays import Float32, Float64, Int64

NO_WEIGHTS = float("inf")
STRENGTHS = (0.1, 0.3, 1.0, 3.0, 10.0, NO_WEIGHTS)
"""Penalties on the weights to choose from; with the last one only scale and bias are fitted."""

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

    strength: float
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


def fit_heads(
    examples: Examples,
    base: BaseOutput,
    corpus: Corpus,
    strengths: Sequence[float] = STRENGTHS,
) -> list[Fit]:
    """Fit a head with each strength of the penalty."""
    weights = balanced_weights(examples.classes) / examples.window_counts()
    problem = _Problem(
        base.of(examples.log_probabilities),
        normalised(examples, corpus),
        examples.classes[examples.example_of_window],
        weights[examples.example_of_window],
    )
    return [problem.solve(strength) for strength in strengths]


@contextmanager
def one_thread() -> Iterator[None]:
    """Fit in one thread: the matrices are small, and several threads only wait for each other."""
    # Before: SciPy has a BLAS of its own, and only what is loaded already is limited.
    import scipy.optimize  # noqa: F401
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        yield


class _Problem:
    """The penalised likelihood of windows, in as few unknowns as there are windows.

    The best weights are combinations of the windows' embeddings: with 40 of them there are 40
    unknowns for each class, and not as many as the embedding has numbers.
    """

    def __init__(self, base: Float64, embedding: Float64, classes: Int64, weights: Float64) -> None:
        self._base, self._weights = base, weights[:, None]
        self._targets = np.eye(base.shape[1])[classes]
        left, sizes, self._directions = np.linalg.svd(embedding, full_matrices=False)
        self._features: Float64 = left * sizes

    def solve(self, strength: float) -> Fit:
        from scipy.optimize import minimize

        labels = self._base.shape[1]
        features = self._features if strength < NO_WEIGHTS else self._features[:, :0]
        penalty = strength if strength < NO_WEIGHTS else 0.0
        start = np.zeros(1 + labels * (1 + features.shape[1]))
        start[0] = 1.0

        def loss(values: Float64) -> tuple[float, Float64]:
            scale, bias = values[0], values[1 : 1 + labels]
            matrix = values[1 + labels :].reshape(-1, labels)
            logs = _log_softmax(scale * self._base + bias + features @ matrix)
            gradient = (np.exp(logs) - self._targets) * self._weights
            total = -(self._weights * self._targets * logs).sum()
            total += _SCALE_PENALTY / 2 * (scale - 1) ** 2
            total += _BIAS_PENALTY / 2 * (bias @ bias) + penalty / 2 * np.square(matrix).sum()
            parts = (
                [(gradient * self._base).sum() + _SCALE_PENALTY * (scale - 1)],
                gradient.sum(axis=0) + _BIAS_PENALTY * bias,
                (features.T @ gradient + penalty * matrix).ravel(),
            )
            return float(total), np.concatenate(parts)

        options = {"maxiter": _ITERATIONS}
        values = minimize(loss, start, jac=True, method="L-BFGS-B", options=options).x
        matrix = values[1 + labels :].reshape(-1, labels)
        directions = self._directions[: len(matrix)]
        return Fit(strength, float(values[0]), values[1 : 1 + labels], directions.T @ matrix)


def _log_softmax(logits: Float64) -> Float64:
    shifted = logits - logits.max(axis=1, keepdims=True)
    result: Float64 = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return result
