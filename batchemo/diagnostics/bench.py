"""What limits a scan on this machine, and with which options it is fastest here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from batchemo.bundles import load_bundle
from batchemo.bundles.device import Device
from batchemo.diagnostics.throughput import (
    Measurement,
    bench_recordings,
    measure_workers,
    read_seconds,
    window_seconds_by_batch_size,
)
from batchemo.errors import BatchemoError, UsageError
from batchemo.inference.settings import ModelSettings, default_batch_size
from batchemo.sources import Recording, SourceOptions
from batchemo.workers.executor import available_cpus

SECONDS = 24.0
MIN_SECONDS, MAX_SECONDS = 0.5, 600.0

MODEL_SHARE = 0.2
"""The share of the time that the model is measured alone; in the rest, the workers are."""

GOOD_ENOUGH = 0.95
"""Fewer processes are recommended where they reach this share of the best throughput: memory and
processors are left for others."""

MIN_GAIN = 0.1
"""The share of the model's time that another batch size must save to be recommended: it changes the
last bits of the probabilities, so that `--update` computes every row again."""


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """Which recordings to measure on, with which model, and for how long."""

    sources: SourceOptions = field(default_factory=SourceOptions)
    """Without any path, synthetic recordings are made."""
    settings: ModelSettings = field(default_factory=ModelSettings)
    jobs: int = 0
    """The most worker processes to try; 0 for as many as there are processors."""
    seconds: float = SECONDS
    """For all measurements together; the start of the workers comes on top."""

    def __post_init__(self) -> None:
        if not MIN_SECONDS <= self.seconds <= MAX_SECONDS:
            raise UsageError(
                f"--seconds {self.seconds:g}: measuring takes from {MIN_SECONDS:g} to "
                f"{MAX_SECONDS:g} s"
            )


@dataclass(frozen=True, slots=True)
class Throughput:
    """How fast a number of worker processes is."""

    jobs: int
    recordings_per_second: float
    times_real_time: float
    """Seconds of audio in a second."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The recordings that were measured on."""

    count: int
    mean_seconds: float
    synthetic: bool
    too_large: int = 0
    """Recordings that were left out because they would take too long."""
    failed: int = 0


@dataclass(frozen=True, slots=True)
class BenchResult:
    """All that was measured; times are seconds."""

    model: str
    device: Device
    sample: Sample
    stages: Mapping[str, float]
    """The time of one process for a recording, by stage; `rest` is what is no stage of its own."""
    reading: float | None
    """For a recording from the disk, with nothing of it in memory; None for synthetic ones."""
    throughputs: Sequence[Throughput]
    batches: Mapping[int, float]
    """The model's time for a window, by batch size."""

    @property
    def best_jobs(self) -> int:
        """The fewest processes that are nearly as fast as the fastest."""
        fastest = max(each.recordings_per_second for each in self.throughputs)
        return min(
            each.jobs
            for each in self.throughputs
            if each.recordings_per_second >= GOOD_ENOUGH * fastest
        )

    @property
    def best_throughput(self) -> Throughput:
        """The throughput of that many processes."""
        return next(each for each in self.throughputs if each.jobs == self.best_jobs)

    @property
    def best_batch(self) -> int:
        """The batch size that is clearly faster than the default one, else the default one."""
        best, default = min(self.batches, key=self.batches.__getitem__), self.default_batch
        gain = 1 - self.batches[best] / self.batches[default]
        return best if gain > MIN_GAIN else default

    @property
    def default_batch(self) -> int:
        """The default batch size."""
        return default_batch_size(self.device)

    @property
    def bottleneck(self) -> str:
        """The stage that takes most of the time; `reading` where the disk is too slow.

        A disk is too slow where it cannot deliver recordings as fast as all processes together
        analyse them: in one process, waiting for it would still be hidden in other stages.
        """
        recording_seconds = 1 / self.best_throughput.recordings_per_second
        if self.reading is not None and self.reading > recording_seconds:
            return "reading"
        return max(self.stages, key=lambda stage: self.stages[stage])

    @property
    def shares(self) -> dict[str, float]:
        """Each stage's share of the time, the largest first."""
        total = sum(self.stages.values())
        ordered = sorted(self.stages.items(), key=lambda item: -item[1])
        return {stage: seconds / total for stage, seconds in ordered}


def run_bench(options: BenchOptions, on_step: Callable[[str], None]) -> BenchResult:
    """Measure; `on_step` is called with a description of each step before it begins."""
    bundle = load_bundle(options.settings.model)
    on_step("looking for recordings" if options.sources.paths else "making recordings")
    with bench_recordings(options.sources) as (recordings, too_large):
        reading = read_seconds(recordings) if options.sources.paths else None
        on_step("the model, by batch size")
        model_seconds = MODEL_SHARE * options.seconds
        batches = window_seconds_by_batch_size(options.settings, recordings, model_seconds)
        counts = jobs_to_try(options.jobs or available_cpus())
        seconds = (options.seconds - model_seconds) / len(counts)
        measured: dict[int, Measurement] = {}
        for jobs in counts:
            on_step("1 process" if jobs == 1 else f"{jobs} processes")
            measured[jobs] = measure_workers(options.settings, recordings, jobs, seconds)
        # With one process nothing waits for processors or memory: its stages are the work itself.
        single = measured[1]
        _require_success(single, recordings)
    return BenchResult(
        model=bundle.name,
        device=options.settings.device,
        sample=Sample(
            count=len(recordings),
            mean_seconds=single.audio_seconds / single.recordings,
            synthetic=not options.sources.paths,
            too_large=too_large,
            failed=len(single.failed),
        ),
        stages=_stages(single),
        reading=reading,
        throughputs=tuple(_throughput(jobs, each) for jobs, each in measured.items()),
        batches=batches,
    )


def jobs_to_try(max_jobs: int) -> list[int]:
    """Return the numbers of processes to measure: powers of two, and the largest.

    >>> jobs_to_try(1), jobs_to_try(2), jobs_to_try(12)
    ([1], [1, 2], [1, 2, 4, 8, 12])
    """
    powers = [2**power for power in range(max_jobs.bit_length()) if 2**power < max_jobs]
    return [*powers, max_jobs]


def _require_success(single: Measurement, recordings: Sequence[Recording]) -> None:
    if len(single.failed) == len(recordings):
        reason, _ = Counter(single.failed.values()).most_common(1)[0]
        raise BatchemoError(
            f"all recordings failed, most of them as `{reason}`: name others to measure on"
        )


def _stages(single: Measurement) -> dict[str, float]:
    stages = {name: seconds / single.recordings for name, seconds in single.stages.items()}
    rest = single.seconds / single.recordings - sum(stages.values())
    # Stages are added up in the worker and the whole in the parent: their clocks may disagree.
    return {**stages, "rest": max(0.0, rest)}


def _throughput(jobs: int, measured: Measurement) -> Throughput:
    return Throughput(
        jobs, measured.recordings / measured.seconds, measured.audio_seconds / measured.seconds
    )
