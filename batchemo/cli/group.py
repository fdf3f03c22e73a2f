"""The commands by name; each one's module is imported only when it is called."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import click

from batchemo import __version__
from batchemo.cli import process
from batchemo.errors import BatchemoError

COMMANDS = {
    "scan": "Find the emotion in every recording of a corpus, as one table.",
    "predict": "Look at single recordings closely.",
    "summary": "Count what a table of results holds.",
    "show": "Tell how a table of results was made.",
    "models": "List the models, show their cards, check their digests.",
    "features": "Write the features of recordings as a table.",
    "train": "Train a model on labelled recordings.",
    "evaluate": "Tell how well a recipe or a model does, by protocol.",
    "bench": "Measure what bounds a scan on this machine, and which options are fastest.",
    "app": "Open the web page.",
    "doctor": "Check that everything batchemo needs is here and works.",
    "completion": "Print the shell's completion script.",
}


class LazyGroup(click.Group):
    """A group that knows its commands' names and first lines without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Give the names in the order of `COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import the command's module."""
        if name not in COMMANDS:
            return None
        command: click.Command = import_module(f"batchemo.cli.commands.{name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Suggest the nearest command for a name that is none."""
        name = args[0]
        if name not in COMMANDS:
            from difflib import get_close_matches

            near = get_close_matches(name, COMMANDS, 1)
            hint = f" Did you mean {near[0]}?" if near else ""
            ctx.fail(f"There is no command {name!r}.{hint} `batchemo --help` lists them.")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; where its reader has seen enough (`| head`), that is a good end."""
        try:
            code = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            if not process.reader_has_left():
                raise BatchemoError("what it writes to was closed; it stopped there") from None
            process.fall_silent()
            return 0
        return code


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, message="batchemo %(version)s")
def cli() -> None:
    """Find the emotion expressed in speech recordings, for whole corpora.

    \b
    The main job:
      batchemo scan ./recordings -o results.parquet
    Every night, only what is new or changed:
      batchemo scan ./recordings -o results.parquet --update
    One recording:
      batchemo predict interview.wav

    What comes out is how an expression sounds, judged by acted speech; it is not what a person
    feels, and no ground for a decision about anybody.
    """
