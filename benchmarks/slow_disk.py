"""Measures what a scan loses to a disk on which every file takes some time to open.

    python benchmarks/slow_disk.py RECORDINGS --milliseconds 20

A library that is loaded before the C library (it needs a C compiler) makes every call that opens a
file below the folder sleep first. Each round scans all recordings with and without it, and a few
recordings to subtract the start. The median of the ratios of the rounds counts. The exit code is 1
if it is more than `--most`, or if the two tables are not the same bytes.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from speed.commands import BATCHEMO, run
from speed.corpora import FEW, Folder, measure_folder, part_of
from speed.results import Cost, ratios

SLEEPER = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void wait_for(const char *path) {
    const char *folder = getenv("SLEEP_BELOW");
    if (folder && strncmp(path, folder, strlen(folder)) == 0)
        usleep(atoi(getenv("SLEEP_MICROSECONDS")));
}

#define OPEN(name)                                                      \
    int name(const char *path, int flags, ...) {                        \
        static int (*next)(const char *, int, ...);                     \
        if (!next) next = dlsym(RTLD_NEXT, #name);                      \
        va_list rest;                                                   \
        va_start(rest, flags);                                          \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
        va_end(rest);                                                   \
        wait_for(path);                                                 \
        return next(path, flags, mode);                                 \
    }

OPEN(open)
OPEN(open64)
"""


def main() -> int:
    options = _options()
    work = options.work.resolve()
    whole = measure_folder(options.recordings.resolve())
    few = part_of(whole, FEW, work / "few")
    library = build_sleeper(work)
    costs: dict[int, list[Cost]] = {0: [], options.milliseconds: []}
    for number in range(options.rounds):
        # The order alternates, so that a machine that warms up or slows down favours neither.
        for milliseconds in sorted(costs, reverse=bool(number % 2)):
            small, large = (
                scan_seconds(folder, milliseconds, library, options) for folder in (few, whole)
            )
            cost = Cost.from_runs((few.recordings, small), (whole.recordings, large))
            costs[milliseconds].append(cost)
            progress = f"round {number + 1}, {milliseconds} ms: {1 / cost.per_recording:.1f}"
            print(f"{progress} recordings/s", file=sys.stderr, flush=True)
    fast, slow = ([cost.per_recording for cost in each] for each in costs.values())
    ratio = ratios(fast, slow)
    span = f"{ratio.minimum:.3f} to {ratio.maximum:.3f}"
    print(f"{options.milliseconds} ms a file over none: {ratio.median:.3f} ({span})")
    tables = {table_path(work, milliseconds).read_bytes() for milliseconds in costs}
    print("the tables are the same bytes" if len(tables) == 1 else "the tables differ")
    return int(ratio.median > options.most or len(tables) > 1)


def build_sleeper(work: Path) -> Path:
    library = work / "sleeper.so"
    command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), "-x", "c", "-", "-ldl"]
    subprocess.run(command, input=SLEEPER, text=True, check=True)
    return library


def scan_seconds(
    folder: Folder, milliseconds: int, library: Path, options: argparse.Namespace
) -> float:
    output = table_path(options.work.resolve(), milliseconds)
    sleeper = [
        f"LD_PRELOAD={library}",
        f"SLEEP_BELOW={folder.path}/",
        f"SLEEP_MICROSECONDS={1000 * milliseconds}",
    ]
    scan = ["scan", str(folder.path), "--ext", "audio", "-m", options.model]
    scan += ["-j", options.jobs, "-o", str(output), "--overwrite", "-q"]
    return run(["env", *(sleeper if milliseconds else ()), *BATCHEMO, *scan]).seconds


def table_path(work: Path, milliseconds: int) -> Path:
    return work / f"{milliseconds}.parquet"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("recordings", type=Path, help="a folder of recordings")
    parser.add_argument("--milliseconds", type=int, default=20, help="what a file takes to open")
    parser.add_argument("-m", "--model", default="default")
    parser.add_argument("-j", "--jobs", default="auto", help="worker processes")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--most", type=float, default=1.3, help="the ratio that is tolerated")
    parser.add_argument("--work", type=Path, default=Path("slow.work"), help="the work folder")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    return options


if __name__ == "__main__":
    sys.exit(main())
