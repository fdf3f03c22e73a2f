"""Locks exclude others, end with their process, and leave no files behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from batchemo.common import locks
from batchemo.errors import LockedError, UsageError

LOCK_HOLDER = """
import sys, time
from pathlib import Path
from batchemo.common import locks
with locks.hold(Path(sys.argv[1]), wait=False):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "r.parquet.chunks"


def start_holder(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", LOCK_HOLDER, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


@pytest.mark.process
def test_a_second_run_is_refused_with_the_name_of_the_holder(folder: Path) -> None:
    process = start_holder(folder)
    try:
        with (
            pytest.raises(LockedError, match=f"process {process.pid} on"),
            locks.hold(folder, wait=False),
        ):
            pass
    finally:
        process.kill()
        process.communicate()


@pytest.mark.process
def test_the_lock_of_a_killed_run_is_free(folder: Path) -> None:
    process = start_holder(folder)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with locks.hold(folder, wait=False):
        pass
    assert not folder.exists()


def test_a_waiting_run_continues_when_the_holder_has_finished(folder: Path) -> None:
    order: list[str] = []

    def second() -> None:
        with locks.hold(folder, wait=True):
            order.append("second")

    with locks.hold(folder, wait=False):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.2)
        order.append("first")
    thread.join(timeout=10)
    assert order == ["first", "second"]
    assert not folder.exists()


def test_a_folder_with_chunks_is_kept_for_the_next_run(folder: Path) -> None:
    with locks.hold(folder, wait=False):
        (folder / "000000000.chunk.arrow").touch()
    assert folder.exists()


def test_only_one_of_many_threads_holds_the_lock_at_a_time(folder: Path) -> None:
    holding = 0
    max_holding = 0

    def run() -> None:
        nonlocal holding, max_holding
        for _ in range(20):
            with locks.hold(folder, wait=True):
                holding += 1
                max_holding = max(max_holding, holding)
                time.sleep(0.0005)
                holding -= 1

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert max_holding == 1
    assert not folder.exists()


def test_a_lock_that_is_a_link_is_refused_and_its_target_unchanged(
    folder: Path, tmp_path: Path
) -> None:
    target = tmp_path / "content"
    target.write_text("content")
    folder.mkdir()
    (folder / locks.LOCK_NAME).symlink_to(target)
    with pytest.raises(UsageError, match="lock is a link"), locks.hold(folder, wait=False):
        pass
    assert target.read_text() == "content"


@pytest.mark.parametrize("target", ["nowhere", "somewhere"])
def test_a_folder_that_is_a_link_is_refused_and_its_target_unchanged(
    folder: Path, tmp_path: Path, target: str
) -> None:
    (tmp_path / "somewhere").mkdir()
    folder.symlink_to(tmp_path / target)
    with pytest.raises(UsageError, match="is a link"), locks.hold(folder, wait=False):
        pass
    assert not any((tmp_path / "somewhere").iterdir())
    assert not (tmp_path / "nowhere").exists()


def test_an_error_is_not_hidden_by_the_loss_of_the_folder(folder: Path) -> None:
    def fail_without_folder() -> None:
        with locks.hold(folder, wait=False):
            shutil.rmtree(folder)
            raise ValueError("what went wrong")

    with pytest.raises(ValueError, match="what went wrong"):
        fail_without_folder()


SCRATCH_HOLDER = """
import time
from batchemo.common.locks import scratch_folder
with scratch_folder() as folder:
    print(folder, flush=True)
    time.sleep(60)
"""


def test_a_scratch_folder_is_removed_after_its_block() -> None:
    with locks.scratch_folder() as folder:
        (folder / "a.txt").touch()
    assert not folder.exists()


@pytest.mark.process
@pytest.mark.parametrize("reaped", [True, False], ids=["reaped", "zombie"])
def test_scratch_folders_and_semaphores_of_killed_runs_are_removed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reaped: bool
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(locks.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(locks, "SHARED_MEMORY", tmp_path)
    other = tmp_path / "batchemo-other"
    other.mkdir()
    killed = subprocess.Popen(
        [sys.executable, "-c", SCRATCH_HOLDER], stdout=subprocess.PIPE, text=True
    )
    assert killed.stdout is not None
    abandoned = Path(killed.stdout.readline().strip())
    semaphores = [tmp_path / f"sem.loky-{pid}-x" for pid in (killed.pid, os.getpid())]
    for semaphore in semaphores:
        semaphore.touch()
    with locks.scratch_folder() as own:
        assert abandoned.exists(), "its process is still running"
        killed.kill()
        if reaped:
            killed.communicate()
        else:
            assert killed.stdout.read() == "", "it is dead, but its parent has not asked about it"
        with locks.scratch_folder():
            assert own.exists(), "its process is still running"
    assert not abandoned.exists()
    assert [semaphore.exists() for semaphore in semaphores] == [False, True]
    assert sorted(os.listdir(tmp_path)) == [other.name, semaphores[1].name]
    killed.wait()
