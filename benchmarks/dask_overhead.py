"""Measures what a Dask cluster costs beyond processes of this machine, as a ratio in one run.

    python benchmarks/dask_overhead.py RAVDESS

The same recordings are scanned by 2 processes of this machine and by 2 workers of a Dask cluster on
it, in turn. Both are measured from the moment when some chunks are done, since a cluster keeps its
processes from scan to scan, and then by the recording. Processor time is that of all processes; it
depends less than the clock on what else the machine does.

With `--empty 10000`, so many chunks without work are measured instead: what each costs the
scheduler, and whether its memory grows.
"""

from __future__ import annotations

import argparse
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

import psutil

from batchemo.batch import plan
from batchemo.batch.events import Event, Progressed
from batchemo.batch.options import ScanOptions
from batchemo.batch.scan import run_scan
from batchemo.inference.settings import ModelSettings
from batchemo.sources import Recording, SourceOptions
from batchemo.workers.dask_executor import DaskExecutor, scheduler_address
from batchemo.workers.dispatcher import run_chunks
from batchemo.workers.executor import Chunk, ChunkResult
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
        if options.empty:
            measure_empty(process, address, options.empty)
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
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        address = process.stdout.readline().strip().replace("tcp://", "dask://")
        yield psutil.Process(process.pid), address
    finally:
        process.stdin.close()
        process.wait()


def no_work(recordings: Sequence[Recording]) -> ChunkResult[None]:
    return ChunkResult((None,) * len(recordings))


def measure_empty(scheduler: psutil.Process, address: str, count: int) -> None:
    """Print what chunks without work cost; the scheduler's memory from a fifth of them on."""
    finished = run_chunks(
        (Chunk(number, (Recording("/", str(number), None, None),)) for number in range(count)),
        no_work,
        lambda recording, reason, detail: None,
        workers=0,
        timeout=0,
        executor=partial(DaskExecutor, scheduler_address(address), Requirements(), 0),
    )
    first, own, memory = scheduler.cpu_times(), time.process_time(), 0
    for number, _ in enumerate(finished):
        if number == count // 5:
            memory = scheduler.memory_info().rss
    last, own = scheduler.cpu_times(), time.process_time() - own
    spent = last.user + last.system - first.user - first.system
    print(
        f"{count:,} chunks without work: {spent / count * MILLISECONDS:.2f} ms of the scheduler's"
        f" processor for each, {own / count * MILLISECONDS:.2f} ms of the parent's; the scheduler's"
        f" memory grew by {(scheduler.memory_info().rss - memory) / 2**20:.1f} MB"
    )


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
    parser.add_argument("--empty", type=int, metavar="N", help="measure N chunks without work")
    parser.add_argument("-m", "--model", default="default", help="the model")
    return parser.parse_args()


if __name__ == "__main__":
    main()
