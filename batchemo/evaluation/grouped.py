"""Figures when the recordings of each speaker are judged together, without their labels."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from batchemo.bundles.speaker_adaptation import adapt, log_of
from batchemo.evaluation.answers import Answers
from batchemo.evaluation.evaluation import Grouped
from batchemo.evaluation.figures import figures_of

FEWEST_RECORDINGS = 16
"""With fewer of a speaker, what a net says of them tells little of the voice."""

_FIGURES = ("uar", "accuracy", "ece", "brier")


def grouped_by_speaker(every: Answers) -> Grouped | None:
    """The figures of adapted answers; None unless each speaker was heard often enough."""
    if not all(one.example.speaker for one in every.judged):
        return None
    heard = Counter((one.seed, one.fold, one.example.speaker) for one in every.judged).values()
    if min(heard) < FEWEST_RECORDINGS:
        return None
    return Grouped(min(heard), max(heard), figures_of(_adapted(every), _FIGURES))


def _adapted(every: Answers) -> Answers:
    """What each net says of a recording, seen against all that it says of the speaker."""
    places: dict[tuple[int, str, str], list[int]] = {}
    for place, one in enumerate(every.judged):
        places.setdefault((one.seed, one.fold, one.example.speaker), []).append(place)
    probabilities = np.empty_like(every.probabilities)
    for own in places.values():
        probabilities[own] = adapt(log_of(every.probabilities[own]))
    return replace(every, probabilities=probabilities)
