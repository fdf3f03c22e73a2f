"""Scans whose tables are in a bucket: what a scan on a disk promises holds there too."""

from __future__ import annotations

import io
import json
import signal
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command_line import RunCommand
from object_server import Bucket
from scan_commands import Scan, StartScan, finish, wait_until

import batchemo as api
from batchemo.bundles import Bundle
from batchemo.storage import lease


def table(bucket: Bucket, key: str = "out/r.parquet") -> pa.Table:
    return pq.read_table(io.BytesIO(bucket.get(key)))


def analysed(ran: object) -> str:
    return str(ran.stdout)  # type: ignore[attr-defined]


@pytest.fixture
def quick_term(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "TERM", 1.0)


def test_the_tables_are_those_of_a_disk(
    bucket: Bucket, corpus: Path, scan_inline: Scan, tmp_path: Path
) -> None:
    def words(place: object) -> tuple[object, ...]:
        return ("-o", f"{place}/r.parquet", "--segments", f"{place}/s.parquet")

    scan_inline(corpus, *words(tmp_path))
    scan_inline(corpus, *words(f"{bucket.url}/out"), "--summary", f"{bucket.url}/out/counts.csv")
    assert bucket.get("out/r.parquet") == (tmp_path / "r.parquet").read_bytes()
    assert bucket.get("out/s.parquet") == (tmp_path / "s.parquet").read_bytes()
    assert bucket.listed() == ["out/counts.csv", "out/r.parquet", "out/s.parquet"]
    puts = [path.rpartition("/")[2] for method, path in bucket.proxy.requests if method == "PUT"]
    assert puts[-4:] == ["naming.json", "s.parquet", "counts.csv", "r.parquet"]


def test_the_same_command_again_finds_all_done_and_a_foreign_table_is_kept(
    bucket: Bucket, corpus: Path, scan_inline: Scan
) -> None:
    output = f"{bucket.url}/out/r.parquet"
    scan_inline(corpus, "-o", output)
    before = bucket.get("out/r.parquet")
    scan_inline(corpus, "-o", output)
    ran = scan_inline(corpus / "anna", "-o", output, code=2)
    assert f"{output} exists" in ran.stderr
    assert "batchemo-scratch" not in ran.stderr
    assert bucket.get("out/r.parquet") == before
    scan_inline(corpus / "anna", "-o", output, "--overwrite")
    assert table(bucket).num_rows == 6


def test_an_update_reads_the_table_there(bucket: Bucket, corpus: Path, scan_inline: Scan) -> None:
    output = f"{bucket.url}/out/r.parquet"
    scan_inline(corpus / "anna", "-o", output)
    ran = scan_inline(corpus / "anna", corpus / "ben", "-o", output, "--update")
    assert "6 recordings analysed, 6 unchanged" in ran.stdout
    assert table(bucket).num_rows == 12


def test_an_interrupted_run_goes_on_from_its_parts(
    bucket: Bucket, corpus: Path, scan_inline: Scan, tmp_path: Path
) -> None:
    output = f"{bucket.url}/out/r.parquet"
    bucket.proxy.fault = lambda method, path: 403 if "000000001.chunk" in path else None
    ran = scan_inline(corpus, "-o", output, code=1)
    assert "access is denied (403). What was finished is kept" in ran.stderr
    assert bucket.listed() == ["out/r.parquet.chunks/000000000.chunk.arrow"]

    bucket.proxy.fault = lambda method, path: None
    ran = scan_inline(corpus, "-o", output)
    assert "8 recordings analysed, 4 unchanged" in ran.stdout
    scan_inline(corpus, "-o", tmp_path / "r.parquet")
    assert bucket.get("out/r.parquet") == (tmp_path / "r.parquet").read_bytes()
    assert bucket.listed() == ["out/r.parquet"]


