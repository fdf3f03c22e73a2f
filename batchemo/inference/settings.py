"""How a model is to be run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from batchemo.errors import UsageError

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
class Settings:
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
        standard = Settings()
        names = ("window", "hop", "channel", "backend", "batch_size")
        return {n: getattr(self, n) for n in names if getattr(self, n) != getattr(standard, n)}


@dataclass(frozen=True, slots=True)
class Task:
    """What to do with every chunk, the same for the whole run."""

    settings: tuple[Settings, ...]
    """Those of each model."""
    timeout: float = 0.0
