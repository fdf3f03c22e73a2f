"""Turns: the parts of a recording that each become a row."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Turn:
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