def test_a_run_that_fails_while_it_names_tables_is_completed(
    bucket: Bucket, corpus: Path, scan_inline: Scan, tmp_path: Path
) -> None:
    words = ("-o", f"{bucket.url}/out/r.parquet", "--segments", f"{bucket.url}/out/s.parquet")

    def no_last_table(method: str, path: str) -> int | None:
        return 403 if method == "PUT" and path.endswith("/r.parquet") else None

    bucket.proxy.fault = no_last_table
    scan_inline(corpus, *words, code=1)
    assert "out/s.parquet" in bucket.listed()
    bucket.proxy.fault = lambda method, path: None
    scan_inline(corpus, *words)
    assert bucket.listed() == ["out/r.parquet", "out/s.parquet"]
    scan_inline(corpus, "-o", tmp_path / "r.parquet", "--segments", tmp_path / "s.parquet")
    assert bucket.get("out/s.parquet") == (tmp_path / "s.parquet").read_bytes()


@pytest.mark.process
def test_of_two_runs_at_once_one_is_refused(
    bucket: Bucket, corpus: Path, start_scan: StartScan, scan_inline: Scan
) -> None:
    output = f"{bucket.url}/out/r.parquet"
    bucket.proxy.delay = 0.1
    first = start_scan(corpus, "-o", output, "-j", "1")
    lock = f"/{bucket.name}/out/r.parquet.chunks/lock"
    wait_until(lambda: ("PUT", lock) in bucket.proxy.requests)
    wait_until(lambda: bool(bucket.listed()))
    ran = scan_inline(corpus, "-o", output, code=4)
    assert f"process {first.pid} on" in ran.stderr
    finish(first)
    assert table(bucket).num_rows == 12
    assert bucket.listed() == ["out/r.parquet"]


@pytest.mark.process
@pytest.mark.usefixtures("quick_term")
def test_the_lock_of_a_killed_run_is_taken_over_after_its_term(
    bucket: Bucket, corpus: Path, start_scan: StartScan, scan_inline: Scan, tmp_path: Path
) -> None:
    output = f"{bucket.url}/out/r.parquet"
    first = start_scan(corpus, "-o", output, "-j", "1")
    wait_until(lambda: any("chunk.arrow" in path for _, path in bucket.proxy.requests))
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert "out/r.parquet.chunks/lock" in bucket.listed()
    scan_inline(corpus, "-o", output, "--if-locked", "wait")
    scan_inline(corpus, "-o", tmp_path / "r.parquet")
    assert bucket.get("out/r.parquet") == (tmp_path / "r.parquet").read_bytes()
    assert bucket.listed() == ["out/r.parquet"]


@pytest.mark.usefixtures("quick_term")
def test_a_run_that_has_lost_its_lock_writes_no_more(
    bucket: Bucket, corpus: Path, scan_inline: Scan
) -> None:
    lock = "out/r.parquet.chunks/lock"

    def take_over(method: str, path: str) -> None:
        if method == "PUT" and "000000000.chunk" in path:
            bucket.put(lock, json.dumps({"holder": "somebody"}).encode())
            wait_until(lambda: "lease" not in [t.name for t in threading.enumerate()], 20)

    bucket.proxy.fault = take_over
    ran = scan_inline(corpus, "-o", f"{bucket.url}/out/r.parquet", code=4)
    assert "another run has taken this output over" in ran.stderr
    assert "out/r.parquet" not in bucket.listed()
    assert json.loads(bucket.get(lock)) == {"holder": "somebody"}


@pytest.fixture
def first_lock_cut(bucket: Bucket) -> Iterator[None]:
    """The first request for a lock is answered, and the answer lost."""
    lost = iter(["cut"])

    def first_lock(method: str, path: str) -> str | None:
        return next(lost, None) if method == "PUT" and path.endswith("/lock") else None

    bucket.proxy.fault = first_lock
    yield
    assert next(lost, None) is None


@pytest.mark.usefixtures("first_lock_cut")
def test_a_lock_is_held_if_only_the_answer_was_lost(
    bucket: Bucket, corpus: Path, scan_inline: Scan
) -> None:
    scan_inline(corpus, "-o", f"{bucket.url}/out/r.parquet")
    assert bucket.listed() == ["out/r.parquet"]


@pytest.mark.usefixtures("first_lock_cut")
def test_a_lock_is_another_runs_if_the_answer_that_says_so_was_lost(
    bucket: Bucket, corpus: Path, scan_inline: Scan
) -> None:
    bucket.put("out/r.parquet.chunks/lock", json.dumps({"holder": "somebody"}).encode())
    ran = scan_inline(corpus, "-o", f"{bucket.url}/out/r.parquet", code=4)
    assert "somebody is writing this output" in ran.stderr


