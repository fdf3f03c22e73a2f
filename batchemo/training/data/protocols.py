"""The protocols of evaluation: what is trained on, validated and tested in each run.

Splits come first: by speaker, corpus or recording, before augmentation, scaling or class weights.
Only `leaky` splits the augmented copies, to show what that does to figures.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from batchemo.corpora import Example
from batchemo.errors import UsageError
from batchemo.training.data.augment_audio import ORIGINAL
from batchemo.training.data.left_out import corpus_folds
from batchemo.training.data.splits import (
    LUNA_JIMENEZ_FOLDS,
    Examples,
    Fold,
    check_disjoint,
    hold_out_speakers,
    luna_jimenez_folds,
    speaker_folds,
    stratified_split,
)
from batchemo.training.hyperparameters import Hyperparameters

Protocol = Literal["speaker", "corpus", "random", "leaky"]
Folds: TypeAlias = "str | int | None"
"""A number of folds, the name of published ones, or None for what suits the corpus."""

LUNA_JIMENEZ = "luna-jimenez"
"""The name of the published folds of RAVDESS."""
TEST_SHARE = 0.2
"""The share of the recordings that is tested on where they are split at random."""
_MIN_SPEAKERS = 3
"""One each to train on, to validate with and to test on."""

PROTOCOLS: Mapping[Protocol, str] = {
    "speaker": (
        "Speaker-independent: every fold is tested on speakers that are not in its training data."
    ),
    "corpus": (
        "Each corpus is left out in turn: the models that are tested on it are trained on none of"
        " its recordings, none of its speakers, and no corpus of its language. Figures are means"
        " over corpora; of each, the classes that were trained on are tested, against all labels."
    ),
    "random": (
        "A random split of the recordings, balanced by class: the speakers of the test are known"
        " from other recordings, but no recording, nor a copy of it, lies on both sides."
    ),
    "leaky": (
        "LEAKY: copies were made first and split afterwards, so that copies of the same recordings"
        " lie on both sides, and the epoch was selected on the very items that are scored. Not a"
        " measure of accuracy on new speech; it shows how such figures come about."
    ),
}

_WITH_VALIDATION = (
    " Inside each fold, other speakers were held out to select the epoch and the temperature."
)
_WITHOUT_VALIDATION = (
    " No epoch was selected; the temperature of each fold is fitted on the tests of the other"
    " folds."
)

_OF_OTHER_CORPORA = (
    " Nothing is selected by what is left out; its temperature is fitted on the other corpora that"
    " were left out, each with the same weight."
)

_BETWEEN = (
    " The temperature used is the geometric mean of that one and of {:.2f}, which was fitted under"
    " another protocol: that of a finished model is for unseen speakers and for unseen corpora."
)

_TOO_FEW = "These are too few recordings to split at random: at least one class must have three."


def protocol_description(
    protocol: Protocol,
    hyperparameters: Hyperparameters,
    other_temperature: float | None = None,
) -> str:
    """Describe a protocol, with how the epoch and the temperature were selected."""
    description = PROTOCOLS[protocol]
    if protocol == "speaker":
        validated = hyperparameters.validation_share
        description += _WITH_VALIDATION if validated else _WITHOUT_VALIDATION
    if protocol == "corpus":
        description += _OF_OTHER_CORPORA
    if other_temperature is not None:
        description += _BETWEEN.format(other_temperature)
    return description


ALL_VARIANTS = "*"
"""Stands for the original and whatever augmentations a recipe is trained with."""


class Sample(NamedTuple):
    """What a split is made of: a recording in one of its variants, or in all of them."""

    example: Example
    variant: str = ORIGINAL
    """`original`, the name of an augmentation or condition, or `ALL_VARIANTS`."""


Samples: TypeAlias = tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class Split:
    """One training and its test. Recordings, not features: all nets of a recipe share it."""

    fold: str
    seed: int
    train: Samples
    validation: Samples
    test: Samples
    untrained: tuple[str, ...] = ()
    """Labels that only corpora have which are left out: they are neither trained nor predicted."""


def make_splits(
    protocol: Protocol,
    samples: Sequence[Sample],
    hyperparameters: Hyperparameters,
    seeds: Iterable[int],
    *,
    folds: Folds = None,
    test_only: Collection[str] = (),
    test_on: Collection[str] = (),
) -> tuple[Split, ...]:
    """Return all splits of an evaluation, one for each seed and fold.

    `samples` are all variants of all recordings. `folds` is a number, or luna-jimenez where the
    actors allow it. `test_only` are the corpora that `corpus` never trains on, `test_on` those that
    `speaker` tests, where it does not test all.
    """
    if protocol == "leaky":
        return tuple(_leaky_split(samples, seed) for seed in seeds)
    examples = _recordings(samples)
    if protocol == "random":
        return tuple(_random_split(examples, hyperparameters, seed) for seed in seeds)
    if protocol == "corpus":
        left_out = corpus_folds(examples, test_only)
        labels = {example.emotion for example in examples}
        return tuple(
            _corpus_split(fold, labels, hyperparameters, seed)
            for seed in seeds
            for fold in left_out
        )
    parts = folds_to_test(examples, folds, test_on)
    return tuple(_fold_split(fold, hyperparameters, seed) for seed in seeds for fold in parts)


def folds_to_test(
    examples: Sequence[Example], folds: Folds, test_on: Collection[str] = ()
) -> tuple[Fold, ...]:
    """Return the folds of speakers, each with the recordings of these corpora as its test.

    All are tested where no corpus is named. Folds without any test are left out.
    """
    parts = folds_by_speaker(examples, folds)
    if not test_on:
        return tuple(parts)
    tests = [tuple(one for one in fold.test if one.corpus in test_on) for fold in parts]
    tested = tuple(
        replace(fold, test=test) for fold, test in zip(parts, tests, strict=True) if test
    )
    if not tested:
        raise UsageError(f"--test-on {', '.join(test_on)}: no fold has recordings to test there")
    return tested


def final_split(samples: Sequence[Sample], hyperparameters: Hyperparameters) -> Split:
    """Return the split of a model that is shipped: all recordings but for those of validation.

    Validation recordings are those of some speakers, or, where speakers are not known, some of all.
    """
    seed = hyperparameters.seed
    train, validation = _hold_out(_recordings(samples), hyperparameters.validation_share, seed)
    return Split("all", seed, _all_variants(train), _originals(validation), ())


def _hold_out(examples: Examples, share: float, seed: int) -> tuple[Examples, Examples]:
    """Split off validation recordings: by speaker where speakers are known, else at random."""
    if not share:
        return examples, ()
    speakers = {example.speaker for example in examples}
    by_speaker = "" not in speakers and len(speakers) > 1
    split = hold_out_speakers if by_speaker else _nonempty_stratified_split
    return split(examples, share, seed)


def folds_by_speaker(examples: Sequence[Example], folds: Folds) -> tuple[Fold, ...]:
    """Return the folds of the protocol `speaker`; UsageError where there can be none."""
    speakers = {example.speaker for example in examples if example.speaker}
    if len(speakers) < _MIN_SPEAKERS and all(example.speaker for example in examples):
        raise UsageError(
            f"the protocol speaker takes at least {_MIN_SPEAKERS} speakers, for training,"
            f" validation and test; here are {len(speakers)}"
        )
    if isinstance(folds, int):
        return speaker_folds(examples, folds)
    if folds == LUNA_JIMENEZ or (folds is None and _has_published_folds(examples)):
        return luna_jimenez_folds(examples)
    if folds is None:
        return speaker_folds(examples)
    raise UsageError(f"--folds is {folds!r}: write a number, or {LUNA_JIMENEZ}")


def _has_published_folds(examples: Sequence[Example]) -> bool:
    """Whether all is speech or song of RAVDESS, with all actors of at least one of its folds."""
    speakers = {example.speaker for example in examples}
    folds = ({f"ravdess-{actor:02d}" for actor in actors} for actors in LUNA_JIMENEZ_FOLDS)
    corpora = {example.corpus for example in examples}
    return corpora <= {"ravdess", "ravdess_song"} and any(fold <= speakers for fold in folds)


def _recordings(samples: Iterable[Sample]) -> Examples:
    """Return each recording once, in the order of the samples."""
    return tuple(dict.fromkeys(sample.example for sample in samples))


def _originals(examples: Iterable[Example]) -> Samples:
    return tuple(Sample(example) for example in examples)


def _all_variants(examples: Iterable[Example]) -> Samples:
    return tuple(Sample(example, ALL_VARIANTS) for example in examples)


def _fold_split(fold: Fold, hyperparameters: Hyperparameters, seed: int) -> Split:
    check_disjoint(fold.train, fold.test)
    train, validation = fold.train, Examples()
    if hyperparameters.validation_share:
        train, validation = hold_out_speakers(train, hyperparameters.validation_share, seed)
    return Split(
        fold.name,
        seed,
        _all_variants(train),
        _originals(validation),
        _originals(fold.test),
    )


def _corpus_split(
    fold: Fold, labels: set[str], hyperparameters: Hyperparameters, seed: int
) -> Split:
    train, validation = _hold_out(fold.train, hyperparameters.validation_share, seed)
    untrained = labels - {example.emotion for example in fold.train}
    return Split(
        fold.name,
        seed,
        _all_variants(train),
        _originals(validation),
        _originals(fold.test),
        tuple(sorted(untrained)),
    )


def _random_split(examples: Examples, hyperparameters: Hyperparameters, seed: int) -> Split:
    train, test = _nonempty_stratified_split(examples, TEST_SHARE, seed)
    check_disjoint(train, test)
    validation = Examples()
    if hyperparameters.validation_share:
        train, validation = _nonempty_stratified_split(
            train, hyperparameters.validation_share, seed
        )
    return Split("random", seed, _all_variants(train), _originals(validation), _originals(test))


def _nonempty_stratified_split(
    examples: Sequence[Example], share: float, seed: int
) -> tuple[Examples, Examples]:
    rest, held_out = stratified_split(examples, share, seed)
    if not held_out:
        raise UsageError(_TOO_FEW)
    return rest, held_out


def _leaky_split(samples: Sequence[Sample], seed: int) -> Split:
    """Split the variants class by class, whatever recordings they are variants of."""
    random = np.random.default_rng(seed)
    emotions = np.array([sample.example.emotion for sample in samples])
    train: list[int] = []
    test: list[int] = []
    for emotion in sorted(set(emotions)):
        shuffled = random.permutation(np.flatnonzero(emotions == emotion)).tolist()
        tested = round(TEST_SHARE * len(shuffled))
        test += shuffled[:tested]
        train += shuffled[tested:]
    if not test:
        raise UsageError(_TOO_FEW)
    scored = tuple(samples[index] for index in sorted(test))
    return Split("leaky", seed, tuple(samples[index] for index in sorted(train)), scored, scored)
