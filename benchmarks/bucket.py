"""Measures what a scan loses to a bucket that takes some time to answer, and what memory it takes.

    python benchmarks/bucket.py RECORDINGS --files 20000 --milliseconds 20

Short cuts of the recordings are scanned from the disk and from a server of S3 on this machine,
whose processor time the scan lacks, a twentieth of them and all. The median of the ratios of the
rounds counts. The exit code is 1 if the speed is less than `--least` of that from the disk, if a
process needs more than `--memory` MB more for all than for a twentieth, or if rows differ.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow.parquet as pq
from speed.commands import BATCHEMO, BENCHMARKS, Measurement, run
from speed.corpora import Folder, make_corpora
from speed.object_server import BUCKET
from speed.results import Cost, ratios

SIDES = ("disk", "bucket")


def main() -> int:
    options = _options()
    corpora = make_corpora(
        options.recordings.resolve(), options.work.resolve(), short=options.files, hours=0
    )
    folders = (corpora.thousand, corpora.short)
    costs: dict[str, list[Cost]] = {side: [] for side in SIDES}
    memory: dict[str, list[int]] = {}
    for number in range(options.rounds):
        # The order alternates, so that a machine that warms up or slows down favours neither.
        for side in sorted(SIDES, reverse=bool(number % 2)):
            few, all_ = (measure(folder, side, options) for folder in folders)
            runs = ((few, corpora.thousand), (all_, corpora.short))
            costs[side].append(
                Cost.from_runs(*((folder.recordings, taken.seconds) for taken, folder in runs))
            )
            memory[side] = [
                all_.parent_memory - few.parent_memory,
                all_.worker_memory - few.worker_memory,
            ]
            rate = 1 / costs[side][-1].per_recording
            print(
                f"round {number + 1}, {side}: {rate:.0f} recordings/s, parent"
                f" {few.parent_memory / 2**20:.0f} and {all_.parent_memory / 2**20:.0f} MB, workers"
                f" {few.worker_memory / 2**20:.0f} and {all_.worker_memory / 2**20:.0f} MB",
                file=sys.stderr,
                flush=True,
            )
    disk, bucket = ([cost.per_recording for cost in costs[side]] for side in SIDES)
    ratio = ratios(bucket, disk)
    span = f"{ratio.minimum:.2f} to {ratio.maximum:.2f}"
    print(f"speed from the bucket over that from the disk: {ratio.median:.2f} ({span})")
    tables = [rows(table_path(options, side)) for side in SIDES]
    same = tables[0].equals(tables[1])
    print("the rows are the same" if same else "the rows differ")
    flat = max(memory["bucket"]) < options.memory * 2**20
    return int(ratio.median < options.least or not same or not flat)


def rows(path: Path) -> object:
    return pq.read_table(path).drop_columns(["root", "mtime", "etag"])


def measure(folder: Folder, side: str, options: argparse.Namespace) -> Measurement:
    with served(folder.path, options.milliseconds) as environment:
        source = str(folder.path) if side == "disk" else f"s3://{BUCKET}"
        scan = ["scan", source, "-m", options.model, "-j", options.jobs, "--overwrite", "-q"]
        output = ["-o", str(table_path(options, side))]
        return run(["env", *environment, *BATCHEMO, *scan, *output])


@contextmanager
def served(folder: Path, milliseconds: float) -> Iterator[list[str]]:
    """Serve a folder as a bucket; yield the variables by which it is found."""
    command = [sys.executable, "-m", "speed.object_server", str(folder)]
    server = subprocess.Popen(
        [*command, "--milliseconds", str(milliseconds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(BENCHMARKS)},
    )
    assert server.stdout is not None
    port = server.stdout.readline().strip()
    yield [
        f"AWS_ENDPOINT_URL=http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID=key",
        "AWS_SECRET_ACCESS_KEY=secret",
    ]
    server.communicate()


def table_path(options: argparse.Namespace, side: str) -> Path:
    return options.work.resolve() / f"{side}.parquet"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("recordings", type=Path, help="a folder of recordings")
    parser.add_argument("--files", type=int, default=20_000, help="how many objects there are")
    parser.add_argument("--milliseconds", type=float, default=20, help="what a request takes")
    parser.add_argument("-m", "--model", default="default")
    parser.add_argument("-j", "--jobs", default="2", help="worker processes")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--least", type=float, default=0.7, help="the ratio that is asked for")
    parser.add_argument("--memory", type=int, default=50, help="MB that are tolerated")
    parser.add_argument("--work", type=Path, default=Path("bucket.work"), help="the work folder")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
