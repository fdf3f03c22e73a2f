"""Measures what a million recordings cost beside their analysis: a plan, a parent, a merge.

    python benchmarks/scale.py --files 1000000

Hard links to a few empty files are planned, scanned with results that cost nothing (as in
parent.py), as a whole, into a partitioned table, and in shards, which are merged, in turn with only
reading and writing them. An update finds nothing new. Times are processor times, which depend less
than the clock on what else the machine does; memory is the peak of a process that does nothing
else. The figures in docs/scale.md are of this.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow.parquet as pq
from parent import FILES_A_FOLDER, FreeExecutor

from batchemo.batch.options import ScanOptions
from batchemo.batch.scan import run_scan
from batchemo.batch.shards import make_plan, merge_shards, with_shard_outputs
from batchemo.inference.settings import ModelSettings
from batchemo.sources import SourceOptions
from batchemo.sources.plan_file import Shard

LINKS_A_FILE = 50_000
"""Some file systems allow 65,000."""
FEW = 10_000
MICROSECONDS, MEGABYTE = 1e6, 1e6
SAMPLING_INTERVAL = 0.1
"""Seconds."""


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        work = Path(folder)
        measure_scans(work, options)
        merged, shards = work / "merged.parquet", work / "shards"
        rounds = []
        for _ in range(options.rounds):
            merging = report("merge", options.files, merge, shards, merged)
            copying = report("read and write", options.files, copy, shards, work / "copy")
            rounds.append(merging / copying)
        ratio = f"{median(rounds):.2f} ({min(rounds):.2f} to {max(rounds):.2f})"
        print(f"a merge takes {ratio} times what reading and writing takes")
        same = (work / "many-results.parquet").read_bytes() == merged.read_bytes()
        print(f"merged and whole are {'equal' if same else 'different'}")


def measure_scans(work: Path, options: argparse.Namespace) -> None:
    """Plan, scan, update, and scan in shards."""
    for name, count in (("few", FEW), ("many", options.files)):
        files, plan, results = (
            work / f"{name}{end}" for end in ("", ".parquet", "-results.parquet")
        )
        make_links(files, count)
        report("plan", count, make, files, plan)
        report("plan of a list", count, make_of_list, plan, work / f"{name}-list.parquet")
        report("scan", count, scan, files, results)
        report("update", count, update, files, results)
        report("partitioned", count, scan_parts, files, work / f"{name}-parts")
    report("shards", options.files, scan_shards, plan, work / "shards", options.shards)


def report(title: str, count: int, job: Callable[..., Any], *details: Any) -> float:
    """Do a job in a process of its own; print its processor time, which is returned, and memory."""
    seconds, memory, own = measured(job, *details)
    print(
        f"{title}, {count:,} recordings: {seconds / count * MICROSECONDS:.2f} µs each,"
        f" {memory / MEGABYTE:.0f} MB, {own / MEGABYTE:.0f} MB without mapped files",
        flush=True,
    )
    return seconds


def make_links(folder: Path, count: int) -> None:
    """Make files that are hard links, a thousand to a folder."""
    first = folder
    for number in range(count):
        path = folder / f"{number // FILES_A_FOLDER:04d}" / f"{number:07d}.wav"
        if number % FILES_A_FOLDER == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
        if number % LINKS_A_FILE == 0:
            first = path
            path.touch()
        else:
            os.link(first, path)


def measured(job: Callable[..., Any], *details: Any) -> tuple[float, int, int]:
    """Return the processor seconds and the peak memory of a job, and that without mapped files."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_report, args=(theirs, job, *details))
    process.start()
    theirs.close()
    result: tuple[float, int, int] = ours.recv()
    process.join()
    return result


def _report(pipe: Any, job: Callable[..., Any], *details: Any) -> None:
    peaks = [0]
    ended = threading.Event()
    sampler = threading.Thread(target=_sample, args=(ended, peaks))
    sampler.start()
    began, FreeExecutor.seconds = time.process_time(), 0.0
    job(*details)
    spent = time.process_time() - began - FreeExecutor.seconds
    ended.set()
    sampler.join()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    pipe.send((spent, memory, max(peaks)))


def _sample(ended: threading.Event, sizes: list[int]) -> None:
    """Collect how much memory this process has that is not of files, which has no peak."""
    while not ended.wait(SAMPLING_INTERVAL):
        lines = Path("/proc/self/status").read_text().splitlines()
        sizes += [int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:")]


def make(folder: Path, plan: Path) -> None:
    make_plan(SourceOptions(paths=(str(folder),)), str(plan))


def make_of_list(plan: Path, output: Path) -> None:
    """Make a plan of a list of what another plan lists."""
    names = output.with_suffix(".txt")
    with open(names, "w") as stream:
        for batch in pq.ParquetFile(plan).iter_batches(columns=["root", "file"]):
            stream.writelines(f"{row['root']}/{row['file']}\n" for row in batch.to_pylist())
    make_plan(SourceOptions(files_from=str(names)), str(output))


def update(folder: Path, output: Path) -> None:
    sources = SourceOptions(paths=(str(folder),))
    options = ScanOptions(sources, (ModelSettings(),), output=str(output), update=True)
    run_scan(options, executor=FreeExecutor)


def scan(folder: Path, output: Path) -> None:
    sources = SourceOptions(paths=(str(folder),))
    run_scan(ScanOptions(sources, (ModelSettings(),), output=str(output)), executor=FreeExecutor)


def scan_parts(folder: Path, output: Path) -> None:
    """Scan into a partitioned table with a file for each of the folders, of 1,000 recordings."""
    sources = SourceOptions(paths=(str(folder),))
    options = ScanOptions(sources, (ModelSettings(),), output=str(output), partition_by="folder")
    run_scan(options, executor=FreeExecutor)


def scan_shards(plan: Path, folder: Path, count: int) -> None:
    for number in range(1, count + 1):
        sources = SourceOptions(plan=str(plan), shard=Shard(number, count))
        options = ScanOptions(sources, (ModelSettings(),), output=str(folder))
        run_scan(with_shard_outputs(options), executor=FreeExecutor)


def merge(folder: Path, output: Path) -> None:
    merge_shards(folder, str(output), overwrite=True)


def copy(folder: Path, output: Path) -> None:
    """Read all tables, and write their rows to one as they are: the least that a merge can do."""
    files = sorted(folder.glob("*.parquet"))
    with pq.ParquetWriter(output, pq.read_schema(files[0]), compression="zstd") as writer:
        for file in files:
            writer.write_table(pq.read_table(file))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--files", type=int, default=1_000_000, help="recordings of the large run")
    parser.add_argument("--shards", type=int, default=100, help="shards to scan and to merge")
    parser.add_argument("--rounds", type=int, default=5, help="merges to measure")
    parser.add_argument("--work", type=Path, help="where files are made; the default is $TMPDIR")
    return parser.parse_args()


if __name__ == "__main__":
    main()
