"""Processes that are killed leave no semaphore in /dev/shm and nothing in the terminal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from command_line import COMMAND
from made_work import process_id
from scan_commands import wait_until

from batchemo.bundles import Bundle
from batchemo.common.locks import scratch_folder
from batchemo.workers.executor import ProcessExecutor

pytestmark = pytest.mark.process

BUSY = """
import sys, time
from batchemo.workers.executor import ProcessExecutor
executor = ProcessExecutor(None, 2)
for _ in range(2):
    executor.submit(time.sleep, 0.1).result()
working = [executor.submit(time.sleep, 600) for _ in range(4)]
print("busy", flush=True)
time.sleep(600)
"""

WRITING = """
import sys, time
from pathlib import Path
from batchemo.batch import writer
from batchemo.cli import main
marker = Path(sys.argv.pop(1))
writer.sync = lambda descriptor: (marker.touch(), time.sleep(600))
main()
"""


def semaphores_of(process: int) -> list[str]:
    """List the semaphores that a process has made."""
    return [name for name in os.listdir("/dev/shm") if name.startswith(f"sem.loky-{process}-")]


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process whose two workers have begun with work that takes long."""
    process = subprocess.Popen(
        [sys.executable, "-c", BUSY],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "busy\n"
    assert semaphores_of(process.pid)
    yield process
    process.kill()
    process.communicate()


def test_an_executor_that_is_shut_down_leaves_no_semaphore() -> None:
    # Other tests of this process may have pools that are not collected yet.
    before = semaphores_of(os.getpid())
    for workers in (1, 2, 3):
        executor = ProcessExecutor(None, workers)
        processes = {executor.submit(process_id, None).result() for _ in range(2 * workers)}
        os.kill(processes.pop(), signal.SIGKILL)
        executor.shutdown(kill=True)
        assert set(semaphores_of(os.getpid())) <= set(before)


def test_a_parent_that_is_killed_leaves_no_semaphore_and_no_word(
    busy: subprocess.Popen[str],
) -> None:
    busy.kill()
    # Ends only when the workers and loky's resource tracker, which have its descriptors, end too.
    assert busy.communicate() == ("", "")
    assert semaphores_of(busy.pid) == []


@pytest.mark.parametrize("reaped", [True, False], ids=["reaped", "zombie"])
def test_what_processes_that_are_all_killed_leave_is_removed_by_the_next(
    busy: subprocess.Popen[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reaped: bool
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for process in [*psutil.Process(busy.pid).children(recursive=True), busy]:
        with suppress(psutil.NoSuchProcess):  # The pool ends the workers when one is gone.
            process.kill()
    assert busy.stdout is not None
    busy.stdout.read()  # Until all of them are dead.
    if reaped:
        busy.communicate()
    assert semaphores_of(busy.pid)
    with scratch_folder():
        assert semaphores_of(busy.pid) == []
    assert os.listdir(tmp_path) == []


def test_a_scan_has_no_semaphores_any_more_while_it_writes_its_tables(
    corpus: Path,
    tiny_bundle: Bundle,
    tmp_path: Path,
) -> None:
    marker = tmp_path / "marker"
    words = [str(corpus), "-m", str(tiny_bundle.path), "-o", str(tmp_path / "r.csv"), "-j", "2"]
    process = subprocess.Popen(
        [*COMMAND[:-1], WRITING, str(marker), "scan", *words, "-q"],
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(marker.exists)
    assert semaphores_of(process.pid) == []
    for each in [*psutil.Process(process.pid).children(recursive=True), process]:
        with suppress(psutil.NoSuchProcess):
            each.kill()
    assert process.communicate()[1] == ""
