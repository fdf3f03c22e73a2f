"""What a scan is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from batchemo.errors import UsageError
from batchemo.inference.settings import (
    NO_POSTPROCESSING,
    TIMEOUT,
    ModelSettings,
    PostprocessSettings,
)
from batchemo.sources import SourceOptions

STDOUT = "-"


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """A whole scan: where recordings are, what to compute, and where it goes."""

    sources: SourceOptions
    settings: tuple[ModelSettings, ...] = (ModelSettings(),)
    """Those of each model; several models share one decoding of every recording."""
    postprocess: PostprocessSettings = NO_POSTPROCESSING
    """What is made of the models' probabilities."""
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
    if_locked: Literal["fail", "skip", "wait"] = "fail"

    def __post_init__(self) -> None:
        if self.update and self.overwrite:
            raise UsageError("--update keeps what is there, --overwrite does not: give one of them")
        for name in ("retry_failed", "prune"):
            if getattr(self, name) and not self.update:
                option = name.replace("_", "-")
                raise UsageError(f"--{option} works on an earlier table: give --update too")
        if self.output in (None, STDOUT) and (self.update or self.overwrite):
            raise UsageError("--update and --overwrite need an output file (-o results.parquet)")
        if self.timeout < 0 or self.jobs < 0 or (self.limit is not None and self.limit < 0):
            raise UsageError("--timeout, --jobs and --limit cannot be negative")
