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
    sys.meta_path.insert(0, _NoPandas())
    from batchemo.cli.main import run

    sys.exit(run())


class _NoPandas:
    """Tells that pandas is not installed.

    Arrow imports it wherever it is, at the first array made from Python: half a second and 50 MB
    in a process that needs nothing of it. Only this command's own process does without.
    """

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError("batchemo's command line does without pandas", name=name)
