"""What speakers add to every vector, whatever the class, and training without it.

Vectors are taken for a sum: the mean of their class, the effect of their speaker, and what is left.
The sum matters: without it, a speaker without happy recordings would seem to differ from the others
by what makes recordings happy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from batchemo.common.arrays import Float32, Float64, Index
from batchemo.training.data.dataset import Dataset
from batchemo.training.data.rows import make_rows

_PENALTY = 3e-3
"""Of the squared effects: effects of speakers with little weight are taken for smaller."""
_CLASS_PENALTY = 1e-6
"""Only so that a class without vectors has a mean, 0, and the system one solution."""


def fit_effects(
    vectors: Float64, labels: Index, speakers: Index, weights: Float64, *, classes: int
) -> Float64:
    """Return the effect of each speaker, (speakers, features)."""
    total = weights.sum()
    indicators = np.hstack([np.eye(classes)[labels], np.eye(speakers.max() + 1)[speakers]])
    weighted = indicators * (weights / total)[:, None]
    penalties = np.full(indicators.shape[1], _PENALTY)
    penalties[:classes] = _CLASS_PENALTY
    normal = weighted.T @ indicators + np.diag(penalties)
    solution: Float64 = np.linalg.solve(normal, weighted.T @ vectors)
    return solution[classes:]


@dataclass(frozen=True, slots=True, eq=False)
class SpeakerShift:
    """Moves vectors from their speaker to another one, of the same corpus or of another."""

    effects: Float32
    """(speakers, features)"""

    def draw(self, speakers: Index, share: float, random: np.random.Generator) -> Float32:
        """Return what to add to a vector of each of these speakers; nothing but for a share."""
        others = random.integers(len(self.effects), size=len(speakers))
        moved = random.random(len(speakers)) < share
        shift: Float32 = moved[:, None] * (self.effects[others] - self.effects[speakers])
        return shift


def fit_speaker_shift(dataset: Dataset, *, other_corpora_share: float) -> SpeakerShift:
    """Fit the effects of all speakers of a dataset of vectors."""
    rows = make_rows(dataset, other_corpora_share=other_corpora_share)
    speakers = dataset.speakers[rows.items]
    vectors = rows.vectors.astype(np.float64)
    effects = fit_effects(vectors, rows.labels, speakers, rows.weights, classes=dataset.classes)
    return SpeakerShift(effects.astype(np.float32))
