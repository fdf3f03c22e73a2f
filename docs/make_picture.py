"""Draws docs/scan.svg: a real scan of the examples, as its terminal shows it."""

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
WIDTH = 84
COMMAND = "batchemo scan examples/recordings -o results.parquet"


def main() -> None:
    """Run the command in a terminal of its own and keep what stands there in the end."""
    with tempfile.TemporaryDirectory() as folder:
        shown = in_a_terminal(COMMAND.replace("results.parquet", f"{folder}/results.parquet"))
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    console.print(f"$ {COMMAND}", style="bold", highlight=False)
    console.print(Text.from_ansi(shown.replace(f"{folder}/", "").strip()))
    console.save_svg(str(REPOSITORY / "docs" / "scan.svg"), title="batchemo")


def in_a_terminal(command: str) -> str:
    """Give the text that follows the live display."""
    primary, secondary = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(WIDTH), "TERM": "xterm-256color"}
    words = [sys.executable, "-c", "from batchemo.cli import main; main()", *command.split()[1:]]
    where = {"stdout": secondary, "stderr": secondary, "cwd": REPOSITORY}
    with subprocess.Popen(words, env=environment, **where) as process:
        os.close(secondary)
        shown = b""
        while process.poll() is None or shown[-1:] != b"":
            try:
                shown += (piece := os.read(primary, 65536))
            except OSError:  # the terminal has no other end any more
                break
            if not piece:
                break
    os.close(primary)
    # The live display hides the cursor; what follows its return is the report.
    return shown.decode().replace("\r\n", "\n").rpartition("\x1b[?25h")[2]


if __name__ == "__main__":
    main()
