"""Adapts probabilities to each speaker, without labels: what all recordings of a speaker have in
common in a model's output comes from the voice, not from the emotion. The same goes for a corpus,
whose microphone, room and language all recordings share, where it is known how frequent the labels
are in it.

The logarithm of the mean probability is subtracted, not the mean of the logarithms: that would be
dominated by labels whose probability is close to 0, where a model is least reliable.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable

import numpy as np
import numpy.typing as npt

from batchemo.bundles.calibration import softmax
from batchemo.common.arrays import Float64, Index, Int64

SHRINKAGE = 8
"""The number of recordings of a speaker from which half of the speaker's bias is subtracted; fewer
have a mean that says more about these recordings than about the voice."""

_SMALLEST = float(np.finfo(np.float32).tiny)
# Probabilities are added up as whole steps: an integer sum is the same in every order, to the last
# bit, so that neither chunks nor shards change a row.
_STEPS = 2.0**28


class SpeakerMeans:
    """The mean probabilities of each speaker; a few numbers a speaker, no recordings.

    >>> means = SpeakerMeans()
    >>> means.add(["ann"] * 8, log_probabilities([[0.5, 0.5]] * 8))
    >>> means.adapt(["ann"], log_probabilities([[0.9, 0.1]])).round(3).tolist()
    [[0.9, 0.1]]
    >>> means.add(["ben"] * 8, log_probabilities([[0.9, 0.1]] * 8))
    >>> means.adapt(["ben", None], log_probabilities([[0.9, 0.1]] * 2)).round(3).tolist()
    [[0.75, 0.25], [0.9, 0.1]]
    """

    def __init__(self) -> None:
        self._counts: dict[Hashable, int] = {}
        self._sums: dict[Hashable, Int64] = {}

    def add(self, speakers: Iterable[Hashable | None], logs: npt.ArrayLike) -> None:
        """Add recordings (n, …, labels), each of the speaker named; None is an unknown speaker."""
        scores = np.asarray(logs, np.float64)
        probabilities = softmax(scores.reshape(-1, scores.shape[-1])).reshape(scores.shape)
        steps = np.rint(probabilities * _STEPS).astype(np.int64)
        names, indices = _unique(speakers, len(steps))
        sums = np.zeros((len(names), *steps.shape[1:]), np.int64)
        np.add.at(sums, indices, steps)
        counts = np.bincount(indices, minlength=len(names))
        for name, count, total in zip(names, counts, sums, strict=True):
            if name is not None:
                self._counts[name] = self._counts.get(name, 0) + int(count)
                self._sums[name] = self._sums.get(name, 0) + total

    def adapt(
        self,
        speakers: Iterable[Hashable | None],
        logs: npt.ArrayLike,
        *,
        corpora: Iterable[Hashable | None] | None = None,
        log_shares: Float64 | float = 0.0,
    ) -> Float64:
        """Return the probabilities of recordings without the bias of each one's speaker.

        With the names of `corpora`, which were added like speakers, the bias of a speaker of few
        recordings is taken to be like that of the corpus, and that of an unknown speaker the same;
        `log_shares` has how frequent the labels are in it.
        """
        scores = np.asarray(logs, np.float64)
        biases, weights = self._biases(speakers, scores)
        if corpora is not None:
            left = (1 - weights).reshape(-1, *[1] * (scores.ndim - 1))
            biases += left * self._biases(corpora, scores)[0]
        adapted = scores - biases + log_shares
        return softmax(adapted.reshape(-1, scores.shape[-1])).reshape(scores.shape)

    def _biases(self, of: Iterable[Hashable | None], scores: Float64) -> tuple[Float64, Float64]:
        """Return what is subtracted from each score, and by how much the bias counts in it."""
        names, indices = _unique(of, len(scores))
        biases, weights = np.zeros((len(names), *scores.shape[1:])), np.zeros(len(names))
        for index, name in enumerate(names):
            if name in self._sums:
                count = self._counts[name]
                mean = np.log(np.maximum(self._sums[name], 1) / (_STEPS * count))
                # Less where recordings are few.
                weights[index] = count / (count + SHRINKAGE)
                biases[index] = weights[index] * (mean - mean.mean(axis=-1, keepdims=True))
        return biases[indices], weights[indices]


def _unique(speakers: Iterable[Hashable | None], count: int) -> tuple[list[Hashable | None], Index]:
    """Return each name once, and the index of each recording's among them."""
    known: dict[Hashable | None, int] = {}
    indices = [known.setdefault(name, len(known)) for name in speakers]
    if len(indices) != count:
        raise ValueError(f"there are {count} recordings and the speakers of {len(indices)}")
    return list(known), np.array(indices, np.intp)


def adapt(logs: npt.ArrayLike) -> Float64:
    """Return the adapted probabilities of the recordings (n, labels) of one speaker.

    >>> logs = log_probabilities([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.8, 0.2]])
    >>> adapt(logs).round(2).tolist()
    [[0.85, 0.15], [0.85, 0.15], [0.49, 0.51], [0.72, 0.28]]
    """
    scores = np.asarray(logs, np.float64)
    names = ["speaker"] * len(scores)
    means = SpeakerMeans()
    means.add(names, scores)
    return means.adapt(names, scores)


def log_probabilities(probabilities: npt.ArrayLike) -> Float64:
    """Return the logarithms of probabilities, also of those that a model rounded to 0."""
    logs: Float64 = np.log(np.maximum(np.asarray(probabilities, np.float64), _SMALLEST))
    return logs
