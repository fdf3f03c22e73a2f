"""The command line: one module a command in `commands`, what they print in `output`.

This module is the first that the installed command imports, so it imports next to nothing itself:
`batchemo --version` must not wait for numpy or Arrow.
"""

from __future__ import annotations

import sys

from batchemo import __version__


def main() -> None:
    """Run the command line and exit with its code."""
    if sys.argv[1:] == ["--version"]:
        print(f"batchemo {__version__}")
        return
    sys.meta_path.insert(0, PandasBlocker())
    from batchemo.cli.main import run
    from batchemo.cli.process import flush_stderr

    try:
        code = run()
    except BrokenPipeError:  # Not even the error could be printed.
        code = 1
    sys.exit(code if flush_stderr() else 1)


class PandasBlocker:
    """An import finder that reports pandas as not installed.

    Arrow imports pandas, where it is installed, with the first array made of Python objects: half
    a second and 50 MB for a process that never uses it. Only the command's own process is affected;
    the workers and programs that import batchemo are not.
    """

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        """Raise for pandas; leave every other module to the finders that follow."""
        if name == "pandas":
            raise ModuleNotFoundError("batchemo's command line does not use pandas", name=name)
