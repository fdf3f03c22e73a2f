"""Measures what a recording costs the parent process of a scan, with workers that cost nothing.

    python benchmarks/parent.py --files 20000

Empty files are found, planned, dispatched, and their rows stored and written, as by `batchemo
scan`. In the place of workers is an executor that returns made-up results; what it takes to make
them and to pickle them is subtracted, what it takes to unpickle them is the parent's. The figure
is processor time, the median of `--rounds`; `--profile` prints where it goes.
"""

from __future__ import annotations

import argparse
import cProfile
import pickle
import pstats
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from batchemo.batch.options import ScanOptions
from batchemo.batch.scan import run_scan
from batchemo.inference.settings import ModelSettings
from batchemo.sources import Recording, SourceOptions
from batchemo.tables.rows import RecordingResult, WindowResults
from batchemo.workers.executor import ChunkResult

FILES_A_FOLDER = 1000
MICROSECONDS = 1e6


class FreeExecutor:
    """Returns a made-up result for every recording, and counts the time that this takes."""

    alive = True
    workers = 1
    seconds = 0.0
    """Of all executors: a scan opens its own."""

    def __init__(self, workers: int = 1) -> None:
        self._probabilities = np.full(8, 0.125, np.float32)

    def submit(self, work: Callable[..., Any], chunk: Sequence[Recording]) -> Future[Any]:
        began = time.thread_time()
        content = pickle.dumps(
            ChunkResult(tuple((self.result(each),) for each in chunk), {"decode": 0.1})
        )
        FreeExecutor.seconds += time.thread_time() - began
        future = Future[Any]()
        future.set_result(pickle.loads(content))
        return future

    def result(self, recording: Recording) -> RecordingResult:
        """Return what a worker might have found in a recording."""
        windows = WindowResults(np.zeros(1), np.ones(1), self._probabilities[None])
        return RecordingResult(
            *(recording.root, recording.file),
            probabilities=self._probabilities.copy(),
            windows=windows,
            duration=1.0,
            sample_rate=48000,
            channels=1,
            rms_db=-30.0,
            clipped=0.0,
            silence=0.1,
            size=recording.size,
            mtime_ns=recording.mtime_ns,
        )

    def shutdown(self, *, kill: bool) -> None:
        """Do nothing: no work is left."""


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        few, many = Path(folder, "few"), Path(folder, "many")
        make_files(few, 1)
        make_files(many, options.files)
        measure(few, options.model)  # Imports, and all that is cached.
        rounds = []
        for _ in range(options.rounds):
            start, whole = measure(few, options.model), measure(many, options.model)
            rounds.append((whole - start) / (options.files - 1) * MICROSECONDS)
        print(
            f"{median(rounds):.1f} µs of processor time a recording in the parent "
            f"({min(rounds):.1f} to {max(rounds):.1f}, {options.files:,} files)"
        )
        if options.profile:
            profile = cProfile.Profile(time.thread_time)
            profile.runcall(measure, many, options.model)
            pstats.Stats(profile).sort_stats(options.profile).print_stats(40)


def make_files(folder: Path, count: int) -> None:
    for number in range(count):
        path = folder / f"{number // FILES_A_FOLDER:03d}" / f"{number:06d}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def measure(folder: Path, model: str) -> float:
    """Return the processor time of a scan without that of its executor."""
    output = folder.with_suffix(".parquet")
    options = ScanOptions(
        sources=SourceOptions(paths=(str(folder),)),
        settings=(ModelSettings(model),),
        output=str(output),
        overwrite=True,
    )
    FreeExecutor.seconds, began = 0.0, time.thread_time()
    run_scan(options, executor=FreeExecutor)
    return time.thread_time() - began - FreeExecutor.seconds


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--files", type=int, default=20_000, help="files to scan")
    parser.add_argument("--rounds", type=int, default=5, help="scans to measure")
    parser.add_argument("-m", "--model", default="default", help="whose labels the tables have")
    parser.add_argument(
        "--work", type=Path, help="where the files are made; the default is $TMPDIR"
    )
    parser.add_argument(
        "--profile", nargs="?", const="tottime", help="print a profile, sorted by this"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
