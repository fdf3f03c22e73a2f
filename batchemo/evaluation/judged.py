"""One recording, or copy of one, as one net judged it: what every figure is computed from."""

from __future__ import annotations

from dataclasses import dataclass

from batchemo.corpora import Example


@dataclass(frozen=True, slots=True)
class Judged:
    """What the net of one fold and seed said of a recording; probabilities over the labels."""

    example: Example
    copy: str
    fold: str
    seed: int
    probabilities: tuple[float, ...]
    uncalibrated: tuple[float, ...] = ()
    """The probabilities at temperature 1, where they are known."""
