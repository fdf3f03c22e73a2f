"""`batchemo completion`: the script that lets a shell complete commands and options."""

from __future__ import annotations

import os
from pathlib import PurePath

import click
from click.shell_completion import get_completion_class

from batchemo.errors import UsageError

SHELLS = ("bash", "zsh", "fish")

EPILOG = """
\b
To install it, once:
  bash   echo 'eval "$(batchemo completion bash)"' >> ~/.bashrc
  zsh    echo 'eval "$(batchemo completion zsh)"' >> ~/.zshrc
  fish   batchemo completion fish > ~/.config/fish/completions/batchemo.fish
"""


@click.command(epilog=EPILOG)
@click.argument("shell", type=click.Choice(SHELLS), required=False)
def command(shell: str | None) -> None:
    """Print the completion script of SHELL, by default that of the shell in $SHELL."""
    shell = shell or _usual_shell()
    kind = get_completion_class(shell)
    group = click.get_current_context().find_root().command
    if kind is None:  # Only if click should ever drop one of the three.
        raise UsageError(f"click knows no completion for {shell}")
    completion = kind(group, {}, "batchemo", "_BATCHEMO_COMPLETE")
    click.echo(completion.source())


def _usual_shell() -> str:
    shell = PurePath(os.environ.get("SHELL", "")).name
    if shell not in SHELLS:
        raise UsageError(f"$SHELL names none of them: say which, {', '.join(SHELLS)}")
    return shell
