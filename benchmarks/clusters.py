"""Compares a scan with scans in shards and on a Dask cluster whose processes are killed: bytes.

    python benchmarks/clusters.py RAVDESS RAVDESS_SONG --files 1440

One of the recordings kills whoever decodes it. The same recordings are scanned by processes of this
machine; by four shards in processes of their own, one of which is killed and runs again; by a
cluster of two workers with a thread each that nothing befalls; and by one whose workers are killed
every few seconds, and once its scheduler with all of them, while the scan goes on. The last cluster
ends while a scan runs and the scan is killed: the same command goes on from what was finished.
A shard of another model must be refused. The exit code is 1 unless all tables have the same bytes.
"""

from __future__ import annotations

import argparse
import filecmp
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow.parquet as pq
from speed.commands import BATCHEMO, environment
from speed.corpora import audio_files, link, make_once

sys.path.append(str(Path(__file__).parents[1] / "tests" / "helpers"))

from dask_cluster import DaskCluster, dask_cluster
from scan_commands import POISON, wait_for_chunk

SHARDS = 4
KILLED_SHARD = 2
FAILED = 3
"""The exit code of a scan whose only fault is a recording that could not be analysed."""
WRONG_USAGE = 2
POISONED = "zz kill"
"""The name makes the decoder of tests/helpers/poison kill its process."""


