"""Runs the command in a terminal of its own, as a person would."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Sequence


def in_a_terminal(
    words: Sequence[object], *, columns: int = 80, errors: bool = True, **environment: str
) -> str:
    """Run a batchemo command and give all that it showed, with its errors or without."""
    primary, secondary = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", "from batchemo.cli import main; main()", *map(str, words)],
        stdout=secondary,
        stderr=secondary if errors else subprocess.DEVNULL,
        env={**os.environ, "COLUMNS": str(columns), "TERM": "xterm", **environment},
    )
    os.close(secondary)
    shown = b""
    while True:
        try:
            piece = os.read(primary, 65536)
        except OSError:  # the terminal has no other end any more
            break
        if not piece:
            break
        shown += piece
    os.close(primary)
    process.wait(timeout=60)
    return shown.decode(errors="replace").replace("\r", "")
