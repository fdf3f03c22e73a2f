"""Runs a command, and turns whatever ends it into a message and an exit code."""

from __future__ import annotations

import sys

import click

from batchemo.cli import process
from batchemo.cli.group import cli
from batchemo.cli.process import Stopped
from batchemo.common.memory import is_out_of_memory
from batchemo.common.text import for_display
from batchemo.errors import BatchemoError, describe

INTERRUPTED = 130


def run(args: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    process.prepare_streams()
    process.quieten_threads()
    try:
        # Not standalone: click would print errors and exit in its own way.
        code = cli.main(args, prog_name="batchemo", standalone_mode=False)
    except click.exceptions.Exit as request:
        return request.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except BatchemoError as error:
        print_error(str(error))
        return error.exit_code
    except Stopped as stopped:
        print_error(str(stopped))
        return stopped.exit_code
    except (KeyboardInterrupt, click.Abort):
        print_error("interrupted")
        return INTERRUPTED
    except (OSError, MemoryError, ImportError) as error:
        print_error(for_display(describe(error)))
        return 1
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        print_error(describe(MemoryError()))
        return 1
    return code if isinstance(code, int) else 0


def print_error(text: str) -> None:
    """Print an error to standard error, with its control characters escaped."""
    print("batchemo:", "\n".join(map(for_display, text.splitlines())), file=sys.stderr)