class Bench:
    """A folder with recordings, and the tables that are made of them."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options, self.work = options, options.work.resolve()
        self._corpus = self.work / f"recordings-{options.files}"
        self.whole = self.work / "whole.parquet"
        make_once(self._corpus, self._make_corpus)

    def _make_corpus(self, target: Path) -> None:
        files = [file for folder in self._options.recordings for file in audio_files(folder)]
        link(files[: self._options.files - 1], target)
        shutil.copyfile(files[-1], target / f"{POISONED}{files[-1].suffix}")

    def start(self, *words: object, model: str | None = None) -> subprocess.Popen[bytes]:
        """Start a scan whose processes may be killed by a recording."""
        command = [*BATCHEMO, "scan", "-m", model or self._options.model, "-q", *map(str, words)]
        path = f"{POISON}{os.pathsep}{environment()['PYTHONPATH']}"
        return subprocess.Popen(
            command, env={**environment(), "PYTHONPATH": path}, stderr=subprocess.PIPE
        )

    def scan_here(self) -> None:
        finish(self.start(self._corpus, "-o", self.whole, "-j", "2"))
        failed = pq.read_table(self.whole, filters=[("status", "=", "failed")])
        names = dict(zip(failed["file"].to_pylist(), failed["reason"].to_pylist(), strict=True))
        print(f"{pq.read_metadata(self.whole).num_rows:,} rows, of which failed: {names}")

    def same(self, title: str, table: Path) -> bool:
        equal = filecmp.cmp(table, self.whole, shallow=False)
        print(f"{title}: the bytes are {'the same' if equal else 'DIFFERENT'}", flush=True)
        return equal

    def scan_shards(self) -> bool:
        """Scan in shards at once, kill one and run it again, and merge them."""
        plan, merged = self.work / "plan.parquet", self.work / "merged.parquet"
        shards = self.work / "shards"
        subprocess.run([*BATCHEMO, "plan", self._corpus, "-o", plan], check=True)

        def start(number: int, *words: str, model: str | None = None) -> subprocess.Popen[bytes]:
            part = ("--plan", plan, "--shard", f"{number}/{SHARDS}", "-j", "1")
            return self.start(*part, "-o", shards, *words, model=model)

        running = {number: start(number) for number in range(1, SHARDS + 1)}
        killed = running.pop(KILLED_SHARD)
        wait_for_chunk(shards / f"{KILLED_SHARD:05}-of-{SHARDS:05}.parquet")
        killed.kill()
        killed.wait()
        for number, process in running.items():
            finish(process, FAILED if number == SHARDS else 0)
        merge = [*BATCHEMO, "merge", shards, "-o", merged]
        told = subprocess.run(merge, capture_output=True, text=True)
        missing = told.returncode == 1 and f"missing: {KILLED_SHARD}/{SHARDS}" in told.stderr
        print("merge names the shard that was killed" if missing else told.stderr)
        finish(start(KILLED_SHARD), 0)
        subprocess.run(merge, check=True)
        same = self.same(f"{SHARDS} shards, one killed and run again, merged", merged)
        finish(start(1, "--overwrite", model=self._options.other), 0)
        told = subprocess.run([*merge, "--overwrite"], capture_output=True, text=True)
        refused = told.returncode == WRONG_USAGE and "another model or options" in told.stderr
        print(f"a shard of another model is {'refused' if refused else 'NOT REFUSED'}", flush=True)
        return missing and same and refused

    def scan_on_cluster(self) -> bool:
        table = self.work / "cluster.parquet"
        with dask_cluster() as cluster:
            finish(self.start(self._corpus, "-o", table, "--executor", cluster.address))
        return self.same("a Dask cluster that nothing befalls", table)

    def scan_on_killed_cluster(self) -> bool:
        """Scan on a cluster that loses its workers again and again, and once all of it."""
        table = self.work / "killed.parquet"
        with dask_cluster() as cluster:
            process = self.start(self._corpus, "-o", table, "--executor", cluster.address)
            wait_for_chunk(table)
            kills = self._kill_workers(process, cluster, self._options.kills)
            cluster.kill()
            print(f"{kills} workers killed, then the scheduler with all workers", flush=True)
        with dask_cluster(port=cluster.port) as second:
            kills = self._kill_workers(process, second, self._options.kills)
            print(f"{kills} workers killed after that", flush=True)
            finish(process)
        return self.same("a cluster with killed workers and a scheduler that came back", table)

    def _kill_workers(
        self, process: subprocess.Popen[bytes], cluster: DaskCluster, most: int
    ) -> int:
        """Kill a worker every few seconds while the scan runs; return how many."""
        kills = 0
        while kills < most:
            time.sleep(self._options.seconds)
            if process.poll() is not None:
                break
            for worker in cluster.workers()[kills % 2 :][:1]:
                worker.kill()
                kills += 1
        return kills

    def go_on_after_a_lost_cluster(self) -> bool:
        """Kill a cluster and the scan; the same command on another goes on."""
        table = self.work / "again.parquet"
        with dask_cluster() as cluster:
            words = (self._corpus, "-o", table, "--executor", cluster.address)
            process = self.start(*words)
            wait_for_chunk(table)
            process.kill()
            process.wait()
        chunks = len(list(table.with_name(f"{table.name}.chunks").glob("*.chunk.arrow")))
        with dask_cluster(port=cluster.port):
            finish(self.start(*words))
        return self.same(f"killed after {chunks} chunks, and run again", table)


def finish(process: subprocess.Popen[bytes], code: int = FAILED) -> None:
    _, errors = process.communicate()
    if process.returncode != code:
        raise SystemExit(f"the scan ended with {process.returncode}: {errors.decode()}")


@contextmanager
def timed(title: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    print(f"{title}: {time.perf_counter() - began:.0f} s", flush=True)


def main() -> int:
    bench = Bench(_options())
    for table in bench.work.glob("*.parquet"):
        table.unlink()
    shutil.rmtree(bench.work / "shards", ignore_errors=True)
    with timed("here"):
        bench.scan_here()
    results = []
    for scan in (
        bench.scan_shards,
        bench.scan_on_cluster,
        bench.scan_on_killed_cluster,
        bench.go_on_after_a_lost_cluster,
    ):
        with timed(scan.__name__):
            results.append(scan())
    return int(not all(results))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("recordings", type=Path, nargs="+", help="folders of recordings")
    parser.add_argument("--files", type=int, default=1440, help="how many of them")
    parser.add_argument("-m", "--model", default="accurate", help="a slow one is killed more often")
    parser.add_argument("--other", default="mfcc40", help="the model of the shard to be refused")
    parser.add_argument("--seconds", type=float, default=5, help="from one kill to the next")
    parser.add_argument("--kills", type=int, default=5, help="kills before the scheduler's")
    parser.add_argument("--work", type=Path, default=Path("clusters.work"), help="the work folder")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
