"""Splits of recordings by speaker or at random, made before anything else touches the data."""

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

LUNA_JIMENEZ_FOLDS = (
    (2, 5, 14, 15, 16),
    (3, 6, 7, 13, 18),
    (10, 11, 12, 19, 20),
    (8, 17, 21, 23, 24),
    (1, 4, 9, 22),
)
"""The RAVDESS actors of each test fold in Luna-Jiménez et al. (2021)."""


@dataclass(frozen=True, slots=True)
class Fold:
    """The training recordings of one fold, and the test recordings of other speakers."""

    name: str
    train: Examples
    test: Examples


def luna_jimenez_folds(examples: Sequence[Example]) -> tuple[Fold, ...]:
    """Return the published folds of RAVDESS, without those whose actors are not all there.

    Recordings of other corpora are always in the training part.
    """
    speakers = {example.speaker for example in examples}
    folds = []
    for number, actors in enumerate(LUNA_JIMENEZ_FOLDS, start=1):
        test_speakers = {f"ravdess-{actor:02d}" for actor in actors}
        if test_speakers <= speakers:
            train, test = _split_by_speaker(examples, test_speakers)
            folds.append(Fold(f"luna-jimenez-{number}", train, test))
    if not folds:
        raise UsageError(
            "No fold of Luna-Jiménez et al. has all of its actors here: they are for RAVDESS. "
            "Make folds of your own speakers."
        )
    return tuple(folds)


def speaker_folds(examples: Sequence[Example], count: int = 5) -> tuple[Fold, ...]:
    """Return folds of whole speakers, alike in size and genders; each speaker is tested once.

    Where there are fewer speakers than folds asked for, each speaker is a fold.
    """
    if count < 2:
        raise UsageError(f"{count} folds were asked for: there must be at least 2.")
    genders = _gender_of_speakers(examples)
    # Sorted by gender and then dealt out in turn: so each gender is spread evenly over the folds.
    speakers = sorted(genders, key=lambda speaker: (genders[speaker], speaker))
    count = min(count, len(speakers))
    return tuple(
        Fold(
            f"speakers-{number + 1}",
            *_split_by_speaker(examples, set(speakers[number::count])),
        )
        for number in range(count)
    )


def hold_out_speakers(
    examples: Sequence[Example], share: float, seed: int
) -> tuple[Examples, Examples]:
    """Split off about that share of the speakers, with all of their recordings.

    Returns the rest and the part held out. Of each gender at least one speaker is held out and at
    least one stays; a gender with a single speaker stays.
    """
    _check_share(share)
    genders = _gender_of_speakers(examples)
    random = np.random.default_rng(seed)
    held_out: set[str] = set()
    for gender in sorted(set(genders.values())):
        speakers = sorted(speaker for speaker in genders if genders[speaker] == gender)
        held_out.update(_draw_share(speakers, share, random))
    if not held_out:
        # One speaker of each gender, so that none could be drawn: gender has to give way.
        held_out.update(_draw_share(sorted(genders), share, random))
    return _split_by_speaker(examples, held_out)


def stratified_split(
    examples: Sequence[Example], share: float, seed: int
) -> tuple[Examples, Examples]:
    """Split off that share of each emotion's recordings; files of equal content stay together.

    Returns the rest and the part held out. An emotion with a single recording stays.
    """
    _check_share(share)
    random = np.random.default_rng(seed)
    emotions: dict[str, str] = {}
    for position, example in enumerate(examples):
        emotions.setdefault(_content_key(position, example), example.emotion)
    keys_of_emotion: dict[str, list[str]] = defaultdict(list)
    for key, emotion in emotions.items():
        keys_of_emotion[emotion].append(key)
    held_out = {
        key
        for emotion in sorted(keys_of_emotion)
        for key in _draw_share(keys_of_emotion[emotion], share, random)
    }
    return _partition(
        examples,
        [_content_key(n, example) in held_out for n, example in enumerate(examples)],
    )


def check_disjoint(train: Iterable[Example], test: Iterable[Example]) -> None:
    """Raise a UsageError if the same recording, by its content, is on both sides of a split."""
    trained = {example.digest: example for example in train if example.digest}
    shared = [(trained[example.digest], example) for example in test if example.digest in trained]
    if shared:
        in_train, in_test = (for_display(str(example.path)) for example in shared[0])
        raise UsageError(
            f"Recordings that are on both sides of the split: {len(shared)}. {in_train}, which is "
            f"trained on, is the same as {in_test}, which is tested on. Figures of such a test "
            "mean nothing: remove the copies."
        )


def _gender_of_speakers(examples: Sequence[Example]) -> dict[str, str]:
    """Return the gender of each speaker; UsageError where nothing can be split by speaker."""
    genders: dict[str, str] = {}
    for example in examples:
        if not example.speaker:
            raise UsageError(
                f"The speaker of {for_display(str(example.path))} is not known, so nothing can be "
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
        raise UsageError(f"A share of {share} cannot be held out: it lies between 0 and 1.")


def _draw_share(names: Sequence[str], share: float, random: np.random.Generator) -> list[str]:
    """Draw that share of the names: at least one, never all, and none of a single name."""
    count = min(max(1, round(share * len(names))), len(names) - 1)
    return [names[index] for index in random.permutation(len(names))[:count]]


def _content_key(position: int, example: Example) -> str:
    """Return what equal recordings have in common; without a digest each stands for itself."""
    return example.digest or f"at {position}"


def _split_by_speaker(examples: Sequence[Example], speakers: set[str]) -> tuple[Examples, Examples]:
    return _partition(examples, [example.speaker in speakers for example in examples])


def _partition(examples: Sequence[Example], selected: Sequence[bool]) -> tuple[Examples, Examples]:
    """Return the examples that are not selected and those that are, each in their order."""
    pairs = list(zip(examples, selected, strict=True))
    rest = tuple(example for example, is_selected in pairs if not is_selected)
    return rest, tuple(example for example, is_selected in pairs if is_selected)
