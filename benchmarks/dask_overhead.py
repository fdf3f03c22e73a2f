"""Measures what a Dask cluster costs beyond processes of this machine, as a ratio in one run.

    python benchmarks/dask_overhead.py RAVDESS

The same recordings are scanned by 2 processes of this machine and by 2 workers of a Dask cluster on
it, in turn. Both are measured from the moment when some chunks are done, since a cluster keeps its
processes from scan to scan, and then by the recording. Processor time is that of all processes; it
depends less than the clock on what else the machine does.

With `--free 1000`, so many chunks are measured instead whose results cost next to nothing: what a
chunk costs either executor, in processor time. That tells more on a machine that has other work.
With `--memory 110000`, so many chunks of one recording go through one scheduler; its memory and
that of this process are printed on the way.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from batchemo.batch import plan
from batchemo.batch.events import Event, Progressed
from batchemo.batch.options import ScanOptions
from batchemo.batch.scan import run_scan
from batchemo.inference.settings import ModelSettings
from batchemo.sources import Recording, SourceOptions
from batchemo.workers.dask_executor import DaskExecutor, scheduler_address
from batchemo.workers.dispatcher import FinishedChunk, run_chunks
from batchemo.workers.executor import Chunk, ChunkResult, ExecutorFactory
from batchemo.workers.remote_work import Requirements

WORKERS = 2
STARTED = 0.2
"""The share of the recordings after which a run is measured."""
MILLISECONDS, MICROSECONDS = 1e3, 1e6
_CLUSTER = """
import sys
from distributed import LocalCluster

with LocalCluster(n_workers=int(sys.argv[1]), threads_per_worker=1, dashboard_address=':0') as it:
    print(it.scheduler_address, flush=True)
    sys.stdin.read()
