"""Medians and ratios of what was measured in rounds; no clocks here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Line:
    """What a command costs: its start, and then so many seconds for each unit of work.

    >>> Line.through((12, 3.2), (1012, 13.2))
    Line(start=3.08, each=0.01)
    """

    start: float
    each: float

    @classmethod
    def through(cls, few: tuple[float, float], many: tuple[float, float]) -> Line:
        """The line through two runs, each given as its units and its seconds."""
        each = (many[1] - few[1]) / (many[0] - few[0])
        return cls(round(few[1] - few[0] * each, 9), round(each, 9))


@dataclass(frozen=True)
class Spread:
    """The median of some figures, and the least and the largest of them."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, figures: Sequence[float]) -> Spread:
        """Sum figures up.

        >>> Spread.of([3.0, 1.0, 2.0])
        Spread(median=2.0, least=1.0, most=3.0)
        """
        return cls(median(figures), min(figures), max(figures))


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """How many times ours theirs is, round by round, so that a slow moment hits both.

    >>> ratios([1.0, 2.0, 1.0], [10.0, 22.0, 12.0]).median
    11.0
    """
    return Spread.of([them / us for us, them in zip(ours, theirs, strict=True)])
