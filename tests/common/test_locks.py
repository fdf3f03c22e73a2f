"""One run at a time on one output; the lock dies with its holder and leaves nothing behind."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from batchemo.common import locks
from batchemo.errors import LockedError

HOLDER = """
import sys, time
from pathlib import Path
from batchemo.common import locks
with locks.hold(Path(sys.argv[1]), wait=False):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "r.parquet.parts"


def holder(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_run_is_told_who_holds_the_output(folder: Path) -> None:
    process = holder(folder)
    try:
        with (
            pytest.raises(LockedError, match=f"process {process.pid} on"),
            locks.hold(folder, wait=False),
        ):
            pass
    finally:
        process.kill()
        process.communicate()


def test_the_lock_of_a_killed_run_is_free(folder: Path) -> None:
    process = holder(folder)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with locks.hold(folder, wait=False):
        pass
    assert not folder.exists()


def test_a_run_that_waits_goes_on_when_the_holder_is_done(folder: Path) -> None:
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


def test_a_folder_that_still_holds_parts_is_left_for_the_next_run(folder: Path) -> None:
    with locks.hold(folder, wait=False):
        (folder / "000000000.part.arrow").touch()
    assert folder.exists()


def test_many_that_want_the_lock_get_it_one_after_the_other(folder: Path) -> None:
    holding = 0
    most = 0

    def run() -> None:
        nonlocal holding, most
        for _ in range(20):
            with locks.hold(folder, wait=True):
                holding += 1
                most = max(most, holding)
                time.sleep(0.0005)
                holding -= 1

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert most == 1
    assert not folder.exists()


def test_a_lock_is_never_a_link_to_a_file_of_somebodys(folder: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    folder.mkdir()
    (folder / locks.NAME).symlink_to(precious)
    with pytest.raises(OSError, match="symbolic links"), locks.hold(folder, wait=False):
        pass
    assert precious.read_text() == "precious"


def test_a_folder_that_is_a_link_to_nowhere_is_no_reason_to_wait(
    folder: Path, tmp_path: Path
) -> None:
    folder.symlink_to(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError), locks.hold(folder, wait=False):
        pass


def test_a_folder_that_is_removed_meanwhile_hides_nothing_that_went_wrong(folder: Path) -> None:
    def lose_it() -> None:
        with locks.hold(folder, wait=False):
            shutil.rmtree(folder)
            raise ValueError("what went wrong")

    with pytest.raises(ValueError, match="what went wrong"):
        lose_it()
