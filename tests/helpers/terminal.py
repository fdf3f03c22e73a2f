"""Runs the command on a terminal of its own, as a person would."""

from __future__ import annotations

import os
import pty
import re
import subprocess
from collections.abc import Sequence

from command_line import COMMAND


def run_on_terminal(
    args: Sequence[object], *, columns: int = 80, errors: bool = True, **environment: str
) -> str:
    """Run a batchemo command and return what it displays, without standard error if not asked."""
    primary, secondary = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *map(str, args)],
        stdout=secondary,
        stderr=secondary if errors else subprocess.DEVNULL,
        env={**os.environ, "COLUMNS": str(columns), "TERM": "xterm", **environment},
    )
    os.close(secondary)
    output = b""
    while True:
        try:
            data = os.read(primary, 65536)
        except OSError:  # Linux reports so that the last writer has closed the terminal
            break
        if not data:
            break
        output += data
    os.close(primary)
    process.wait(timeout=60)
    return output.decode(errors="replace").replace("\r", "")


def without_escapes(text: str) -> str:
    """Remove the sequences that colour text and move the cursor."""
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)
