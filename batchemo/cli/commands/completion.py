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
    """Print the completion script for SHELL, by default the shell in $SHELL."""
    shell = shell or _login_shell()
    completion_class = get_completion_class(shell)
    group = click.get_current_context().find_root().command
    if completion_class is None:  # Only if a later click drops one of the three shells.
        raise UsageError(f"the installed click has no completion for {shell}")
    completion = completion_class(group, {}, "batchemo", "_BATCHEMO_COMPLETE")
    click.echo(completion.source())


def _login_shell() -> str:
    shell = PurePath(os.environ.get("SHELL", "")).name
    if shell not in SHELLS:
        raise UsageError(f"$SHELL is none of the supported shells: name one of {', '.join(SHELLS)}")
    return shell
