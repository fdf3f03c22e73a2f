"""Scans a bucket whose server delays, refuses and breaks off; compares the tables with a disk's.

    python benchmarks/bucket_faults.py RECORDINGS --files 20000

The objects are cuts of a second in a bucket of moto, a server of S3, on this machine; commands
reach it through a proxy. First the proxy only passes requests on: a scan, while two others want the
same output; an update that finds nothing new; one after objects were changed, removed and added.
Then every request takes 50 ms, many are refused or break off at random, and some recordings are
refused during all of a run: the same command is run by two at once, again and again, until it ends
with 0.

The exit code is 1 if a table has other rows than that of the same files on the disk, if recordings
are read again without need, if a run ends otherwise than it should, if anything is left beside the
tables, or if memory grows by more than `--memory` MB from a thousand objects to all.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import shutil
import subprocess
import sys
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from speed.commands import BATCHEMO, DONE, SOME_FAILED, MemoryMonitor, environment
from speed.corpora import audio_files, link, make_once, make_short

sys.path.append(str(Path(__file__).parents[1] / "tests" / "helpers"))

from object_server import Bucket, Proxy

FAILED, LOCKED = 1, 4
CALLS, OUT = "calls", "out"
CHANGED, REMOVED, ADDED = 0.01, 0.005, 0.005
"""The shares of the objects that are changed, removed and added before an update."""
DELAY = 0.05
FAULTS: dict[int | str, float] = {503: 0.03, "cut": 0.02, 403: 0.005}
"""The shares of all requests. A request that is denied (403) is not made again by the same run. Of
those that are not for recordings a tenth of this share is denied: most of these end the run."""
STUBBORN: dict[int, int | str] = {0: 503, 1: "cut"}
STUBBORN_OF = 2000
"""What requests for 1 of so many recordings get in all of the first run."""
MAX_ATTEMPTS = 30
BUCKET = "bucket"
KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1"}
_SERVER = """
import logging, sys
from moto.server import ThreadedMotoServer

logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""


