"""What a model predicted for each recording, as records and as arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from batchemo.common.arrays import Float64, Int64
from batchemo.corpora import Example
from batchemo.errors import UsageError
from batchemo.evaluation import metrics


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the net of one fold and seed said of a recording; probabilities over the labels."""

    example: Example
    variant: str
    fold: str
    seed: int
    probabilities: tuple[float, ...]
    uncalibrated: tuple[float, ...] = ()
    """The probabilities at temperature 1, where they are known."""


Key = TypeVar("Key")


@dataclass(frozen=True, slots=True, eq=False)
class PredictionSet:
    """Some of what was judged, with its arrays."""

    predictions: Sequence[Prediction]
    labels: Sequence[str]
    probabilities: Float64
    truth: Int64

    @classmethod
    def of(cls, predictions: Sequence[Prediction], labels: Sequence[str]) -> PredictionSet:
        """The answers about recordings, each of whose emotions is one of the labels."""
        if not predictions:
            raise UsageError("no recording was judged: there is nothing to report")
        strange = sorted({one.example.emotion for one in predictions} - set(labels))
        if strange:
            raise UsageError(f"{', '.join(strange)}: not among the labels {', '.join(labels)}")
        probabilities = np.array([one.probabilities for one in predictions], np.float64)
        truth = np.array([list(labels).index(one.example.emotion) for one in predictions])
        return cls(predictions, labels, probabilities, truth)

    def by(self, key: Callable[[Prediction], Key]) -> Iterator[tuple[Key, PredictionSet]]:
        """Part by a property, in the order of its values."""
        places: dict[Key, list[int]] = {}
        for place, one in enumerate(self.predictions):
            places.setdefault(key(one), []).append(place)
        for value in sorted(places, key=lambda value: (isinstance(value, str), value)):
            yield value, self.at(places[value])

    def at(self, places: Sequence[int]) -> PredictionSet:
        """Those at some places."""
        predictions = [self.predictions[place] for place in places]
        own = list(places)
        return PredictionSet(predictions, self.labels, self.probabilities[own], self.truth[own])

    def before_calibration(self) -> PredictionSet | None:
        """The same answers by their uncalibrated probabilities; None where some are not known."""
        if not all(one.uncalibrated for one in self.predictions):
            return None
        return replace(self, probabilities=np.array([one.uncalibrated for one in self.predictions]))

    @property
    def told(self) -> Int64:
        """The place of the label that is likeliest for each recording."""
        told: Int64 = self.probabilities.argmax(axis=1)
        return told

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        """Whether that is the recording's own."""
        right: npt.NDArray[np.bool_] = self.told == self.truth
        return right

    @property
    def confidence(self) -> Float64:
        """The greatest probability of each recording."""
        confidence: Float64 = self.probabilities.max(axis=1)
        return confidence

    @property
    def confusion(self) -> Float64:
        """How often each class was told as each."""
        return metrics.count_confusions(self.truth, self.told, len(self.labels))

    @property
    def recordings(self) -> int:
        """How many different recordings were judged."""
        return len({one.example for one in self.predictions})
