"""Multinomial logistic regression on feature vectors: the control that any net must beat.

It is convex: the same vectors give the same coefficients, and no seed, epoch or batch has a say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from batchemo.bundles import softmax
from batchemo.common.arrays import Float32, Float64, Index
from batchemo.training.data.dataset import Dataset

CHOICES = frozenset({"other_corpora_share", "augmentations", "l2", "validation_share", "seed"})
"""What of `Hyperparameters` it leaves open; the seed draws the speakers that are only watched."""

L2S = (1.0, 0.3, 0.1, 0.03, 0.01)
"""The weights of the squared coefficients that are tried, from the strongest."""

_FOLDS = 5
_STEPS = 300
_IMPOSSIBLE = -1e9


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Vectors to learn from, with all that counts about them."""

    vectors: Float32
    """(rows, features)"""
    labels: Index
    weights: Float64
    """How much each row counts."""
    possible: npt.NDArray[np.bool_]
    """Which classes each row's corpus has at all, (rows, classes): only they compete."""
    items: Index
    """The item that each row is a window of."""


@dataclass(frozen=True, slots=True, eq=False)
class LogisticRegression:
    """What was learnt: logits are (vector - mean) / spread @ coefficients + bias."""

    mean: Float32
    spread: Float32
    coefficients: Float32
    """(features, classes)"""
    bias: Float32
    l2: float

    def logits(self, vectors: Float32) -> Float32:
        """The logits of vectors (…, features), as the bundle gives them."""
        standard = (vectors - self.mean) / self.spread
        logits: Float32 = (standard @ self.coefficients + self.bias).astype(np.float32)
        return logits


def learn_regression(
    dataset: Dataset, speakers: Sequence[str], *, l2s: Sequence[float] = L2S, foreign: float = 0.1
) -> LogisticRegression:
    """Choose the l2 by speakers left out in turn, then learn from all; `speakers` of each item."""
    rows = make_rows(dataset, foreign=foreign)
    return fit_regression(rows, choose_l2(rows, speakers, l2s))


def make_rows(dataset: Dataset, *, foreign: float = 0.1) -> Rows:
    """All windows of all items.

    In each corpus all classes count the same, in a class all items, in an item all windows. The
    corpora that are not home share `foreign` of the whole evenly, if there are any.
    """
    counts = np.array([len(windows) for windows in dataset.windows])
    items = np.repeat(np.arange(len(counts)), counts)
    here = np.zeros((dataset.corpora.max() + 1, dataset.classes))
    np.add.at(here, (dataset.corpora, dataset.labels), 1)
    others = len(here) - 1
    shares = np.array([1 - foreign if others else 1.0, *[foreign / max(1, others)] * others])
    of_class = shares / (here > 0).sum(axis=1)
    each = of_class[dataset.corpora] / here[dataset.corpora, dataset.labels] / counts
    return Rows(
        np.concatenate(dataset.windows),
        dataset.labels[items],
        each[items],
        (here > 0)[dataset.corpora[items]],
        items,
    )


def fit_regression(
    rows: Rows, l2: float, start: LogisticRegression | None = None
) -> LogisticRegression:
    """The coefficients of the least mean cross-entropy plus l2/2 times their sum of squares.

    A start saves time and changes nothing else. Features that never vary get no coefficient.
    """
    from scipy.optimize import minimize

    weights = rows.weights / rows.weights.sum()
    mean, spread = _scaling(rows.vectors, weights)
    standard = ((rows.vectors - mean) / spread).astype(np.float32)
    width, classes = standard.shape[1], rows.possible.shape[1]
    shut_out = np.where(rows.possible, 0, _IMPOSSIBLE)
    right = np.eye(classes)[rows.labels]

    def loss(flat: Float64) -> tuple[float, Float64]:
        told = flat.reshape(width + 1, classes)
        coefficients = told[:-1]
        logits = standard @ coefficients.astype(np.float32)
        probabilities = softmax(logits + told[-1] + shut_out)
        likely = np.maximum(np.einsum("ij,ij->i", probabilities, right), 1e-300)
        wrong = weights[:, None] * (probabilities - right)
        pull = standard.T @ wrong.astype(np.float32)
        slope = np.vstack([pull + l2 * coefficients, wrong.sum(axis=0)])
        penalty = l2 / 2 * np.square(coefficients).sum()
        return float(penalty - weights @ np.log(likely)), slope.ravel()

    begin = np.zeros((width + 1, classes))
    if start is not None:
        begin = np.vstack([start.coefficients, start.bias]).astype(np.float64)
    found = minimize(loss, begin.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": _STEPS})
    told = found.x.reshape(width + 1, classes).astype(np.float32)
    return LogisticRegression(
        mean.astype(np.float32), spread.astype(np.float32), told[:-1], told[-1], l2
    )


def choose_l2(rows: Rows, speakers: Sequence[str], l2s: Sequence[float] = L2S) -> float:
    """The l2 under which speakers who were left out are least surprising; `speakers` of each item.

    The first of them where there is only one speaker.
    """
    parts = _parts(speakers)
    if len(parts) < 2:
        return l2s[0]
    surprise = np.zeros(len(l2s))
    for part in parts:
        left_out = np.isin(rows.items, part)
        learnt, tested = _some(rows, ~left_out), _some(rows, left_out)
        fitted = None
        for place, l2 in enumerate(l2s):
            fitted = fit_regression(learnt, l2, start=fitted)
            surprise[place] += _surprise(fitted, tested)
    return l2s[int(surprise.argmin())]


def _surprise(regression: LogisticRegression, rows: Rows) -> float:
    """The cross-entropy of rows, summed by their weights."""
    logits = np.where(rows.possible, regression.logits(rows.vectors), _IMPOSSIBLE)
    likely = softmax(logits)[np.arange(len(rows.labels)), rows.labels]
    return float(-rows.weights @ np.log(np.maximum(likely, 1e-12)))


def _parts(speakers: Sequence[str]) -> list[Index]:
    """The items of each fold: whole speakers, dealt out like cards from a shuffled pack."""
    pack = np.random.default_rng(0).permutation(sorted(set(speakers)))
    folds = min(_FOLDS, len(pack))
    return [np.flatnonzero(np.isin(speakers, pack[fold::folds])) for fold in range(folds)]


def _some(rows: Rows, chosen: npt.NDArray[np.bool_]) -> Rows:
    return replace(
        rows,
        vectors=rows.vectors[chosen],
        labels=rows.labels[chosen],
        weights=rows.weights[chosen],
        possible=rows.possible[chosen],
        items=rows.items[chosen],
    )


def _scaling(vectors: Float32, weights: Float64) -> tuple[Float64, Float64]:
    """The weighted mean and spread of each feature; where nothing varies, the spread is 1."""
    mean = weights @ vectors
    spread = np.sqrt(weights @ np.square(vectors - mean))
    spread[spread <= 1e-6 * np.maximum(1, np.abs(mean))] = 1.0
    return mean, spread
