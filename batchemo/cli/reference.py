"""Writes the reference of all commands, docs/commands.md, from the commands themselves.

Run `python -m batchemo.cli.reference > docs/commands.md` after an option has changed; a test
compares the two.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from batchemo.cli.group import COMMANDS, cli

HEAD = """\
# Commands

What `batchemo COMMAND --help` says, in one place. Every option of a command that has `--config` can
also be given as a variable (`--min-age` is `BATCHEMO_MIN_AGE`) and in a TOML file (`min-age`, at
the top or in a table named after the command). The command line wins over variables, variables
over the file.
"""


def reference() -> str:
    """Give the whole page."""
    context = click.Context(cli, info_name="batchemo")
    lines = [HEAD]
    for name in COMMANDS:
        command = cli.get_command(context, name)
        if command is not None:
            lines += _section(command, _context(command, context, name))
    return "\n".join(lines).rstrip() + "\n"


def _section(command: click.Command, context: click.Context) -> Iterator[str]:
    yield f"## {context.command_path}\n"
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"    {context.command_path} {usage}\n"
    yield _prose(command.help)
    options = [p for p in command.get_params(context) if isinstance(p, click.Option)]
    yield "| option | what it does |"
    yield "| --- | --- |"
    for option in options:
        record = option.get_help_record(context)
        if record is not None:
            names, text = (part.replace("|", "\\|").replace("\n", " ") for part in record)
            yield f"| `{names}` | {text} |"
    yield ""
    if command.epilog:
        yield _prose(command.epilog)
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from _section(child, _context(child, context, name))


def _context(command: click.Command, parent: click.Context, name: str) -> click.Context:
    return click.Context(command, parent, name, help_option_names=["-h", "--help"])


def _prose(text: str | None) -> str:
    """Turn click's text into Markdown: what it keeps as it is becomes a block of code."""
    paragraphs = inspect.cleandoc(text or "").split("\n\n")
    blocks = []
    for paragraph in paragraphs:
        verbatim, _, rest = paragraph.partition("\b\n")
        if rest and not verbatim:
            title, _, block = rest.partition("\n")
            body = inspect.cleandoc(block) if block else ""
            blocks.append(f"{title}\n\n```\n{body}\n```" if body else title)
        else:
            blocks.append(" ".join(paragraph.split()))
    return "\n\n".join(blocks) + "\n"


if __name__ == "__main__":
    print(reference(), end="")
