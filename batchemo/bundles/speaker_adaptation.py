"""Adapts probabilities to each speaker, without labels: what a model says of everything a speaker
says tells of the voice, and not of the emotion.

What is taken away is the logarithm of the mean probability, not the mean of the logarithms: this
would be led by the labels that are almost excluded, where a model knows least.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable

import numpy as np
import numpy.typing as npt

from batchemo.bundles.classifier import softmax
from batchemo.common.arrays import Float64

PATIENCE = 8
"""So many recordings of a speaker have half of their tendency taken away."""

_SMALLEST = float(np.finfo(np.float32).tiny)
_STEPS = 2.0**28  # A sum of whole steps is the same in every order, to the last bit.


class SpeakerMeans:
    """What a model tends to say of each speaker; holds a few numbers a speaker, no recordings.

    >>> speakers = Speakers()
    >>> speakers.add(["ann"] * 8, log_of([[0.5, 0.5]] * 8))
    >>> speakers.adapt(["ann"], log_of([[0.9, 0.1]])).round(3).tolist()
    [[0.9, 0.1]]
    >>> speakers.add(["ben"] * 8, log_of([[0.9, 0.1]] * 8))
    >>> speakers.adapt(["ben", None], log_of([[0.9, 0.1]] * 2)).round(3).tolist()
    [[0.75, 0.25], [0.9, 0.1]]
    """

    def __init__(self) -> None:
        self._counts: dict[Hashable, int] = {}
        self._sums: dict[Hashable, npt.NDArray[np.int64]] = {}

    def add(self, names: Iterable[Hashable | None], logs: npt.ArrayLike) -> None:
        """Take note of recordings (n, …, labels), each of the speaker named; None is nobody."""
        scores = np.asarray(logs, np.float64)
        probabilities = softmax(scores.reshape(-1, scores.shape[-1])).reshape(scores.shape)
        steps = np.rint(probabilities * _STEPS).astype(np.int64)
        speakers, places = _sorted_out(names, len(steps))
        sums = np.zeros((len(speakers), *steps.shape[1:]), np.int64)
        np.add.at(sums, places, steps)
        counts = np.bincount(places, minlength=len(speakers))
        for name, count, total in zip(speakers, counts, sums, strict=True):
            if name is not None:
                self._counts[name] = self._counts.get(name, 0) + int(count)
                self._sums[name] = self._sums.get(name, 0) + total

    def adapt(self, names: Iterable[Hashable | None], logs: npt.ArrayLike) -> Float64:
        """Give the probabilities of recordings, each seen against the others of its speaker."""
        scores = np.asarray(logs, np.float64)
        speakers, places = _sorted_out(names, len(scores))
        tendencies = np.zeros((len(speakers), *scores.shape[1:]))
        for place, name in enumerate(speakers):
            if name in self._sums:
                tendencies[place] = self._tendency(name)
        left = scores - tendencies[places]
        return softmax(left.reshape(-1, scores.shape[-1])).reshape(scores.shape)

    def _tendency(self, name: Hashable) -> Float64:
        """Give what is taken from each score; it trusts few recordings little."""
        count = self._counts[name]
        leaning = np.log(np.maximum(self._sums[name], 1) / (_STEPS * count))
        centred: Float64 = leaning - leaning.mean(axis=-1, keepdims=True)
        return centred * (count / (count + PATIENCE))


def _sorted_out(
    names: Iterable[Hashable | None], count: int
) -> tuple[list[Hashable | None], npt.NDArray[np.intp]]:
    """Give each name once, and where each recording's stands among them."""
    known: dict[Hashable | None, int] = {}
    places = [known.setdefault(name, len(known)) for name in names]
    if len(places) != count:
        raise ValueError(f"there are {count} recordings and the speakers of {len(places)}")
    return list(known), np.array(places, np.intp)


def adapt(logs: npt.ArrayLike) -> Float64:
    """Give the adapted probabilities of the recordings (n, labels) of one speaker.

    >>> adapt(log_of([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.8, 0.2]])).round(2).tolist()
    [[0.85, 0.15], [0.85, 0.15], [0.49, 0.51], [0.72, 0.28]]
    """
    scores = np.asarray(logs, np.float64)
    names = ["the one"] * len(scores)
    speakers = SpeakerMeans()
    speakers.add(names, scores)
    return speakers.adapt(names, scores)


def log_probabilities(probabilities: npt.ArrayLike) -> Float64:
    """Give the logarithms of probabilities, of which a model's may be as small as 0."""
    logs: Float64 = np.log(np.maximum(np.asarray(probabilities, np.float64), _SMALLEST))
    return logs
