"""Leaves out each corpus in turn, with its speakers and all other corpora of its language.

What is then left differs from the test in voices, language, microphones and rooms: a measure of
what to expect of recordings from elsewhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from batchemo.corpora import Example
from batchemo.errors import UsageError
from batchemo.training.data.splits import Examples, Fold, check_disjoint

_MIN_CLASSES = 2
"""With fewer there is nothing to tell apart."""


def corpus_folds(examples: Sequence[Example], test_only: Collection[str] = ()) -> tuple[Fold, ...]:
    """Return the folds of the protocol `corpus`; UsageError where there can be none.

    Corpora with the same training recordings, such as two of one language, share a fold. Corpora
    that are `test_only` are tested, but never trained on. A recording whose emotion the training
    recordings do not have is not tested, and no corpus is for which nothing is left to train on.
    """
    corpora = _by_corpus(examples)
    if unknown := [name for name in test_only if name not in corpora]:
        raise UsageError(
            f"--test-only {', '.join(unknown)}: there are no such recordings, only those of"
            f" {', '.join(corpora)}"
        )
    trainable = {name: of for name, of in corpora.items() if name not in test_only}
    tested_by_training: dict[Examples, list[str]] = {}
    for name, test in corpora.items():
        train = _train_without(test, trainable)
        if len({example.emotion for example in train}) >= _MIN_CLASSES:
            tested_by_training.setdefault(train, []).append(name)
    folds = []
    for train, names in tested_by_training.items():
        known = {example.emotion for example in train}
        tested = (example for name in names for example in corpora[name])
        test = tuple(example for example in tested if example.emotion in known)
        if test:
            check_disjoint(train, test)
            folds.append(Fold("+".join(names), train, test))
    if not folds:
        languages = sorted(base_languages(example.language for example in examples))
        raise UsageError(
            f"to leave out {' or '.join(corpora)} with its speakers and its language leaves nothing"
            f" to train on (languages: {', '.join(languages) or 'not known'}). Add a corpus of"
            " several emotions in another language"
        )
    return tuple(folds)


def reasons_not_tested(examples: Iterable[Example], tested: Collection[Example]) -> Counter[str]:
    """Count the recordings that no fold tests, by reason."""
    corpora = {example.corpus for example in tested}
    return Counter(
        f"{example.corpus}: {example.emotion} is in no corpus of another language"
        if example.corpus in corpora
        else f"{example.corpus}: there is no corpus of another language to train on"
        for example in examples
        if example not in tested
    )


def base_languages(codes: Iterable[str]) -> frozenset[str]:
    """Return the languages behind codes that may have a variety; "" is a language not known.

    >>> sorted(base_languages(["en-GB", "en", "pl", ""]))
    ['en', 'pl']
    """
    return frozenset(code.partition("-")[0].lower() for code in codes if code)


def _by_corpus(examples: Iterable[Example]) -> dict[str, Examples]:
    found: dict[str, list[Example]] = {}
    for example in examples:
        found.setdefault(example.corpus, []).append(example)
    return {name: tuple(found[name]) for name in sorted(found)}


def _train_without(test: Examples, trainable: dict[str, Examples]) -> Examples:
    """Return what may be trained on where these recordings, a whole corpus, are tested."""
    corpus, languages = test[0].corpus, _languages(test)
    speakers = {example.speaker for example in test if example.speaker}
    return tuple(
        example
        for name, of_corpus in trainable.items()
        if name != corpus and not languages & _languages(of_corpus)
        for example in of_corpus
        if example.speaker not in speakers
    )


def _languages(examples: Examples) -> frozenset[str]:
    return base_languages(example.language for example in examples)
