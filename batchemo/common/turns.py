"""Turns: the parts of a recording that each become a row."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from batchemo.common.arrays import Float64


class Turn(NamedTuple):
    """A part of a recording, in seconds; without times, all of it.

    >>> Turn(1.5, 4.0, "anna").duration
    2.5
    """

    start: float | None = None
    end: float | None = None
    speaker: str | None = None
    channel: int | None = None
    """From 0; None for what the run analyses, which is the mean of all unless it says otherwise."""
    row: int | None = None
    """The row of the manifest that gives it, if one does."""

    @property
    def duration(self) -> float | None:
        """Seconds, as given."""
        return None if self.start is None or self.end is None else self.end - self.start


class Turns(tuple[Turn, ...]):
    """The turns of a recording, in the order of their rows.

    >>> Turns([Turn(1.5, 4.0), Turn(5.0)]).ends.tolist()
    [4.0, inf]
    """

    @cached_property
    def starts(self) -> Float64:
        """The second at which each one starts, as given."""
        import numpy as np

        return np.array([0.0 if turn.start is None else turn.start for turn in self], np.float64)

    @cached_property
    def ends(self) -> Float64:
        """The second at which each one ends, as given."""
        import numpy as np

        return np.array([np.inf if turn.end is None else turn.end for turn in self], np.float64)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle them by columns: all go to a worker with each group of a recording's pieces."""
        return _from_columns, tuple(zip(*self, strict=True))


def _from_columns(*columns: tuple[Any, ...]) -> Turns:
    return Turns(map(Turn._make, zip(*columns, strict=True)))
