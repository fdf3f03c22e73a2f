"""Writes the manual page of all commands, docs/batchemo.1, from the help of the commands.

`make docs` runs it; a test compares the two. The wheel installs the page, so that `man batchemo`
works wherever `man` looks into the environment's `share/man`.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from batchemo import __version__
from batchemo.cli.group import COMMANDS, cli
from batchemo.cli.reference import command_context


def man_page() -> str:
    """Return the page in the language of man(7)."""
    context = click.Context(cli, info_name="batchemo")
    summary = inspect.cleandoc(cli.help or "").partition("\n")[0].rstrip(".")
    lines = [
        f'.TH BATCHEMO 1 "" "batchemo {__version__}" "User commands"',
        ".SH NAME",
        f"batchemo \\- {_plain(summary[0].lower() + summary[1:])}",
        ".SH SYNOPSIS",
        ".B batchemo",
        ".I COMMAND",
        "[options]",
        ".SH DESCRIPTION",
        *_prose(cli.help),
        ".SH COMMANDS",
    ]
    for name in COMMANDS:
        command = cli.get_command(context, name)
        if command is not None:
            lines += _command(command, command_context(command, context, name))
    return "\n".join(lines) + "\n"


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    yield f'.SS "{_plain(context.command_path)}"'
    yield ".PP"
    yield f".B {_plain(context.command_path)}"
    yield _plain(" ".join(command.collect_usage_pieces(context)))
    yield from _prose(command.help)
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if isinstance(parameter, click.Option) and record is not None:
            yield from (".TP", f".B {_plain(record[0])}", _plain(record[1]))
    yield from _prose(command.epilog)
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from _command(child, command_context(child, context, name))


def _prose(text: str | None) -> Iterator[str]:
    """Yield click's help text; its unwrapped paragraphs stay as they are."""
    for paragraph in filter(None, inspect.cleandoc(text or "").split("\n\n")):
        before, _, verbatim = paragraph.partition("\b\n")
        yield ".PP"
        if verbatim and not before:
            yield from (".nf", *map(_plain, verbatim.splitlines()), ".fi")
        else:
            yield _plain(" ".join(paragraph.split()))


def _plain(text: str) -> str:
    """Escape what man(7) would take for its own: backslashes, hyphens, and leading dots."""
    escaped = " ".join(text.split("\n")).replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


if __name__ == "__main__":
    print(man_page(), end="")
