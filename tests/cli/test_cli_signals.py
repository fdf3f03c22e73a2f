"""A signal that asks to stop stops cleanly; one that was asked to be ignored stops nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
import os, signal, sys
if sys.argv[1:] == ["plainly"]:  # These tests may themselves run under nohup.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
from batchemo.cli.signals import Stopped, stoppable
try:
    with stoppable():
        os.kill(os.getpid(), signal.SIGHUP)
        print("went on")
        os.kill(os.getpid(), signal.SIGTERM)
except Stopped as stopped:
    print(stopped.exit_code)
"""


@pytest.mark.parametrize(("before", "told"), [([], ["129"]), (["nohup"], ["went on", "143"])])
def test_the_end_of_the_terminal_stops_a_run_unless_nohup_says_otherwise(
    before: list[str], told: list[str]
) -> None:
    words = [*before, sys.executable, "-c", CODE, *([] if before else ["plainly"])]

    ran = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True)

    assert ran.stdout.split("\n")[:-1] == told
