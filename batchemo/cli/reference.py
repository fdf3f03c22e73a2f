"""Writes the reference of all commands, docs/commands.md, from the help of the commands.

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

The output of `batchemo COMMAND --help` for all commands. If a command has `--config`, each of its
options can also be set by an environment variable (`--min-age` is `BATCHEMO_MIN_AGE`) and in a TOML
file (`min-age`, at the top or in a table named after the command). The command line takes
precedence over variables, and variables over the file.
"""


def reference() -> str:
    """Return the whole page as Markdown."""
    context = click.Context(cli, info_name="batchemo")
    lines = [HEAD]
    for name in COMMANDS:
        command = cli.get_command(context, name)
        if command is not None:
            lines += _section(command, command_context(command, context, name))
    return "\n".join(lines).rstrip() + "\n"


def _section(command: click.Command, context: click.Context) -> Iterator[str]:
    yield f"## {context.command_path}\n"
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"    {context.command_path} {usage}\n"
    yield _prose(command.help)
    options = [p for p in command.get_params(context) if isinstance(p, click.Option)]
    yield "| option | effect |"
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
            yield from _section(child, command_context(child, context, name))


def command_context(command: click.Command, parent: click.Context, name: str) -> click.Context:
    """Return the context in which a command's help is what a user sees."""
    return click.Context(command, parent, name, help_option_names=["-h", "--help"])


def _prose(text: str | None) -> str:
    """Convert click's help text to Markdown; its unwrapped paragraphs become code blocks."""
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
