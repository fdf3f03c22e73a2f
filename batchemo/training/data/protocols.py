"""What is learnt from, watched and tested under each protocol of evaluation.

Splits come first: by speaker or by recording, before copies, scaling or weights are thought of.
Only `leaky` does it the wrong way round, to show what that does to figures.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from batchemo.corpora import Example
from batchemo.errors import UsageError
from batchemo.training.data.augment_audio import ORIGINAL
from batchemo.training.data.feature_store import FeatureItem
from batchemo.training.data.splits import LUNA_JIMENEZ as ACTORS
from batchemo.training.data.splits import (
    Examples,
    Fold,
    check_apart,
    hold_out_speakers,
    luna_jimenez_folds,
    speaker_folds,
    stratified_split,
)
from batchemo.training.hyperparameters import Hyperparameters

Protocol = Literal["speaker", "random", "leaky"]
Folds: TypeAlias = "str | int | None"
"""A number of folds, the name of published ones, or None for what suits the corpus."""

TWIN = "twin"
"""A second copy of a recording that is the recording itself, as in a corpus that has it twice."""

TEST_SHARE = 0.2
_LEAST_SPEAKERS = 3
LUNA_JIMENEZ = "luna-jimenez"

PROTOCOLS: Mapping[Protocol, str] = {
    "speaker": (
        "Speaker-independent: every fold is tested on speakers of whom nothing was learnt."
    ),
    "random": (
        "A random split of the recordings, balanced by class: the speakers of the test are known"
        " from other recordings, but no recording, nor a copy of it, lies on both sides."
    ),
    "leaky": (
        "LEAKY: copies were made first and split afterwards, so that copies of the same recordings"
        " lie on both sides, and the epoch was chosen on the very items that are scored. Not a"
        " measure of accuracy on new speech; it shows how such figures come about."
    ),
}

_WATCHED = (
    " Inside each fold, other speakers were held out to choose the epoch and the temperature."
)
_NONE_WATCHED = (
    " No epoch was chosen; the temperature of each fold is the one that suits the tests of the"
    " others."
)

_TOO_FEW = "These are too few recordings to split at random: at least one class must have three."


def protocol_description(protocol: Protocol, hyperparameters: Hyperparameters) -> str:
    """A protocol in words, with how the epoch and the temperature were chosen."""
    told = PROTOCOLS[protocol]
    if protocol == "speaker":
        told += _WATCHED if hyperparameters.validation_share else _NONE_WATCHED
    return told


@dataclass(frozen=True, slots=True)
class Split:
    """One training and its test, as places in a list of items."""

    fold: str
    seed: int
    learn: tuple[int, ...]
    watch: tuple[int, ...]
    test: tuple[int, ...]


def make_trials(
    protocol: Protocol,
    items: Sequence[FeatureItem],
    hyperparameters: Hyperparameters,
    seeds: Iterable[int],
    *,
    folds: Folds = None,
) -> tuple[Split, ...]:
    """All trainings of an evaluation; `folds` is a number, or luna-jimenez where actors allow."""
    if protocol == "leaky":
        return tuple(_leaky(items, seed) for seed in seeds)
    index = _Index(items)
    if protocol == "random":
        return tuple(_random(index, hyperparameters, seed) for seed in seeds)
    parts = folds_by_speaker(index.examples, folds)
    return tuple(_unseen(index, fold, hyperparameters, seed) for seed in seeds for fold in parts)


def with_twins(items: Sequence[FeatureItem]) -> tuple[FeatureItem, ...]:
    """Every recording twice, as in the copies of corpora that hold each file in two folders."""
    twins = [replace(item, copy=TWIN) for item in items if item.copy == ORIGINAL]
    return (*items, *twins)


def final_trial(items: Sequence[FeatureItem], hyperparameters: Hyperparameters) -> Split:
    """The training of a net that ships: all recordings, but some speakers' are only watched.

    Where speakers are not known, some recordings are.
    """
    index = _Index(items)
    if not hyperparameters.validation_share:
        return Split("all", hyperparameters.seed, index.augmentations(index.examples), (), ())
    known = all(example.speaker for example in index.examples)
    if known and len({example.speaker for example in index.examples}) > 1:
        rest, watched = hold_out_speakers(
            index.examples, hyperparameters.validation_share, hyperparameters.seed
        )
    else:
        rest, watched = _split(
            index.examples, hyperparameters.validation_share, hyperparameters.seed
        )
    return Split(
        "all", hyperparameters.seed, index.augmentations(rest), index.originals(watched), ()
    )


class _Index:
    """Where the items of each recording are."""

    def __init__(self, items: Sequence[FeatureItem]) -> None:
        self._places: dict[Example, dict[str, int]] = {}
        for place, item in enumerate(items):
            self._places.setdefault(item.example, {})[item.copy] = place
        self.examples = tuple(self._places)

    def originals(self, examples: Iterable[Example]) -> tuple[int, ...]:
        return tuple(self._places[example][ORIGINAL] for example in examples)

    def augmentations(self, examples: Iterable[Example]) -> tuple[int, ...]:
        """The originals and all copies of them."""
        return tuple(place for example in examples for place in self._places[example].values())


def folds_by_speaker(examples: Sequence[Example], folds: Folds) -> tuple[Fold, ...]:
    """The folds of the protocol `speaker`; UsageError where there can be none."""
    speakers = {example.speaker for example in examples if example.speaker}
    if len(speakers) < _LEAST_SPEAKERS and all(example.speaker for example in examples):
        raise UsageError(
            f"the protocol speaker takes at least {_LEAST_SPEAKERS} speakers, to learn from, to"
            f" watch and to test on; here are {len(speakers)}"
        )
    if isinstance(folds, int):
        return speaker_folds(examples, folds)
    if folds == LUNA_JIMENEZ or (folds is None and _has_published_folds(examples)):
        return luna_jimenez_folds(examples)
    if folds is None:
        return speaker_folds(examples)
    raise UsageError(f"--folds is {folds!r}: write a number, or {LUNA_JIMENEZ}")


def _has_published_folds(examples: Sequence[Example]) -> bool:
    """Whether all is RAVDESS, and all actors of at least one of its folds are here."""
    here = {example.speaker for example in examples}
    folds = ({f"ravdess-{actor:02d}" for actor in actors} for actors in ACTORS)
    return all(one.corpus == "ravdess" for one in examples) and any(fold <= here for fold in folds)


def _unseen(index: _Index, fold: Fold, hyperparameters: Hyperparameters, seed: int) -> Split:
    check_apart(fold.training, fold.test)
    rest, watched = fold.training, tuple[Example, ...]()
    if hyperparameters.validation_share:
        rest, watched = hold_out_speakers(fold.training, hyperparameters.validation_share, seed)
    return Split(
        fold.name,
        seed,
        index.augmentations(rest),
        index.originals(watched),
        index.originals(fold.test),
    )


def _random(index: _Index, hyperparameters: Hyperparameters, seed: int) -> Split:
    rest, test = _split(index.examples, TEST_SHARE, seed)
    check_apart(rest, test)
    watched: Examples = ()
    if hyperparameters.validation_share:
        rest, watched = _split(rest, hyperparameters.validation_share, seed)
    return Split(
        "random", seed, index.augmentations(rest), index.originals(watched), index.originals(test)
    )


def _split(examples: Sequence[Example], share: float, seed: int) -> tuple[Examples, Examples]:
    rest, part = stratified_split(examples, share, seed)
    if not part:
        raise UsageError(_TOO_FEW)
    return rest, part


def _leaky(items: Sequence[FeatureItem], seed: int) -> Split:
    """Items are dealt out class by class, whatever recording they are copies of."""
    random = np.random.default_rng(seed)
    emotions = np.array([item.example.emotion for item in items])
    learn: list[int] = []
    test: list[int] = []
    for emotion in sorted(set(emotions)):
        places = random.permutation(np.flatnonzero(emotions == emotion)).tolist()
        tested = round(TEST_SHARE * len(places))
        test += places[:tested]
        learn += places[tested:]
    if not test:
        raise UsageError(_TOO_FEW)
    scored = tuple(sorted(test))
    return Split("leaky", seed, tuple(sorted(learn)), scored, scored)
