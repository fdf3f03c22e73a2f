"""What a head does for recordings that it was not fitted to: each is left out in turn.

Left out are single recordings, or all of a speaker or folder together, in at most `MAX_FOLDS`
folds. The temperature is chosen for each fold by the others, so that no recording has a part in
what is chosen for its own figures.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from batchemo.adaptation.examples import Corpus, Examples
from batchemo.adaptation.fit import BaseOutput, fit_head, normalised
from batchemo.bundles import softmax
from batchemo.common.arrays import Float64, Int64

MAX_FOLDS = 20
_TEMPERATURES = np.geomspace(0.4, 4.0, 25)
_LEAST = 1e-6
"""The least probability that a loss is computed of."""


@dataclass(frozen=True, slots=True, eq=False)
class Assessment:
    """The probabilities that left-out examples got, before and after, and what was chosen."""

    before: Float64
    """(examples, labels), of the base"""
    recalibrated: Float64
    """Those of the base at the temperature that makes the labels of all examples likeliest."""
    after: Float64
    balanced: Float64
    """Those after, but without the shares of the classes, where these are asked for."""
    temperature: float
    """The choice by all examples, for the head that is fitted to all."""
    folds: int


def assess(
    examples: Examples,
    base: BaseOutput,
    corpus: Corpus,
    groups: Sequence[str],
    log_shares: Float64 | None = None,
) -> Assessment:
    """Leave out the groups in turn, and return what the heads of the others say of them.

    `log_shares`, (examples, labels), are added to the logits of each example.
    """
    folds = assign_folds(groups, examples.classes)
    count = int(folds.max()) + 1
    logits = np.zeros((len(examples.embedding), len(examples.labels)))
    embedding, offsets = normalised(examples, corpus), base.of(examples.log_probabilities)
    for fold in range(count):
        fit = fit_head(examples.select(np.flatnonzero(folds != fold)), base, corpus)
        windows = folds[examples.example_of_window] == fold
        logits[windows] = fit.logits(offsets[windows], embedding[windows])
    no_shares = np.zeros((len(examples), len(examples.labels)))
    shares = no_shares if log_shares is None else log_shares
    shares = shares[examples.example_of_window]
    after, balanced = np.zeros_like(no_shares), np.zeros_like(no_shares)
    for fold in range(count):
        others = examples.select(np.flatnonzero(folds != fold))
        windows = folds[examples.example_of_window] == fold
        temperature = fit_temperature(logits[~windows], others, shares[~windows])
        scaled = logits / temperature
        for result, added in ((after, shares), (balanced, 0)):
            own = recording_probabilities(scaled + added, examples)
            result[folds == fold] = own[folds == fold]
    base_temperature = fit_temperature(offsets, examples, np.zeros_like(offsets))
    return Assessment(
        before=base_probabilities(examples, base),
        recalibrated=recording_probabilities(offsets / base_temperature, examples),
        after=after,
        balanced=balanced,
        temperature=fit_temperature(logits, examples, shares),
        folds=count,
    )


def assign_folds(groups: Sequence[str], classes: Int64) -> Int64:
    """Return the fold of each example: groups stay together, and folds become about equal.

    Not by the order of the answers, which may be that of a queue, but by the names of the groups.

    >>> assign_folds(["anna", "ben", "anna"], np.array([0, 1, 1])).tolist()
    [0, 1, 0]
    """
    members = defaultdict(list)
    for index, group in enumerate(groups):
        members[group].append(index)
    first_class = {group: int(classes[own[0]]) for group, own in members.items()}
    # Large groups first; of equal ones those of a class after each other, so that it is spread.
    order = sorted(
        members, key=lambda group: (-len(members[group]), first_class[group], _hashed(group))
    )
    sizes = np.zeros(min(len(members), MAX_FOLDS), np.int64)
    folds = np.zeros(len(groups), np.int64)
    for group in order:
        fold = int(sizes.argmin())
        folds[members[group]] = fold
        sizes[fold] += len(members[group])
    return folds


def _hashed(group: str) -> bytes:
    return hashlib.sha256(group.encode("utf-8", "surrogatepass")).digest()


def recording_probabilities(logits: Float64, examples: Examples) -> Float64:
    """Return the probabilities of each example: the mean over its windows, as in a scan."""
    of_windows = softmax(logits)
    sums = np.zeros((len(examples), logits.shape[1]))
    np.add.at(sums, examples.example_of_window, of_windows)
    means: Float64 = sums / examples.window_counts()[:, None]
    return means


def base_probabilities(examples: Examples, base: BaseOutput) -> Float64:
    """Return what the base says of each example; 0 for labels that it lacks.

    Labels that the head lacks are left out, and the others add up to 1.
    """
    shared = np.asarray(base.selection.any(axis=0), bool)
    logits = np.where(shared, base.of(examples.log_probabilities), -np.inf)
    if not shared.any():
        return np.full((len(examples), len(shared)), 1 / len(shared))
    return recording_probabilities(logits, examples)


def fit_temperature(logits: Float64, examples: Examples, added: Float64) -> float:
    """Return the temperature that makes the probabilities of these windows' examples likeliest.

    `added` are logits that no temperature changes. Held to 1 as by some more examples, since few
    answers say little of it.
    """
    totals = []
    for temperature in _TEMPERATURES:
        probabilities = recording_probabilities(logits / temperature + added, examples)
        total = losses(probabilities, examples.classes).sum()
        totals.append(total + 4 * np.log(temperature) ** 2)
    return float(_TEMPERATURES[int(np.argmin(totals))])


def losses(probabilities: Float64, classes: Int64) -> Float64:
    """Return the negative logarithm of the probability of each example's class."""
    of_class = probabilities[np.arange(len(classes)), classes]
    result: Float64 = -np.log(np.maximum(of_class, _LEAST))
    return result
