"""The command line: one module a command, each of which parses, calls and shows.

This module is what the installed command imports first, so it imports next to nothing.
"""

from __future__ import annotations

import sys

from batchemo import __version__


def main() -> None:
    """Run the command line and exit with its code."""
    if sys.argv[1:] == ["--version"]:
        print(f"batchemo {__version__}")
        return
    from batchemo.cli.entry import run

    sys.exit(run())
