"""Draws docs/scan.svg: the terminal after a scan of the examples.

    python docs/make_picture.py

Run it again when the texts of the command line change; the times in it are those of this machine.
"""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

REPOSITORY = Path(__file__).parents[1]
WIDTH = 80
COMMAND = "batchemo scan examples/recordings -o results.parquet"


def main() -> None:
    """Run the command in a pseudo-terminal and draw the report that it prints at its end."""
    with tempfile.TemporaryDirectory() as folder:
        report = run_in_terminal(COMMAND.replace("results.parquet", f"{folder}/results.parquet"))
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    console.print(f"$ {COMMAND}", style="bold", highlight=False)
    console.print(Text.from_ansi(report.replace(f"{folder}/", "").strip()))
    console.save_svg(str(REPOSITORY / "docs" / "scan.svg"), title="batchemo")


def run_in_terminal(command: str) -> str:
    """Return what a command prints to a terminal after its progress display."""
    primary, secondary = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(WIDTH), "TERM": "xterm-256color"}
    arguments = [
        *(sys.executable, "-c", "from batchemo.cli import main; main()"),
        *command.split()[1:],
    ]
    with subprocess.Popen(
        arguments, env=environment, stdout=secondary, stderr=secondary, cwd=REPOSITORY
    ) as process:
        os.close(secondary)
        output = b""
        while True:
            try:
                piece = os.read(primary, 65536)
            except OSError:  # Linux: no process has the other end of the terminal open any more.
                break
            if not piece:
                break
            output += piece
        process.wait()
    os.close(primary)
    # The progress display hides the cursor while it is shown; the report follows its return.
    return output.decode().replace("\r\n", "\n").rpartition("\x1b[?25h")[2]


if __name__ == "__main__":
    main()
