"""Multinomial logistic regression on feature vectors: the baseline.

The loss is convex: the same vectors give the same coefficients, whatever the seed, and there are no
epochs or batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from batchemo.bundles import softmax
from batchemo.common.arrays import Bool, Float32, Float64, Index
from batchemo.training.data.dataset import Dataset
from batchemo.training.data.rows import Rows, make_rows

LOGISTIC_HYPERPARAMETERS = frozenset(
    {"other_corpora_share", "augmentations", "l2", "validation_share", "seed"}
)
"""The fields of `Hyperparameters` that apply; the seed only draws the validation recordings."""

L2_CANDIDATES = (1.0, 0.3, 0.1, 0.03, 0.01)
"""The weights of the squared coefficients that are tried, from the strongest."""

_FOLDS = 5
_MAX_ITERATIONS = 300
_MASKED = -1e9
"""Added to the logits of classes that a corpus does not have: they get no probability."""


@dataclass(frozen=True, slots=True, eq=False)
class LogisticRegression:
    """A fitted regression: logits are (vector - mean) / std @ coefficients + bias."""

    mean: Float32
    std: Float32
    coefficients: Float32
    """(features, classes)"""
    bias: Float32
    l2: float

    def logits(self, vectors: Float32) -> Float32:
        """Return the logits of vectors (..., features)."""
        standardised = (vectors - self.mean) / self.std
        logits: Float32 = (standardised @ self.coefficients + self.bias).astype(np.float32)
        return logits


def train_logistic(
    dataset: Dataset,
    speakers: Sequence[str],
    *,
    l2_candidates: Sequence[float] = L2_CANDIDATES,
    other_corpora_share: float = 0.1,
) -> LogisticRegression:
    """Select the l2 by cross-validation over speakers, then fit to all; `speakers` by item."""
    rows = make_rows(dataset, other_corpora_share=other_corpora_share)
    return fit_logistic(rows, select_l2(rows, speakers, l2_candidates))


def fit_logistic(
    rows: Rows, l2: float, start: LogisticRegression | None = None
) -> LogisticRegression:
    """Minimise the weighted mean cross-entropy plus l2/2 times the sum of squared coefficients.

    A start saves time and changes nothing else. Constant features get coefficients of 0.
    """
    from scipy.optimize import minimize

    weights = rows.weights / rows.weights.sum()
    mean, std = _weighted_mean_and_std(rows.vectors, weights)
    # Products with the large matrix are float32, which is faster; sums over rows are float64.
    standardised = ((rows.vectors - mean) / std).astype(np.float32)
    width, classes = standardised.shape[1], rows.allowed.shape[1]
    logit_mask = np.where(rows.allowed, 0, _MASKED)
    targets = np.eye(classes)[rows.labels]

    def loss_and_gradient(flat: Float64) -> tuple[float, Float64]:
        parameters = flat.reshape(width + 1, classes)
        coefficients, bias = parameters[:-1], parameters[-1]
        logits = standardised @ coefficients.astype(np.float32)
        probabilities = softmax(logits + bias + logit_mask)
        # Above 0, so that the logarithm of a hopeless start is finite.
        likelihood = np.maximum(np.einsum("ij,ij->i", probabilities, targets), 1e-300)
        errors = weights[:, None] * (probabilities - targets)
        slope = standardised.T @ errors.astype(np.float32)
        gradient = np.vstack([slope + l2 * coefficients, errors.sum(axis=0)])
        penalty = l2 / 2 * np.square(coefficients).sum()
        return float(penalty - weights @ np.log(likelihood)), gradient.ravel()

    initial = np.zeros((width + 1, classes))
    if start is not None:
        initial = np.vstack([start.coefficients, start.bias]).astype(np.float64)
    solution = minimize(
        loss_and_gradient,
        initial.ravel(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": _MAX_ITERATIONS},
    )
    parameters = solution.x.reshape(width + 1, classes).astype(np.float32)
    return LogisticRegression(
        mean.astype(np.float32),
        std.astype(np.float32),
        parameters[:-1],
        parameters[-1],
        l2,
    )


def select_l2(
    rows: Rows, speakers: Sequence[str], l2_candidates: Sequence[float] = L2_CANDIDATES
) -> float:
    """Return the l2 with the lowest cross-entropy on speakers left out; `speakers` by item.

    With a single speaker nothing can be left out, and the first candidate is returned.
    """
    folds = _speaker_folds(speakers)
    if len(folds) < 2 or len(l2_candidates) == 1:
        return l2_candidates[0]
    cross_entropy = np.zeros(len(l2_candidates))
    for fold in folds:
        is_test = np.isin(rows.items, fold)
        train, test = _select(rows, ~is_test), _select(rows, is_test)
        fitted = None
        for candidate, l2 in enumerate(l2_candidates):
            # Each fit starts from the one before, of the next stronger l2: that is the faster way.
            fitted = fit_logistic(train, l2, start=fitted)
            cross_entropy[candidate] += _cross_entropy(fitted, test)
    return l2_candidates[int(cross_entropy.argmin())]


def _cross_entropy(regression: LogisticRegression, rows: Rows) -> float:
    """Return the cross-entropy of rows, summed by their weights."""
    logits = np.where(rows.allowed, regression.logits(rows.vectors), _MASKED)
    likelihood = softmax(logits)[np.arange(len(rows.labels)), rows.labels]
    return float(-rows.weights @ np.log(np.maximum(likelihood, 1e-12)))


def _speaker_folds(speakers: Sequence[str]) -> list[Index]:
    """Return the items of each fold: those of whole speakers, who are shuffled and dealt out."""
    # Always the same shuffle: the seed must not matter.
    shuffled = np.random.default_rng(0).permutation(sorted(set(speakers)))
    folds = min(_FOLDS, len(shuffled))
    return [np.flatnonzero(np.isin(speakers, shuffled[fold::folds])) for fold in range(folds)]


def _select(rows: Rows, selected: Bool) -> Rows:
    return replace(
        rows,
        vectors=rows.vectors[selected],
        labels=rows.labels[selected],
        weights=rows.weights[selected],
        allowed=rows.allowed[selected],
        items=rows.items[selected],
    )


def _weighted_mean_and_std(vectors: Float32, weights: Float64) -> tuple[Float64, Float64]:
    """Return the mean and standard deviation of each feature; 1 where a feature is constant."""
    mean = weights @ vectors
    std = np.sqrt(weights @ np.square(vectors - mean))
    # Relative to the mean: the rounding errors of a large constant look like a deviation.
    std[std <= 1e-6 * np.maximum(1, np.abs(mean))] = 1.0
    return mean, std
