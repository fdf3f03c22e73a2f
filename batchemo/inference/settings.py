"""How a model is run, and what is made of its probabilities."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from batchemo.errors import UsageError
from batchemo.tables.columns import UNCERTAIN
from batchemo.tables.summary import is_path_part

ROOT = "root"


@dataclass(frozen=True, slots=True)
class PostprocessSettings:
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
    def optional(self) -> tuple[str, ...]:
        """What the files table also has."""
        asked = {"unadapted": self.speaker is not None, "dimensions": self.dimensions}
        return tuple(name for name, wanted in asked.items() if wanted)

    def differences(self) -> dict[str, Any]:
        """Give what is not the default, by name."""
        names = ("min_confidence", "dimensions", "speaker")
        return {
            n: getattr(self, n) for n in names if getattr(self, n) != getattr(NO_POSTPROCESSING, n)
        }

    def check_labels(self, model: str, labels: Sequence[str]) -> None:
        """Refuse labels that cannot be told as is asked for.

        >>> Interpretation(dimensions=True).check_labels("mine", ["happy", "smug"])
        Traceback (most recent call last):
        batchemo.errors.UsageError: --dimensions: there are no coordinates for smug, ...
        """
        from batchemo.tables.derived import COORDINATES

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
        if speaker is None or speaker in (ROOT, *columns) or is_path_part(speaker):
            return
        there = ", ".join(columns) or "there are none"
        raise UsageError(
            f"--speaker {speaker}: this is no column of the manifest ({there}), nor folder, "
            "part:N, root or regex:PATTERN"
        )


NO_POSTPROCESSING = PostprocessSettings()
"""Nothing but what the models say."""


BATCH_SIZE = 16
"""Windows that go through the net together: enough to be fast, few enough to be cheap to pad."""


TIMEOUT = 300.0


def check_channel(channel: str) -> None:
    """Refuse what is neither mix nor a channel's number.

    >>> check_channel("left")
    Traceback (most recent call last):
    batchemo.errors.UsageError: the channel is 'left': write mix, or a number, the first being 0
    """
    if channel != "mix" and not re.fullmatch("[0-9]{1,4}", channel):
        raise UsageError(f"the channel is {channel!r}: write mix, or a number, the first being 0")


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """A model, and how it is to hear; None is the model's own default."""

    model: str = "default"
    window: float | None = None
    hop: float | None = None
    channel: str = "mix"
    backend: Literal["onnx", "tensorflow"] = "onnx"
    batch_size: int = BATCH_SIZE

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise UsageError(f"the batch size is {self.batch_size}: it must be 1 or more")
        for name, seconds in (("window", self.window), ("hop", self.hop)):
            if seconds is not None and not seconds > 0:
                raise UsageError(f"the {name} is {seconds:g} s: it must be longer than 0")
        check_channel(self.channel)

    def differences(self) -> dict[str, str | float | int]:
        """Give the settings that are not the defaults, by name; `model` is told elsewhere."""
        standard = ModelSettings()
        names = ("window", "hop", "channel", "backend", "batch_size")
        return {n: getattr(self, n) for n in names if getattr(self, n) != getattr(standard, n)}


@dataclass(frozen=True, slots=True)
class PredictTask:
    """What to do with every chunk, the same for the whole run."""

    settings: tuple[ModelSettings, ...]
    """Those of each model."""
    timeout: float = 0.0
