"""Runs a command, and turns what ends it into words and an exit code."""

from __future__ import annotations

import sys

import click

from batchemo.cli import process
from batchemo.cli.group import cli
from batchemo.cli.process import Stopped
from batchemo.common.text import for_display
from batchemo.errors import BatchemoError, describe

INTERRUPTED = 130


def run(args: list[str] | None = None) -> int:
    """Run the command line and give its exit code."""
    process.prepare()
    try:
        code = cli.main(args, prog_name="batchemo", standalone_mode=False)
    except click.exceptions.Exit as request:
        return request.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except BatchemoError as error:
        complain(str(error))
        return error.exit_code
    except Stopped as stopped:
        complain(str(stopped))
        return stopped.exit_code
    except (KeyboardInterrupt, click.Abort):
        complain("interrupted")
        return INTERRUPTED
    except (OSError, MemoryError) as error:
        complain(for_display(describe(error)))
        return 1
    return code if isinstance(code, int) else 0


def complain(text: str) -> None:
    """Write an error where errors go, with nothing in it that could play with the terminal."""
    print("batchemo:", "\n".join(map(for_display, text.splitlines())), file=sys.stderr)
