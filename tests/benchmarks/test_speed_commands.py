"""A command is measured from outside: its time, its memory, its first line, and how it failed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from speed.commands import BATCHEMO, CHECKOUT, CommandFailedError, run

WORKER = """
import subprocess, sys, time
held = bytearray(60_000_000)
subprocess.run([sys.executable, "-c", "import time; held = bytearray(90_000_000); time.sleep(.5)"])
"""


def test_memory_is_that_of_the_parent_and_of_its_largest_worker() -> None:
    ran = run([sys.executable, "-c", WORKER])
    assert 60e6 < ran.parent < 90e6 < ran.worker < 120e6
    assert ran.seconds > 0.5
    assert ran.first is None


def test_the_first_line_that_is_waited_for_is_timed() -> None:
    code = "import time; print('no', flush=True); print('yes', flush=True); time.sleep(.5)"
    ran = run([sys.executable, "-c", code], awaited=lambda line: line == "yes\n")
    assert ran.first is not None
    assert ran.first < ran.seconds - 0.4


def test_a_command_that_fails_is_not_measured() -> None:
    with pytest.raises(CommandFailedError, match=r"ended with 1:\n(.|\n)*ZeroDivisionError"):
        run([sys.executable, "-c", "1 / 0"])


def test_the_checkout_that_is_named_runs_whatever_the_current_folder_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(CHECKOUT)
    package = tmp_path / "batchemo"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "cli.py").write_text("def main(): print('another')")

    ran = run(BATCHEMO, checkout=tmp_path, awaited=lambda line: line == "another\n")

    assert ran.first is not None
