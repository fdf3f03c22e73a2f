"""What to ask reviewers next: queues of the rows of a table.

informative    the recordings from which a model would learn most
uncertain      those whose two likeliest labels are closest
disagreement   those that several models label differently
random         a random sample in strata of confidence, for figures of all recordings
label:NAME     those with the likeliest label NAME, the most confident first
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from batchemo.adaptation.examples import Corpus, Examples
from batchemo.adaptation.fit import BaseOutput, fit_head, one_thread
from batchemo.bundles import softmax
from batchemo.bundles.head import FLOOR
from batchemo.common.arrays import Bool, Float32, Float64, Index
from batchemo.errors import UsageError
from batchemo.review.candidates import Candidates
from batchemo.review.clusters import densities, medoids, squared_distances
from batchemo.review.sampling import random_order, strata_of
from batchemo.tables.labels import UNSURE

LABEL = "label:"
INFORMATIVE = "informative"
RANDOM = "random"
NAMES = (INFORMATIVE, "uncertain", "disagreement", RANDOM)

FIRST = 8
"""Answers that are asked for by clusters, before what they teach is looked at."""
ROUND = 8
"""Answers after which it is worth looking again at what they teach."""

PREDICTION_SHARE = 0.5
"""How much what is predicted counts in the distance of two rows, where their embeddings count 1."""

_LEAST_EXPLAINED = 1e-3
"""Of the variance of a number of the embedding: none is left out altogether."""

AnyFloats: TypeAlias = NDArray[np.floating[Any]]


class Queue(Protocol):
    """Says which rows to ask about next."""

    def next(self, count: int, asked: Mapping[int, str]) -> Index:
        """Return up to `count` rows that are not asked yet.

        `asked` has the label of each row that was answered, and `unsure` for those being asked.
        """
        ...  # pragma: no cover


def open_queue(
    by: str,
    candidates: Candidates,
    *,
    embedding: tuple[Float32, Bool] | None = None,
    seed: int = 0,
) -> Queue:
    """Return the queue of that name.

    `embedding` has a vector for each row, and for which rows it is known; without it, the
    `informative` queue compares probabilities.

    >>> from batchemo.tables.labels import key_of
    >>> keys = [key_of("/data", name) for name in "abc"]
    >>> probabilities = np.array([[0.9, 0.1], [0.45, 0.55], [0.2, 0.8]], np.float32)
    >>> candidates = Candidates(keys, ("happy", "sad"), probabilities)
    >>> open_queue("uncertain", candidates).next(2, {}).tolist()
    [1, 2]
    >>> open_queue("label:sad", candidates).next(2, {2: "sad"}).tolist()
    [1]
    """
    if by == INFORMATIVE:
        return InformativeQueue(candidates, *(embedding or _probability_points(candidates)), seed)
    if by == "uncertain":
        return FixedQueue(np.argsort(margins(candidates.probabilities), kind="stable"))
    if by == "disagreement":
        return FixedQueue(_by_disagreement(candidates))
    if by == RANDOM:
        strata = strata_of(candidates.confidence)
        return FixedQueue(random_order(candidates.keys, strata, seed=seed))
    if by.startswith(LABEL):
        return FixedQueue(_hits(candidates, by.removeprefix(LABEL)))
    raise UsageError(f"there is no queue {by!r}: choose {', '.join(NAMES)} or {LABEL}NAME")


@dataclass(frozen=True, eq=False)
class FixedQueue:
    """Rows in an order that no answer changes."""

    order: Index

    def next(self, count: int, asked: Mapping[int, str]) -> Index:
        """Return the first rows of the order that are not asked yet."""
        waiting = self.order
        if asked:
            waiting = waiting[~np.isin(waiting, np.fromiter(asked, np.intp, len(asked)))]
        return waiting[:count]


class InformativeQueue:
    """First rows that stand for many others, then uncertain ones far from all that was asked.

    The uncertainty is that of the model after learning what was answered so far. Rows that are
    like many others come before those that are like none, from which little is learnt of the rest.
    """

    def __init__(
        self, candidates: Candidates, embedding: Float32, known: Bool, seed: int = 0
    ) -> None:
        self._candidates = candidates
        self._known = known
        logs, _ = _probability_points(candidates)
        logs -= logs[known].mean(axis=0)
        self._points = relevant_points(embedding, known, logs)
        logs *= PREDICTION_SHARE / np.sqrt(np.square(logs[known]).sum(axis=1).mean() + 1e-6)
        self._places = np.concatenate([self._points, logs], axis=1)
        rows = np.flatnonzero(known)
        self._first = rows[medoids(self._places[rows], FIRST, seed=seed)]
        self._density = np.zeros(len(known), np.float32)
        self._density[rows] = densities(self._places[rows], seed=seed)

    def next(self, count: int, asked: Mapping[int, str]) -> Index:
        """Return up to `count` rows, one after another, each far from those before it."""
        free = np.ones(len(self._known), bool)
        taken = [row for row in asked if self._known[row]]
        free[list(asked)] = False
        chosen = [int(row) for row in self._first if free[row]]
        chosen = chosen[: max(0, min(count, FIRST - len(taken)))]
        free[chosen] = False
        uncertain = 1 - margins(self._probabilities(asked))
        free_known = free & self._known
        wanted = min(count - len(chosen), int(free_known.sum()))
        if wanted > 0:
            distances = _nearest_distances(self._places, [*taken, *chosen])
            for _ in range(wanted):
                scores = np.where(free_known, uncertain * distances * self._density, -1.0)
                row = int(scores.argmax())
                chosen.append(row)
                free[row] = free_known[row] = False
                newest = squared_distances(self._places, self._places[[row]])[:, 0]
                distances = np.minimum(distances, np.sqrt(newest))
        # Those without an embedding come last, the most uncertain first.
        others = np.flatnonzero(free & ~self._known)
        others = others[np.argsort(-uncertain[others], kind="stable")]
        return np.array([*chosen, *others[: count - len(chosen)]], np.intp)

    def _probabilities(self, asked: Mapping[int, str]) -> AnyFloats:
        answers = {r: label for r, label in asked.items() if self._known[r] and label != UNSURE}
        return updated_probabilities(self._candidates, self._points, answers)


def margins(probabilities: AnyFloats) -> AnyFloats:
    """Return how far the second likeliest label of each row lies below the likeliest."""
    if probabilities.shape[1] < 2:
        return probabilities[:, 0]
    top = np.partition(probabilities, -2, axis=1)[:, -2:]
    return top[:, 1] - top[:, 0]


def updated_probabilities(
    candidates: Candidates, points: Float32, answers: Mapping[int, str]
) -> AnyFloats:
    """Return the probabilities of all rows by a head that is fitted to the answers for some.

    Labels that the model lacks come after its own.
    """
    if not answers:
        return candidates.probabilities
    known = candidates.labels
    labels = (*known, *sorted(set(answers.values()) - set(known)))
    # In the order of the table: the order of the answers must not change what is asked next.
    rows = np.array(sorted(answers), np.intp)
    logs = np.log(candidates.probabilities.astype(np.float64) + FLOOR)
    examples = Examples(
        labels,
        np.array([labels.index(answers[int(row)]) for row in rows], np.int64),
        tuple(candidates.keys[row] for row in rows),
        np.arange(len(rows)),
        points[rows].astype(np.float64),
        logs[rows],
    )
    base = BaseOutput.for_labels(known, labels)
    corpus = Corpus(len(points), np.zeros(points.shape[1]), 1.0)
    with one_thread():
        fit = fit_head(examples, base, corpus)
    return softmax(fit.logits(base.of(logs), points))


def relevant_points(embedding: Float32, known: Bool, logs: Float32) -> Float32:
    """Return embeddings of about length 1; 0 where unknown.

    Each number's variance becomes its multiple correlation with what is predicted: `logs`, centred.
    What has nothing to do with labels, such as who speaks, must not make recordings different.
    """
    rows, logs = embedding[known], logs[known]
    mean, spread = rows.mean(axis=0, dtype=np.float64), rows.std(axis=0, dtype=np.float64) + 1e-6
    common = logs.T @ (rows - mean.astype(np.float32)) / (len(rows) * spread)
    covariance = logs.T @ logs / len(rows) + 1e-6 * np.eye(logs.shape[1])
    explained = (common * np.linalg.solve(covariance, common)).sum(axis=0)
    by_chance = (logs.shape[1] - 1) / len(rows)
    variance = np.sqrt(np.clip(explained - by_chance, _LEAST_EXPLAINED, 1.0))
    scale = np.sqrt(variance / variance.sum()) / spread
    points = (embedding - mean.astype(np.float32)) * scale.astype(np.float32)
    points[~known] = 0
    return np.asarray(points)


def disagreement(models: Mapping[str, Float32]) -> tuple[Bool, Float64]:
    """Return for each row whether the models' labels differ, and how far their probabilities do.

    That is the Jensen-Shannon divergence: the mean information that a model's probabilities hold
    beyond the mean of all.
    """
    stacked = np.stack(list(models.values())).astype(np.float64)
    tops = stacked.argmax(axis=2)
    mean = stacked.mean(axis=0)
    logs = np.log(np.maximum(stacked, 1e-12)) - np.log(np.maximum(mean, 1e-12))
    return (tops != tops[0]).any(axis=0), (stacked * logs).sum(axis=2).mean(axis=0)


def _by_disagreement(candidates: Candidates) -> Index:
    if len(candidates.models) < 2:
        raise UsageError(
            "models can only disagree where there are several: scan with -m MODEL -m OTHER, or "
            "choose another queue"
        )
    differ, distances = disagreement(candidates.models)
    rows = np.flatnonzero(differ)
    return rows[np.argsort(-distances[rows], kind="stable")]


def _hits(candidates: Candidates, label: str) -> Index:
    if label not in candidates.labels:
        raise UsageError(
            f"{LABEL}{label}: the table has no label {label}; it has {', '.join(candidates.labels)}"
        )
    rows = np.flatnonzero(candidates.predicted == candidates.labels.index(label))
    return rows[np.argsort(-candidates.confidence[rows], kind="stable")]


def _probability_points(candidates: Candidates) -> tuple[Float32, Bool]:
    """Return log-probabilities in the place of embeddings."""
    logs = np.log(np.maximum(candidates.probabilities, 1e-4))
    return logs, np.ones(len(logs), bool)


def _nearest_distances(points: Float32, rows: list[int]) -> Float32:
    """Return how far each point is from the nearest of some rows; 1 where there are none."""
    distances = np.full(len(points), np.inf if rows else 1.0, np.float32)
    for start in range(0, len(rows), 64):
        others = points[rows[start : start + 64]]
        distances = np.minimum(distances, squared_distances(points, others).min(axis=1))
    return np.sqrt(distances)
