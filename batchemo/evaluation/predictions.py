"""What models predicted for recordings, one by one and as arrays."""

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

Key = TypeVar("Key", int, str)


@dataclass(frozen=True, slots=True)
class Prediction:
    """One recording as the model of one fold and seed predicted it."""

    example: Example
    variant: str
    """"original", or the name of an augmentation or of a recording condition."""
    fold: str
    seed: int
    probabilities: tuple[float, ...]
    """One for each label."""
    uncalibrated: tuple[float, ...] = ()
    """The probabilities at temperature 1; empty where they are not known."""


@dataclass(frozen=True, slots=True, eq=False)
class PredictionSet:
    """Predictions with their arrays, one row for each prediction."""

    predictions: Sequence[Prediction]
    labels: Sequence[str]
    probabilities: Float64
    true_classes: Int64

    @classmethod
    def from_predictions(
        cls, predictions: Sequence[Prediction], labels: Sequence[str]
    ) -> PredictionSet:
        """Build the arrays; UsageError if a recording's emotion is none of the labels."""
        if not predictions:
            raise UsageError("there are no predictions: nothing can be evaluated")
        unknown = sorted({prediction.example.emotion for prediction in predictions} - set(labels))
        if unknown:
            raise UsageError(f"{', '.join(unknown)}: not among the labels {', '.join(labels)}")
        class_of = {label: index for index, label in enumerate(labels)}
        probabilities = np.array([p.probabilities for p in predictions], np.float64)
        true_classes = np.array([class_of[p.example.emotion] for p in predictions])
        return cls(predictions, labels, probabilities, true_classes)

    def group_by(self, key: Callable[[Prediction], Key]) -> Iterator[tuple[Key, PredictionSet]]:
        """Yield each value of a property with its predictions, sorted by the value."""
        indices: dict[Key, list[int]] = {}
        for index, prediction in enumerate(self.predictions):
            indices.setdefault(key(prediction), []).append(index)
        for value in sorted(indices):
            yield value, self.take(indices[value])

    def take(self, indices: Sequence[int]) -> PredictionSet:
        """Return the predictions at these indices."""
        rows = list(indices)
        return PredictionSet(
            [self.predictions[row] for row in rows],
            self.labels,
            self.probabilities[rows],
            self.true_classes[rows],
        )

    def before_calibration(self) -> PredictionSet | None:
        """Return the set with uncalibrated probabilities; None if any of them is unknown."""
        if not all(prediction.uncalibrated for prediction in self.predictions):
            return None
        return replace(self, probabilities=np.array([p.uncalibrated for p in self.predictions]))

    @property
    def predicted_classes(self) -> Int64:
        """The index of the most probable label of each recording."""
        predicted: Int64 = self.probabilities.argmax(axis=1)
        return predicted

    @property
    def correct(self) -> npt.NDArray[np.bool_]:
        """Whether each prediction is correct."""
        correct: npt.NDArray[np.bool_] = self.predicted_classes == self.true_classes
        return correct

    @property
    def confidence(self) -> Float64:
        """The greatest probability of each prediction."""
        confidence: Float64 = self.probabilities.max(axis=1)
        return confidence

    @property
    def confusion(self) -> Float64:
        """The confusion matrix: true classes in rows, predicted ones in columns."""
        return metrics.confusion_matrix(self.true_classes, self.predicted_classes, len(self.labels))

    @property
    def recordings(self) -> int:
        """The number of different recordings."""
        return len({prediction.example for prediction in self.predictions})
