"""`batchemo scan --executor dask://…`: the tables of a scan here, whatever befalls the workers."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from command_line import RunCommand
from dask_cluster import DaskCluster, dask_cluster
from scan_commands import PausedRecording, StartScan, finish, reasons_by_file, wait_for_chunk
from voices import voice

from batchemo.bundles import Bundle
from batchemo.workers import dask_executor

pytestmark = pytest.mark.process

TABLES = ("r.parquet", "s.parquet")


@pytest.fixture(scope="module")
def cluster() -> Iterator[DaskCluster]:
    with dask_cluster() as cluster:
        yield cluster


def tables(folder: Path) -> list[str | Path]:
    folder.mkdir(exist_ok=True)
    return ["-o", folder / TABLES[0], "--segments", folder / TABLES[1]]


@pytest.fixture
def check_same(
    corpus: Path, batchemo: RunCommand, tiny_bundle: Bundle, tmp_path: Path, inline_workers: None
) -> Callable[[Path], None]:
    """Check that tables are those of a scan in this process."""

    def check(folder: Path) -> None:
        here = tmp_path / "here"
        ran = batchemo("scan", corpus, "-m", tiny_bundle.path, *tables(here))
        assert ran.code in (0, 3), ran.err
        for name in TABLES:
            assert (folder / name).read_bytes() == (here / name).read_bytes(), name

    return check


def test_the_tables_are_those_of_a_scan_here(
    cluster: DaskCluster,
    corpus: Path,
    start_scan: StartScan,
    check_same: Callable[[Path], None],
    tmp_path: Path,
) -> None:
    (corpus / "broken.wav").write_text("no sound")
    # Long enough for two pieces, which go to both workers.
    soundfile.write(corpus / "long.wav", np.tile(voice(2.5, 8000), 100), 8000)
    finish(start_scan(corpus, *tables(tmp_path / "c"), "--executor", cluster.address), code=3)
    check_same(tmp_path / "c")


def test_recordings_that_crash_or_hang_are_named_and_cost_no_worker_of_the_cluster(
    cluster: DaskCluster, corpus: Path, start_scan: StartScan, tmp_path: Path
) -> None:
    for name in ("kill", "segfault", "hang"):
        shutil.copy(corpus / "anna" / "take 00.wav", corpus / f"{name}.wav")
    workers = {worker.pid for worker in cluster.workers()}
    words = tables(tmp_path / "c")
    finish(start_scan(corpus, *words, "--executor", cluster.address, "--timeout", "2"), code=3)

    reasons = reasons_by_file(tmp_path / "c" / TABLES[0])
    assert {file: reason for file, reason in reasons.items() if reason} == {
        "kill.wav": "worker_died",
        "segfault.wav": "worker_died",
        "hang.wav": "timeout",
    }
    assert workers == {worker.pid for worker in cluster.workers()}


def test_a_killed_worker_of_the_cluster_costs_nothing(
    cluster: DaskCluster,
    corpus: Path,
    start_scan: StartScan,
    check_same: Callable[[Path], None],
    tmp_path: Path,
) -> None:
    paused = PausedRecording.write(corpus / "anna")
    process = start_scan(corpus, *tables(tmp_path / "c"), "--executor", cluster.address)
    paused.wait()
    Path(f"{paused.path}.seen").unlink()
    for worker in cluster.workers():
        worker.kill()
    paused.wait()
    paused.release()
    finish(process)
    check_same(tmp_path / "c")


def test_after_a_lost_cluster_the_same_command_goes_on(
    corpus: Path, start_scan: StartScan, check_same: Callable[[Path], None], tmp_path: Path
) -> None:
    paused = PausedRecording.write(corpus, "z wait")
    words = tables(tmp_path / "c")
    with dask_cluster() as first:
        process = start_scan(corpus, *words, "--executor", first.address)
        wait_for_chunk(tmp_path / "c" / TABLES[0])
        process.kill()
    paused.release()
    with dask_cluster(port=first.port):
        again = finish(start_scan(corpus, *words, "--executor", first.address))
    assert "13 recordings analysed" not in again.stdout
    check_same(tmp_path / "c")


def test_a_scheduler_that_is_down_is_told_without_a_traceback(
    corpus: Path, batchemo: RunCommand, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(dask_executor, "CONNECT_SECONDS", 0.2)
    ran = batchemo("scan", corpus, *tables(tmp_path / "c"), "--executor", "dask://127.0.0.1:9")
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "no Dask scheduler answers at tcp://127.0.0.1:9" in ran.err
    assert not list((tmp_path / "c").iterdir())


def test_the_workers_of_a_cluster_are_checked_by_the_doctor(
    cluster: DaskCluster, batchemo: RunCommand
) -> None:
    ran = batchemo("doctor", "--executor", cluster.address)
    assert ran.code == 0, ran.out
    assert f"{cluster.scheduler} has 2 workers" in ran.out
    assert "default, " in ran.out