@pytest.mark.usefixtures("quick_term")
def test_a_run_that_may_not_renew_its_lock_ends_though_it_still_sees_it(
    bucket: Bucket, corpus: Path, scan_inline: Scan
) -> None:
    renewals = count()

    def no_renewal(method: str, path: str) -> int | None:
        if method == "PUT" and path.endswith("/lock") and next(renewals):
            return 403
        if method == "PUT" and "000000000.chunk" in path:
            wait_until(lambda: "lease" not in [t.name for t in threading.enumerate()], 20)
        return None

    bucket.proxy.fault = no_renewal
    ran = scan_inline(corpus, "-o", f"{bucket.url}/out/r.parquet", code=4)
    assert "could not renew its lock in time" in ran.stderr
    assert "out/r.parquet" not in bucket.listed()


def test_shards_meet_in_a_bucket(
    bucket: Bucket, corpus: Path, scan_inline: Scan, batchemo: RunCommand, tmp_path: Path
) -> None:
    plan = f"{bucket.url}/plan.parquet"
    assert batchemo("plan", corpus, "-o", plan).code == 0
    assert batchemo("plan", corpus, "-o", plan).code == 2
    scan_inline("--plan", plan, "--shard", "1/2", "-o", f"{bucket.url}/shards")
    ran = batchemo("merge", f"{bucket.url}/shards", "-o", f"{bucket.url}/r.parquet")
    assert ran.code == 1
    assert f"{bucket.url}/shards: 1 shard of 2 missing: 2/2" in ran.err
    scan_inline("--plan", plan, "--shard", "2/2", "-o", f"{bucket.url}/shards/")
    merged = batchemo("merge", f"{bucket.url}/shards", "-o", f"{bucket.url}/r.parquet")
    assert merged.code == 0, merged.err
    scan_inline(corpus, "-o", tmp_path / "r.parquet")
    assert bucket.get("r.parquet") == (tmp_path / "r.parquet").read_bytes()


def test_a_dry_run_reads_the_table_there_and_writes_nothing(
    bucket: Bucket, corpus: Path, scan_inline: Scan
) -> None:
    output = f"{bucket.url}/out/r.parquet"
    scan_inline(corpus / "anna", "-o", output)
    bucket.proxy.requests.clear()
    ran = scan_inline(corpus / "anna", corpus / "ben", "-o", output, "--update", "--dry-run")
    assert "6 new" in ran.stdout.replace("new       6", "6 new")
    assert {method for method, _ in bucket.proxy.requests} <= {"GET", "HEAD"}


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("https://host/r.parquet", "can neither be listed nor written to"),
        ("s3://bucket/out/", "name an object, such as s3://bucket/out/results.parquet"),
        ("s3://bucket/r.xls", "must end in .parquet, .csv"),
    ],
)
def test_what_cannot_be_written_is_told(
    output: str, words: str, bucket: Bucket, corpus: Path, scan_inline: Scan
) -> None:
    ran = scan_inline(corpus, "-o", output.replace("bucket", bucket.name), code=2)
    assert words.replace("bucket", bucket.name) in ran.stderr


def test_other_commands_say_that_they_do_not_read_or_write_there(
    bucket: Bucket, corpus: Path, batchemo: RunCommand
) -> None:
    ran = batchemo("summary", f"{bucket.url}/r.parquet")
    assert ran.code == 2
    assert "copy it here first" in ran.err
    ran = batchemo("features", corpus, "--feature-set", "mfcc40", "-o", f"{bucket.url}/f.parquet")
    assert ran.code == 2
    assert "only scan, plan and merge write to a bucket" in ran.err


def test_programs_get_the_table_that_they_wrote_there(
    bucket: Bucket, corpus: Path, tiny_bundle: Bundle, inline_workers: None
) -> None:
    output = f"{bucket.url}/r.parquet"
    written = api.scan(corpus / "anna", output=output, model=tiny_bundle.path)
    assert written.equals(table(bucket, "r.parquet"))
