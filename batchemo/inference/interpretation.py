"""How probabilities are to be read: none of it costs a second hearing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from batchemo.errors import UsageError
from batchemo.tables.columns import UNCERTAIN
from batchemo.tables.grouping import is_of_path

ROOT = "root"


@dataclass(frozen=True, slots=True)
class Interpretation:
    """What is made of the probabilities that the models give."""

    min_confidence: float = 0.0
    """Below it, `uncertain` stands for the label."""
    dimensions: bool = False
    """Whether coordinates are estimated."""
    speaker: str | None = None
    """What names the speaker of a recording, where predictions are adapted to speakers."""

    def __post_init__(self) -> None:
        if not 0 <= self.min_confidence <= 1:
            raise UsageError(
                f"the lowest confidence is {self.min_confidence:g}: it must lie between 0 and 1"
            )

    @property
    def also(self) -> tuple[str, ...]:
        """What the files table also has."""
        asked = {"unadapted": self.speaker is not None, "dimensions": self.dimensions}
        return tuple(name for name, wanted in asked.items() if wanted)

    def differences(self) -> dict[str, Any]:
        """Give what is not the default, by name."""
        names = ("min_confidence", "dimensions", "speaker")
        return {n: getattr(self, n) for n in names if getattr(self, n) != getattr(PLAIN, n)}

    def check_labels(self, model: str, labels: Sequence[str]) -> None:
        """Refuse labels that cannot be told as is asked for.

        >>> Interpretation(dimensions=True).check_labels("mine", ["happy", "smug"])
        Traceback (most recent call last):
        batchemo.errors.UsageError: --dimensions: there are no coordinates for smug, ...
        """
        from batchemo.tables.dimensions import COORDINATES

        strange = [label for label in labels if label not in COORDINATES]
        if self.dimensions and strange:
            raise UsageError(
                f"--dimensions: there are no coordinates for {', '.join(strange)}, which the model "
                f"{model} knows; there are for {', '.join(COORDINATES)}. Leave --dimensions out"
            )
        if self.min_confidence and UNCERTAIN in labels:
            raise UsageError(
                f"--min-confidence: the model {model} has a label of its own called {UNCERTAIN}"
            )

    def check_speaker(self, columns: Iterable[str]) -> None:
        """Refuse what names no speaker, where these are the columns beyond a scan's own."""
        speaker, columns = self.speaker, list(columns)
        if speaker is None or speaker in (ROOT, *columns) or is_of_path(speaker):
            return
        there = ", ".join(columns) or "there are none"
        raise UsageError(
            f"--speaker {speaker}: this is no column of the manifest ({there}), nor folder, "
            "part:N, root or regex:PATTERN"
        )


PLAIN = Interpretation()
"""Nothing but what the models say."""