"""


@dataclass
class Mark:
    """A moment in a scan: recordings that are done, and seconds of three clocks."""

    done: int
    clock: float
    processor: float
    """Of this process and all that it has started."""
    parent: float

    def since(self, first: Mark) -> Mark:
        """Return the seconds for each recording since another moment."""
        done = self.done - first.done
        return Mark(
            done,
            (self.clock - first.clock) / done,
            (self.processor - first.processor) / done,
            (self.parent - first.parent) / done,
        )


def main() -> None:
    options = _options()
    plan.FILES_PER_CHUNK = plan.LEAST_FILES = options.chunk
    local, dask = list[Mark](), list[Mark]()
    with cluster() as (process, address), tempfile.TemporaryDirectory() as folder:
        if options.free:
            measure_free(process, address, options)
            return
        if options.memory:
            measure_memory(process, address, options.memory)
            return
        for _ in range(options.rounds):
            local.append(measure(options, folder, None))
            dask.append(measure(options, folder, address))
    print(f"{options.rounds} rounds, at most {options.chunk} recordings a chunk")
    for name in ("processor", "clock"):
        ratios = [
            (getattr(there, name) / getattr(here, name) - 1) * 100
            for here, there in zip(local, dask, strict=True)
        ]
        print(
            f"{name}: {median(ratios):+.1f} % over the local executor ({min(ratios):+.1f} to"
            f" {max(ratios):+.1f})"
        )
    for name, marks in (("local", local), ("dask", dask)):
        processor, parent = (
            median(getattr(mark, kind) for mark in marks) for kind in ("processor", "parent")
        )
        print(
            f"{name}: {processor * MILLISECONDS:.2f} ms of processor time a recording, of which"
            f" {parent * MICROSECONDS:.0f} µs in the parent"
        )


@contextmanager
def cluster() -> Iterator[tuple[psutil.Process, str]]:
    """Start a cluster; yield the process of its scheduler, and the address."""
    process = subprocess.Popen(
        [sys.executable, "-c", _CLUSTER, str(WORKERS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        address = process.stdout.readline().strip().replace("tcp://", "dask://")
        yield psutil.Process(process.pid), address
    finally:
        process.stdin.close()
        process.wait()


def made_up(recordings: Sequence[Recording]) -> ChunkResult[Any]:
    """Return results of the usual size."""
    from parent import FreeExecutor

    results = FreeExecutor()
    return ChunkResult(tuple((results.result(recording),) for recording in recordings))


def measure_free(scheduler: psutil.Process, address: str, options: argparse.Namespace) -> None:
    """Print what a chunk costs."""
    spent: dict[str, list[float]] = {"local": [], "dask": []}
    for _ in range(options.rounds):
        for name, executor in (("local", None), ("dask", dask_executor(address))):
            spent[name].append(time_free(options.free, options.chunk, executor))
    before, own = scheduler.cpu_times(), time.process_time()
    time_free(options.free, options.chunk, dask_executor(address))
    after, own = scheduler.cpu_times(), time.process_time() - own
    of_scheduler = after.user + after.system - before.user - before.system
    local, there = (median(spent[name]) * MILLISECONDS for name in ("local", "dask"))
    print(
        f"{options.free:,} chunks of {options.chunk} results: {local:.1f} ms of processor time for"
        f" each with local processes, {there:.1f} on a cluster; there"
        f" {of_scheduler / options.free * MILLISECONDS:.2f} ms in the scheduler,"
        f" {own / options.free * MILLISECONDS:.2f} in the parent"
    )


def measure_memory(scheduler: psutil.Process, address: str, count: int) -> None:
    """Print the memory of the scheduler and of this process after each tenth of the chunks."""
    finished = run_free(count, 1, dask_executor(address))
    for number, _ in enumerate(finished, 1):
        if number % (count // 10) == 0:
            memory = (
                process.memory_info().rss / 2**20 for process in (scheduler, psutil.Process())
            )
            print("{:,} chunks: scheduler {:.1f} MB, parent {:.1f} MB".format(number, *memory))


def dask_executor(address: str) -> ExecutorFactory:
    return partial(DaskExecutor, scheduler_address(address), Requirements(), 0)


def run_free(
    count: int, size: int, executor: ExecutorFactory | None
) -> Iterator[FinishedChunk[Any]]:
    """Have chunks worked on that cost next to nothing."""
    chunks = (
        Chunk(number, tuple(Recording("/data", f"{n}.wav", 1, 0) for n in range(size)))
        for number in range(count)
    )
    return run_chunks(
        *(chunks, made_up, lambda recording, reason, detail: None),
        workers=WORKERS,
        timeout=0,
        executor=executor,
    )


def time_free(count: int, size: int, executor: ExecutorFactory | None) -> float:
    """Return the processor time of a chunk, without the start of the processes."""
    first, times = count // 5, []
    for number, _ in enumerate(run_free(count, size, executor), 1):
        # While all processes are there: those that have ended are not counted.
        if number in (first, count):
            times.append(processor_time())
    return (times[1] - times[0]) / (count - first)


def processor_time() -> float:
    """Return the seconds that this process and all that it has started have taken."""
    own = psutil.Process()
    seconds = 0.0
    for process in (own, *own.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            seconds += times.user + times.system
    return seconds


def measure(options: argparse.Namespace, folder: str, executor: str | None) -> Mark:
    """Scan; return what a recording took from `STARTED` of them on."""
    marks: list[Mark] = []

    def note(event: Event) -> None:
        if isinstance(event, Progressed):
            moment = time.perf_counter(), processor_time(), time.process_time()
            marks.append(Mark(event.done, *moment))

    scan = ScanOptions(
        sources=SourceOptions(paths=(str(options.recordings),)),
        settings=(ModelSettings(options.model),),
        output=str(Path(folder, "results.parquet")),
        jobs=WORKERS,
        overwrite=True,
        executor=executor,
    )
    run_scan(scan, note)
    last = marks[-1]
    return last.since(next(mark for mark in marks if mark.done >= STARTED * last.done))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("recordings", type=Path, help="a folder of a thousand recordings or more")
    parser.add_argument("--rounds", type=int, default=5, help="scans of each to measure")
    parser.add_argument("--chunk", type=int, default=64, help="recordings in a chunk, at most")
    parser.add_argument("--free", type=int, metavar="N", help="measure N chunks without work")
    parser.add_argument("--memory", type=int, metavar="N", help="watch memory for N chunks")
    parser.add_argument("-m", "--model", default="default", help="the model")
    return parser.parse_args()


if __name__ == "__main__":
    main()
