"""The commands by name; the module of a command is imported only when it is called."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import click

from batchemo import __version__
from batchemo.cli import process
from batchemo.errors import BatchemoError

COMMANDS = {
    "scan": "Predict the emotion in every recording of a corpus; write one table.",
    "plan": "List the recordings once, for a scan in shards on several machines.",
    "merge": "Merge the tables of all shards into one.",
    "predict": "Analyse single recordings in detail.",
    "summary": "Count the emotions and failures in a table of results.",
    "report": "Write a page that shows a table of results, to look at and to send.",
    "review": "Choose which recordings to listen to, and label them.",
    "adapt": "Adapt a model to a corpus by a few dozen answers.",
    "export": "Write labels over time, for Praat, ELAN, Audacity and others.",
    "show": "Show how a table of results was made.",
    "models": "List the models, show their cards, verify their files, import yours.",
    "features": "Write the features of recordings as a table.",
    "train": "Train a model on labelled recordings.",
    "evaluate": "Measure how accurate a recipe or a model is.",
    "bench": "Measure what limits a scan on this machine, and which options are fastest.",
    "app": "Serve the web page.",
    "doctor": "Check that everything batchemo needs is installed and works.",
    "completion": "Print a completion script for the shell.",
}


class LazyGroup(click.Group):
    """A group that lists its commands with their summaries without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of `COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import the module of a command and return the command."""
        if name not in COMMANDS:
            return None
        command: click.Command = import_module(f"batchemo.cli.commands.{name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Suggest the most similar command for an unknown name."""
        name = args[0]
        if name not in COMMANDS:
            from difflib import get_close_matches

            similar = get_close_matches(name, COMMANDS, 1)
            hint = f" Did you mean {similar[0]}?" if similar else ""
            ctx.fail(f"There is no command {name!r}.{hint} `batchemo --help` lists them.")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; exit with 0 if the reader of its output closed the pipe (`| head`)."""
        try:
            code = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # Only a reader of the results may leave early. A closed standard error would end a
            # scan half-way as if it had succeeded.
            if not process.stdout_reader_is_gone():
                raise BatchemoError("an output was closed before everything was written") from None
            process.discard_stdout()
            return 0
        return code


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, message="batchemo %(version)s")
def cli() -> None:
    """Predict the emotion expressed in speech recordings, for whole corpora.

    \b
    Analyse a folder of recordings:
      batchemo scan ./recordings -o results.parquet
    Every night, only new and changed recordings:
      batchemo scan ./recordings -o results.parquet --update
    One recording:
      batchemo predict interview.wav

    The result describes how an expression sounds, as learned from acted speech. It is not what a
    person feels, and must not be the basis of a decision about anyone.
    """
