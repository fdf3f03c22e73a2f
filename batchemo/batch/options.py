"""What a scan is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from batchemo.common.text import for_display
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
    partition_by: str | None = None
    """What the output, then a folder, is parted by: as `group_by`."""
    segments: str | None = None
    """The path of a table of windows."""
    summary: str | None = None
    """The path of a table of counts."""
    embeddings: str | None = None
    """The path of a table of embeddings, which only Parquet can hold."""
    group_by: str | None = None
    """What the summary counts by; None for all recordings together."""
    jobs: int = 0
    """Worker processes; 0 for as many as this process may use, or as the cluster has."""
    executor: str | None = None
    """The cluster that works on the recordings, dask://HOST:PORT; None for this machine."""
    timeout: float = TIMEOUT
    """Seconds for a recording, or for each started hour of it; 0 for no limit."""
    update: bool = False
    """Keep the rows of the output whose recordings have not changed."""
    overwrite: bool = False
    """Replace the output; analyse everything anew."""
    retry_failed: bool = False
    """With `update`: analyse again what failed."""
    retry_reasons: tuple[str, ...] = ()
    """With `update`: analyse again what failed for one of these reasons."""
    max_tries: int | None = None
    """How many runs may try a recording that fails; None for any number. The table counts them."""
    fail_on: Literal["any", "new", "none"] = "any"
    """Which failures of recordings make the exit code 3: those of all rows of the table, only those
    that an earlier table does not have, or none."""
    prune: bool = False
    """With `update`: drop the rows of recordings that no longer exist."""
    allow_empty: bool = False
    """Accept sources without recordings, and write a table even if nothing was found."""
    limit: int | None = None
    """How many recordings to analyse at most."""
    if_locked: Literal["fail", "skip", "wait"] = "fail"
    """While another run holds the output: raise `LockedError` (which the command line may take as
    a reason to skip the run), or wait."""

    def __post_init__(self) -> None:
        if self.update and self.overwrite:
            raise UsageError("--update keeps what is there, --overwrite does not: give one of them")
        for option in ("--retry-failed", "--retry-reasons", "--prune"):
            if getattr(self, option[2:].replace("-", "_")) and not self.update:
                raise UsageError(f"{option} works on an earlier table: give --update too")
        if self.retry_reasons:
            _check_reasons(self.retry_reasons)
        if self.partition_by is not None:
            self._check_partitioned()
        if self.output in (None, STDOUT) and (self.update or self.overwrite):
            raise UsageError("--update and --overwrite need an output file (-o results.parquet)")
        if self.max_tries is not None and self.output in (None, STDOUT):
            raise UsageError(
                "--max-tries counts in the table: it needs a file (-o results.parquet)"
            )
        if self.max_tries is not None and self.max_tries < 1:
            raise UsageError("--max-tries cannot be less than 1")
        if self.timeout < 0 or self.jobs < 0 or (self.limit is not None and self.limit < 0):
            raise UsageError("--timeout, --jobs and --limit cannot be negative")

    def _check_partitioned(self) -> None:
        if self.output in (None, STDOUT):
            raise UsageError("--partition-by needs a folder for the table: -o results")
        for option, given in (
            ("--segments", self.segments),
            ("--embeddings", self.embeddings),
            ("--shard", self.sources.shard),
        ):
            if given:
                raise UsageError(
                    f"{option} goes with a table in one file: leave out --partition-by"
                )


def _check_reasons(reasons: tuple[str, ...]) -> None:
    from batchemo.audio import REASONS

    for reason in reasons:
        if reason not in REASONS:
            raise UsageError(
                f"--retry-reasons {for_display(reason)}: no recording fails for such a reason. "
                f"There are {', '.join(REASONS)}"
            )
