"""Splits by speaker, made before anything else touches the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from batchemo.errors import UsageError
from batchemo.training.corpora import Example

LUNA_JIMENEZ = (
    (2, 5, 14, 15, 16),
    (3, 6, 7, 13, 18),
    (10, 11, 12, 19, 20),
    (8, 17, 21, 23, 24),
    (1, 4, 9, 22),
)
"""The RAVDESS actors of each test fold in Luna-Jiménez et al. (2021)."""


@dataclass(frozen=True, slots=True)
class Fold:
    """What to learn from, and the recordings of other speakers to test on."""

    name: str
    training: tuple[Example, ...]
    test: tuple[Example, ...]


def luna_jimenez_folds(examples: Sequence[Example]) -> tuple[Fold, ...]:
    """The published folds of RAVDESS; one whose actors are not all here is left out.

    Recordings of other corpora are only ever learnt from.
    """
    here = {example.speaker for example in examples}
    folds = []
    for number, actors in enumerate(LUNA_JIMENEZ, start=1):
        speakers = {f"ravdess-{actor:02d}" for actor in actors}
        if speakers <= here:
            test = tuple(example for example in examples if example.speaker in speakers)
            training = tuple(example for example in examples if example.speaker not in speakers)
            folds.append(Fold(f"luna-jimenez-{number}", training, test))
    if not folds:
        raise UsageError("no fold of Luna-Jiménez et al. has all of its actors here")
    return tuple(folds)
