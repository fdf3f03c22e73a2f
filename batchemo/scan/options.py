"""What a scan is asked to do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from batchemo.errors import UsageError
from batchemo.scan.interpretation import PLAIN, Interpretation
from batchemo.sources import SourceOptions

STDOUT = "-"

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


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """A whole scan: where recordings are, what to compute, and where it goes."""

    sources: SourceOptions
    settings: tuple[Settings, ...] = (Settings(),)
    """Those of each model, which hear every recording together."""
    interpretation: Interpretation = PLAIN
    """What is made of what the models say."""
    output: str | None = None
    """A path ending in .parquet or .csv; "-" for CSV on a stream; None to keep it in memory."""
    segments: str | None = None
    summary: str | None = None
    group_by: str | None = None
    jobs: int = 0
    """Worker processes; 0 for as many as this process may use."""
    timeout: float = TIMEOUT
    """Seconds for a recording, or for each started hour of it; 0 for no limit."""
    update: bool = False
    overwrite: bool = False
    retry_failed: bool = False
    prune: bool = False
    limit: int | None = None
    if_locked: str = "fail"

    def __post_init__(self) -> None:
        if self.update and self.overwrite:
            raise UsageError("--update keeps what is there, --overwrite does not: give one of them")
        for name, needs in (("retry_failed", self.update), ("prune", self.update)):
            if getattr(self, name) and not needs:
                option = name.replace("_", "-")
                raise UsageError(f"--{option} works on an earlier table: give --update too")
        if self.output in (None, STDOUT) and (self.update or self.overwrite):
            raise UsageError("--update and --overwrite need an output file (-o results.parquet)")
        if self.timeout < 0 or self.jobs < 0 or (self.limit is not None and self.limit < 0):
            raise UsageError("--timeout, --jobs and --limit cannot be negative")
