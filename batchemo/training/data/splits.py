"""Splits of recordings, made before anything else touches the data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from batchemo.common.text import for_display
from batchemo.corpora import Example
from batchemo.errors import UsageError

Examples: TypeAlias = tuple[Example, ...]

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
    training: Examples
    test: Examples


def luna_jimenez_folds(examples: Sequence[Example]) -> tuple[Fold, ...]:
    """The published folds of RAVDESS; one whose actors are not all here is left out.

    Recordings of other corpora are only ever learnt from.
    """
    here = {example.speaker for example in examples}
    folds = []
    for number, actors in enumerate(LUNA_JIMENEZ, start=1):
        speakers = {f"ravdess-{actor:02d}" for actor in actors}
        if speakers <= here:
            folds.append(Fold(f"luna-jimenez-{number}", *_apart(examples, speakers)))
    if not folds:
        raise UsageError(
            "No fold of Luna-Jiménez et al. has all of its actors here: they are for RAVDESS. "
            "Make folds of your own speakers."
        )
    return tuple(folds)


def speaker_folds(examples: Sequence[Example], count: int = 5) -> tuple[Fold, ...]:
    """Folds of whole speakers, alike in size and in genders; each speaker is tested once.

    Where there are fewer speakers than folds asked for, each speaker is a fold.
    """
    if count < 2:
        raise UsageError(f"{count} folds were asked for: there must be at least 2.")
    genders = _genders(examples)
    # Dealt out like cards, one gender after the other.
    speakers = sorted(genders, key=lambda speaker: (genders[speaker], speaker))
    count = min(count, len(speakers))
    return tuple(
        Fold(f"speakers-{number + 1}", *_apart(examples, set(speakers[number::count])))
        for number in range(count)
    )


def hold_out_speakers(
    examples: Sequence[Example], share: float, seed: int
) -> tuple[Examples, Examples]:
    """Take about that share of the speakers out, with all that they say and sing.

    Gives the rest and the part that was taken. Of each gender at least one speaker is taken and
    at least one stays; a gender with a single speaker stays.
    """
    _check_share(share)
    genders = _genders(examples)
    random = np.random.default_rng(seed)
    taken: set[str] = set()
    for gender in sorted(set(genders.values())):
        speakers = sorted(speaker for speaker in genders if genders[speaker] == gender)
        taken.update(_some(speakers, share, random))
    if not taken:
        taken.update(_some(sorted(genders), share, random))
    return _apart(examples, taken)


def stratified_split(
    examples: Sequence[Example], share: float, seed: int
) -> tuple[Examples, Examples]:
    """Take that share of each emotion's recordings out; copies of a recording go together.

    Gives the rest and the part that was taken. An emotion with a single recording stays.
    """
    _check_share(share)
    random = np.random.default_rng(seed)
    emotions: dict[str, str] = {}
    for place, example in enumerate(examples):
        emotions.setdefault(_identity(place, example), example.emotion)
    recordings: dict[str, list[str]] = defaultdict(list)
    for recording, emotion in emotions.items():
        recordings[emotion].append(recording)
    taken = {
        one for emotion in sorted(recordings) for one in _some(recordings[emotion], share, random)
    }
    inside = [_identity(place, example) in taken for place, example in enumerate(examples)]
    return _divide(examples, inside)


def check_apart(training: Iterable[Example], test: Iterable[Example]) -> None:
    """Refuse a split with the same recording on both sides."""
    learnt = {example.digest: example for example in training if example.digest}
    both = [(learnt[example.digest], example) for example in test if example.digest in learnt]
    if both:
        one, other = (for_display(str(example.path)) for example in both[0])
        raise UsageError(
            f"Recordings that are on both sides of the split: {len(both)}. {one}, which is learnt "
            f"from, is the same as {other}, which is tested on. Figures of such a test mean "
            "nothing: remove the copies."
        )


def _genders(examples: Sequence[Example]) -> dict[str, str]:
    """The gender of each speaker; refuses what no split by speaker can be made of."""
    genders: dict[str, str] = {}
    for example in examples:
        if not example.speaker:
            raise UsageError(
                f"Who speaks in {for_display(str(example.path))} is not known, so nothing can be "
                "split by speaker: add a column speaker to the manifest, or split at random."
            )
        genders.setdefault(example.speaker, example.gender)
    if len(genders) < 2:
        raise UsageError(
            f"To split by speaker takes at least two speakers; here are {len(genders)}."
        )
    return genders


def _check_share(share: float) -> None:
    if not 0 < share < 1:
        raise UsageError(f"A share of {share} cannot be taken: it lies between 0 and 1.")


def _some(names: Sequence[str], share: float, random: np.random.Generator) -> list[str]:
    """Draw that share of the names, but at least one, and leave at least one: none of a single."""
    count = min(max(1, round(share * len(names))), len(names) - 1)
    return [names[place] for place in random.permutation(len(names))[:count]]


def _identity(place: int, example: Example) -> str:
    return example.digest or f"at {place}"


def _apart(examples: Sequence[Example], speakers: set[str]) -> tuple[Examples, Examples]:
    return _divide(examples, [example.speaker in speakers for example in examples])


def _divide(examples: Sequence[Example], inside: Sequence[bool]) -> tuple[Examples, Examples]:
    """What is outside and what is inside, each in the order of the examples."""
    pairs = list(zip(examples, inside, strict=True))
    return tuple(one for one, chosen in pairs if not chosen), tuple(
        one for one, chosen in pairs if chosen
    )
