"""The measurement of a command from outside: its time, its memory, its first line, its failure."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from speed.commands import BATCHEMO, CHECKOUT, CommandFailedError, run

WORKER = """
import subprocess, sys, time
data = bytearray(60_000_000)
subprocess.run([sys.executable, "-c", "import time; data = bytearray(90_000_000); time.sleep(.5)"])
"""

pytestmark = pytest.mark.process


def test_memory_is_measured_of_the_parent_and_of_its_largest_worker() -> None:
    measurement = run([sys.executable, "-c", WORKER])
    assert 60e6 < measurement.parent_memory < 90e6 < measurement.worker_memory < 120e6
    assert measurement.seconds > 0.5
    assert measurement.first_line is None


def test_the_first_line_of_interest_is_timed() -> None:
    code = "import time; print('no', flush=True); print('yes', flush=True); time.sleep(.5)"
    measurement = run([sys.executable, "-c", code], is_first_line=lambda line: line == "yes\n")
    assert measurement.first_line is not None
    assert measurement.first_line < measurement.seconds - 0.4


def test_a_failing_command_is_not_measured() -> None:
    with pytest.raises(CommandFailedError, match=r"ended with 1:\n(.|\n)*ZeroDivisionError"):
        run([sys.executable, "-c", "1 / 0"])


def test_the_named_checkout_runs_whatever_the_current_folder_contains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(CHECKOUT)
    package = tmp_path / "batchemo"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "cli.py").write_text("def main(): print('another')")

    measurement = run(BATCHEMO, checkout=tmp_path, is_first_line=lambda line: line == "another\n")

    assert measurement.first_line is not None
