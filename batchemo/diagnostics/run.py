"""A whole bench, from its options to its findings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from batchemo.bundles import load_bundle
from batchemo.diagnostics.findings import Findings, Pace, Sample
from batchemo.diagnostics.net import batch_times
from batchemo.diagnostics.options import BenchOptions
from batchemo.diagnostics.pace import Measured, measure
from batchemo.diagnostics.sample import reading_time, recordings_for
from batchemo.errors import BatchemoError
from batchemo.sources import Recording
from batchemo.workers.executor import available_cpus

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
