"""What bounds a scan on this machine, and with which options it is fastest here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from batchemo.bundles import BATCH_SIZE, load_bundle
from batchemo.diagnostics.throughput import (
    Measured,
    batch_times,
    measure,
    reading_time,
    recordings_for,
)
from batchemo.errors import BatchemoError, UsageError
from batchemo.inference.settings import ModelSettings
from batchemo.sources import Recording, SourceOptions
from batchemo.workers.executor import available_cpus

SECONDS = 24.0
SHORTEST, LONGEST = 0.5, 600.0


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """Which recordings to measure on, with which model, and for how long."""

    sources: SourceOptions = field(default_factory=SourceOptions)
    """Without any path, recordings are made."""
    settings: ModelSettings = field(default_factory=ModelSettings)
    jobs: int = 0
    """The most worker processes to try; 0 for as many as there are processors."""
    seconds: float = SECONDS
    """For all measurements together; what starts before each of them comes on top."""

    def __post_init__(self) -> None:
        if not SHORTEST <= self.seconds <= LONGEST:
            raise UsageError(
                f"--seconds {self.seconds:g}: measuring takes from {SHORTEST:g} to {LONGEST:g} s"
            )


NEARLY = 0.95
"""So much of the best is as good as the best: fewer processes then leave more for others."""

CLEARLY = 0.1
"""A net must gain this part of its time for another batch size to be worth a word: rows of another
batch size are other rows to `--update`."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast so many processes are in the steady state."""

    jobs: int
    recordings: float
    """A second."""
    real_time: float
    """Seconds of sound a second."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The recordings that were measured on."""

    count: int
    seconds: float
    """Of sound, in the mean."""
    made: bool
    passed_over: int = 0
    """Recordings too large to be measured in a minute."""
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Findings:
    """All that was measured; times are seconds."""

    model: str
    sample: Sample
    stages: Mapping[str, float]
    """Of one process, a recording; what is no stage of its own is `rest`."""
    reading: float | None
    """From the disk, a recording, with nothing of it in memory; unknown of made ones."""
    paces: Sequence[Pace]
    batches: Mapping[int, float]
    """The net's time a window by the size of its batch."""

    @property
    def best_jobs(self) -> int:
        """The fewest processes that are nearly as fast as the fastest."""
        fastest = max(pace.recordings for pace in self.paces)
        return min(p.jobs for p in self.paces if p.recordings >= NEARLY * fastest)

    @property
    def best_pace(self) -> Pace:
        """The pace of that many processes."""
        return next(pace for pace in self.paces if pace.jobs == self.best_jobs)

    @property
    def best_batch(self) -> int:
        """The size of batch that is clearly faster than the default one, else that one."""
        best = min(self.batches, key=lambda size: self.batches[size])
        gained = 1 - self.batches[best] / self.batches[BATCH_SIZE]
        return best if gained > CLEARLY else BATCH_SIZE

    @property
    def bound(self) -> str:
        """The stage that most of the time goes into; `reading` where the disk is too slow."""
        if self.reading is not None and self.reading > 1 / self.best_pace.recordings:
            return "reading"
        return max(self.stages, key=lambda stage: self.stages[stage])

    @property
    def shares(self) -> dict[str, float]:
        """Each stage's part of the work, the largest first."""
        whole = sum(self.stages.values())
        ordered = sorted(self.stages.items(), key=lambda item: -item[1])
        return {stage: seconds / whole for stage, seconds in ordered}


NET_SHARE = 0.2
"""Of the time for the net alone; the rest is for the workers."""


def run_bench(options: BenchOptions, tell: Callable[[str], None]) -> Findings:
    """Measure; `tell` hears what comes next."""
    bundle = load_bundle(options.settings.model)
    tell("looking for recordings" if options.sources.paths else "making recordings")
    with recordings_for(options.sources) as (recordings, passed_over):
        reading = reading_time(recordings) if options.sources.paths else None
        tell("the net, by the size of its batch")
        share = NET_SHARE * options.seconds
        batches = batch_times(options.settings, recordings, share)
        counts = jobs_to_try(options.jobs or available_cpus())
        seconds = (options.seconds - share) / len(counts)
        found: dict[int, Measured] = {}
        for jobs in counts:
            tell("1 process" if jobs == 1 else f"{jobs} processes")
            found[jobs] = measure(options.settings, recordings, jobs, seconds)
        alone = found[1]
        _require_some(alone, recordings)
    return Findings(
        model=bundle.name,
        sample=Sample(
            count=len(recordings),
            seconds=alone.sound / alone.recordings,
            made=not options.sources.paths,
            passed_over=passed_over,
            failed=len(alone.failed),
        ),
        stages=_stages(alone),
        reading=reading,
        paces=tuple(_pace(jobs, each) for jobs, each in found.items()),
        batches=batches,
    )


def jobs_to_try(most: int) -> list[int]:
    """Numbers of processes that tell how far more of them help.

    >>> jobs_to_try(1), jobs_to_try(2), jobs_to_try(12)
    ([1], [1, 2], [1, 2, 4, 8, 12])
    """
    doubled = [2**power for power in range(most.bit_length()) if 2**power < most]
    return [*doubled, most]


def _require_some(alone: Measured, recordings: Sequence[Recording]) -> None:
    if len(alone.failed) == len(recordings):
        reason, _ = Counter(alone.failed.values()).most_common(1)[0]
        raise BatchemoError(
            f"all recordings failed, most of them as `{reason}`: name others to measure on"
        )


def _stages(alone: Measured) -> dict[str, float]:
    stages = {name: spent / alone.recordings for name, spent in alone.stages.items()}
    rest = alone.seconds / alone.recordings - sum(stages.values())
    return {**stages, "rest": max(0.0, rest)}


def _pace(jobs: int, measured: Measured) -> Pace:
    return Pace(jobs, measured.recordings / measured.seconds, measured.sound / measured.seconds)
