"""How well reviewers agree beyond chance: Cohen's kappa of two, Krippendorff's alpha of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

from batchemo.tables.labels import UNSURE, Key


@dataclass(frozen=True, slots=True)
class Pair:
    """Two reviewers, and the recordings that both gave a label."""

    reviewers: tuple[str, str]
    recordings: int
    agreeing: float
    """The share to which both gave the same label."""
    kappa: float | None
    """None where both gave one and the same label to all: chance explains it."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """The agreement of all reviewers; `unsure` is no label here."""

    pairs: tuple[Pair, ...]
    recordings: int
    """Those with labels of two reviewers or more."""
    alpha: float | None


def agreement(current: Mapping[Key, Mapping[str, str]]) -> Agreement:
    """Return how well reviewers agree, given the label of each reviewer for each recording.

    >>> said = {Key("/d", str(i)): {"anna": a, "ben": b} for i, (a, b) in enumerate(["xx", "yx"])}
    >>> found = agreement(said)
    >>> found.pairs[0].agreeing, found.pairs[0].kappa, found.recordings
    (0.5, 0.0, 2)
    """
    sure = [
        {name: label for name, label in said.items() if label != UNSURE}
        for said in current.values()
    ]
    shared = [said for said in sure if len(said) > 1]
    names = sorted({name for said in shared for name in said})
    pairs = []
    for first, second in combinations(names, 2):
        both = [(said[first], said[second]) for said in shared if {first, second} <= said.keys()]
        if both:
            agreeing = sum(a == b for a, b in both) / len(both)
            pairs.append(Pair((first, second), len(both), agreeing, cohens_kappa(both)))
    alpha = krippendorffs_alpha([list(said.values()) for said in shared])
    return Agreement(tuple(pairs), len(shared), alpha)


def cohens_kappa(both: Iterable[tuple[str, str]]) -> float | None:
    """Return the agreement of two beyond chance; None where chance alone makes them agree.

    >>> cohens_kappa([("x", "x"), ("x", "x"), ("y", "y"), ("y", "x")])
    0.5
    """
    pairs = list(both)
    count = len(pairs)
    first, second = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    observed = sum(a == b for a, b in pairs) / count
    expected = sum(first[label] * second[label] for label in first) / count**2
    return None if expected == 1 else (observed - expected) / (1 - expected)


def krippendorffs_alpha(units: Iterable[list[str]]) -> float | None:
    """Return the agreement of any number of reviewers beyond chance, for labels without an order.

    `units` are the labels of each recording. None where fewer than two labels were given in all.

    >>> round(krippendorffs_alpha([["x", "x"], ["x", "y"], ["y", "y"], ["y", "y"]]), 3)
    0.533
    """
    units = [labels for labels in units if len(labels) > 1]
    totals = Counter(label for labels in units for label in labels)
    values = sum(totals.values())
    if len(totals) < 2:
        return None
    observed = 0.0
    for labels in units:
        counts = Counter(labels)
        differing = len(labels) ** 2 - sum(count**2 for count in counts.values())
        observed += differing / (len(labels) - 1)
    expected = (values**2 - sum(count**2 for count in totals.values())) / (values - 1)
    return 1 - observed / expected