class Faults:
    """Refuses and breaks off at random; in the first run, some recordings all the time."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.first_run = True
        self.counts: Counter[int | str] = Counter()

    def __call__(self, method: str, path: str) -> int | str | None:
        fault = self._choose(path)
        if fault is not None:
            self.counts[fault] += 1
        return fault

    def _choose(self, path: str) -> int | str | None:
        if self.first_run and path.endswith(".wav"):
            stubborn = STUBBORN.get(zlib.crc32(path.encode()) % STUBBORN_OF)
            if stubborn is not None:
                return stubborn
        (fault,) = self._random.choices(
            [*FAULTS, None], [*FAULTS.values(), 1 - sum(FAULTS.values())]
        )
        if fault == 403 and not path.endswith(".wav") and self._random.random() > 0.1:
            return None
        return fault


class Run:
    """A scan as a process of its own."""

    def __init__(self, command: list[str], endpoint: str) -> None:
        self._process = subprocess.Popen(
            command,
            env={**environment(), **KEYS, "AWS_ENDPOINT_URL": endpoint},
            stderr=subprocess.PIPE,
            text=True,
        )
        self.memory = MemoryMonitor(self._process.pid).__enter__()

    def finish(self) -> Run:
        """Wait for the end."""
        self.errors = self._process.communicate()[1]
        self.memory.__exit__()
        self.code = self._process.returncode
        return self


class Bench:
    """The recordings on the disk and in the bucket, and the scans of them."""

    def __init__(self, options: argparse.Namespace, bucket: Bucket) -> None:
        self._options, self._bucket, self._proxy = options, bucket, bucket.proxy
        self._work = options.work.resolve()
        self._folder = self._work / "recordings"
        self._source = f"{bucket.url}/{CALLS}"
        self.passed = True

    def run(self) -> None:
        """Do all of it, in this order."""
        steps = (
            *(self.make, self.scan_few, self.scan_by_three, self.update_nothing),
            *(self.update_changes, self.scan_with_faults, self.look_for_leftovers),
        )
        for step in steps:
            began = time.perf_counter()
            step()
            print(f"[{step.__name__}: {time.perf_counter() - began:.0f} s]", flush=True)

    def make(self) -> None:
        """Make the recordings, and put them into the bucket."""
        files = audio_files(self._options.recordings.resolve())
        cuts = make_once(self._work / "cuts", lambda target: make_short(files, target)).path
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir()
        link(audio_files(cuts), self._folder, self._options.files)
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(self._upload, audio_files(self._folder)))

    def scan_few(self) -> None:
        """Scan a thousand of the objects, whose memory is compared with that for all."""
        self._few = self._finish(self._start(f"{self._source}/00", "few"))

    def scan_by_three(self) -> None:
        """Scan, while a second run is refused and a third one waits."""
        self._proxy.requests.clear()
        first = self._start(self._source, "r")
        lock = ("PUT", f"/{BUCKET}/{OUT}/r.parquet.chunks/lock")
        while lock not in self._proxy.requests:
            time.sleep(0.1)
        third = self._start(self._source, "r", "--if-locked", "wait")
        second = self._start(self._source, "r").finish()
        self._check("a second run at once is refused", second.code == LOCKED)
        self._finish(first)
        self._finish(third)
        asked = Counter(self._recordings_read())
        is_once = len(asked) == self._options.files and set(asked.values()) == {1}
        self._check("the three asked for each recording once", is_once)
        self._compare("r", self._scan_disk())
        self._check_memory([self._few], [first])

    def update_nothing(self) -> None:
        before = self._bucket.get(f"{OUT}/r.parquet")
        self._update(0)
        is_same = self._bucket.get(f"{OUT}/r.parquet") == before
        self._check("an update that finds nothing new leaves the bytes", is_same)

    def update_changes(self) -> None:
        files, count = audio_files(self._folder), self._options.files
        changed, removed, added = (round(count * share) for share in (CHANGED, REMOVED, ADDED))
        chosen = random.Random(0).sample(files, changed + removed)
        for path in chosen[:changed]:
            content = bytearray(path.read_bytes())
            content[-1] ^= 1
            path.unlink()  # A link to a cut, as others are.
            path.write_bytes(content)
            self._upload(path)
        for path in chosen[changed:]:
            path.unlink()
            self._bucket.delete(self._key(path))
        new = self._folder / "new"
        new.mkdir()
        link(audio_files(self._folder)[:added], new)
        for path in audio_files(new):
            self._upload(path)
        self._update(changed + added)
        self._compare("r", self._scan_disk())

    def _update(self, count: int) -> None:
        self._proxy.requests.clear()
        self._finish(self._start(self._source, "r", "--update", "--prune"))
        read = len(self._recordings_read())
        self._check(f"an update reads the {count:,} that are new or changed", read == count)

    def scan_with_faults(self) -> None:
        """Run one command, by two at once, until all recordings are analysed."""
        self._proxy.delay = DELAY
        few = self._run_until_done(f"{self._source}/00", "few-faults")
        all_ = self._run_until_done(self._source, "faults")
        self._proxy.delay, self._proxy.fault = 0.0, lambda method, path: None
        self._check_memory(few, all_)
        self._compare("faults", self._scan_disk())

    def _run_until_done(self, source: str, name: str) -> list[Run]:
        self._proxy.fault = faults = Faults(seed=self._options.seed)
        all_: list[Run] = []
        for attempt in range(1, MAX_ATTEMPTS + 1):
            self._proxy.requests.clear()
            runs = [self._start(source, name, *words) for words in (("--if-locked", "wait"), ())]
            codes = [run.finish().code for run in runs]
            print(f"run {attempt}: codes {codes}, {len(self._proxy.requests):,} requests,", end=" ")
            print(f"faults so far {dict(faults.counts)}")
            for run in runs:
                self._check_end(run)
            if SOME_FAILED in codes:
                table = self._table(name)
                failed = table.filter(pc.equal(table["status"], "failed"))
                details = Counter(failed["detail"].to_pylist())
                print(f"  {len(failed)} of {len(table):,} rows failed: {dict(details)}")
            all_ += runs
            if DONE in codes:
                break
            faults.first_run = False
        return all_

    def _check_end(self, run: Run) -> None:
        """Look whether a run with faults has ended as it should."""
        if run.errors:
            print(f"  {run.errors.strip()}")
        is_plain = "Traceback" not in run.errors
        if not is_plain or run.code not in (DONE, FAILED, SOME_FAILED, LOCKED):
            self._check("a run with faults ends as it should", False)

    def look_for_leftovers(self) -> None:
        found = [key for key in self._bucket.listed() if not key.startswith(f"{CALLS}/")]
        expected = [f"{OUT}/{name}.parquet" for name in ("faults", "few", "few-faults", "r")]
        self._check("nothing is left beside the tables", found == expected)

    def _start(self, source: str, name: str, *words: str) -> Run:
        output = f"{self._bucket.url}/{OUT}/{name}.parquet"
        return self._scan(source, output, *words)

    def _scan(self, source: str, output: str, *words: str) -> Run:
        command = [*BATCHEMO, "scan", source, "-o", output, "-m", self._options.model]
        return Run([*command, "-j", self._options.jobs, "-q", *words], self._proxy.url)

    def _finish(self, run: Run) -> Run:
        if run.finish().code != DONE:
            raise SystemExit(f"a scan ended with {run.code}: {run.errors}")
        return run

    def _scan_disk(self) -> pa.Table:
        path = self._work / "disk.parquet"
        self._finish(self._scan(str(self._folder), str(path), "--overwrite"))
        return pq.read_table(path)

    def _compare(self, name: str, disk: pa.Table) -> None:
        tables = [
            table.drop_columns(["root", "mtime", "etag"]) for table in (self._table(name), disk)
        ]
        same = tables[0].equals(tables[1])
        self._check(f"the {len(disk):,} rows are those from the disk", same)

    def _check_memory(self, few: list[Run], all_: list[Run]) -> None:
        grown = []
        for name in ("parent", "worker"):
            first, second = (
                max(getattr(run.memory, name) for run in runs) / 2**20 for runs in (few, all_)
            )
            print(f"{name}: {first:.0f} MB for a thousand, {second:.0f} MB for all")
            grown.append(second - first)
        self._check("memory is flat", max(grown) <= self._options.memory)

    def _check(self, title: str, passed: bool) -> None:
        print(f"{title}: {'yes' if passed else 'NO'}", flush=True)
        self.passed &= passed

    def _recordings_read(self) -> list[str]:
        asked = self._proxy.requests
        return [path for method, path in asked if method == "GET" and path.endswith(".wav")]

    def _table(self, name: str) -> pa.Table:
        return pq.read_table(io.BytesIO(self._bucket.get(f"{OUT}/{name}.parquet")))

    def _upload(self, path: Path) -> None:
        self._bucket.put(self._key(path), path.read_bytes())

    def _key(self, path: Path) -> str:
        return f"{CALLS}/{path.relative_to(self._folder)}"


@contextmanager
def served() -> Iterator[Bucket]:
    """Start a server of S3 with an empty bucket."""
    server = subprocess.Popen(
        [sys.executable, "-c", _SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    try:
        address = "127.0.0.1", int(server.stdout.readline())
        bucket = Bucket(BUCKET, Proxy(address))
        bucket.ask("PUT", "")
        # For what this process lists itself.
        os.environ.update(KEYS, AWS_ENDPOINT_URL="http://{}:{}".format(*address))
        yield bucket
    finally:
        server.kill()


def main() -> int:
    options = _options()
    options.work.mkdir(parents=True, exist_ok=True)
    with served() as bucket:
        bench = Bench(options, bucket)
        bench.run()
    return int(not bench.passed)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("recordings", type=Path, help="a folder of recordings")
    parser.add_argument("--files", type=int, default=20_000, help="how many objects there are")
    parser.add_argument("-m", "--model", default="mfcc40", help="a fast one")
    parser.add_argument("-j", "--jobs", default="2", help="worker processes")
    parser.add_argument("--memory", type=int, default=50, help="MB that are tolerated")
    parser.add_argument("--seed", type=int, default=0, help="of the faults")
    parser.add_argument("--work", type=Path, default=Path("faults.work"), help="the work folder")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
