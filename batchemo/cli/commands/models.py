"""`batchemo models`: which models there are, what their cards say, whether they are whole."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from batchemo.cli.output.progress import warn
from batchemo.common.text import for_display
from batchemo.errors import BundleError

if TYPE_CHECKING:
    from batchemo.bundles import Bundle

EPILOG = """
\b
Examples:
  batchemo models
  batchemo models show default
  batchemo models verify
  batchemo models verify ./my-bundle
"""

DAMAGED = 1


@click.group(invoke_without_command=True, epilog=EPILOG)
@click.option("--json", "as_json", is_flag=True, help="Print an array of objects for machines.")
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> int:
    """List the models that batchemo ships, or look at one."""
    from batchemo.bundles import list_bundles

    if ctx.invoked_subcommand is not None:
        return 0
    whole, damaged = _load(list_bundles())
    if as_json:
        click.echo(json.dumps([_facts(bundle) for bundle in whole], indent=2))
    elif whole:
        for bundle in whole:
            _list_one(bundle)
        click.echo("`batchemo models show NAME` prints a model's card.")
    else:
        warn("no model is shipped with this installation. -m takes the folder of a bundle")
    return DAMAGED if damaged else 0


@command.command()
@click.argument("name", default="default")
def show(name: str) -> None:
    """Print the card of the model NAME: what it was made of, and how well it does."""
    from batchemo.bundles import load_bundle

    card = load_bundle(name).card
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.markdown import Markdown

        Console().print(Markdown(_harmless(card)))
    else:
        click.echo(_harmless(card))


@command.command()
@click.argument("models", nargs=-1)
def verify(models: tuple[str, ...]) -> int:
    """Check every file of MODELS, names or folders, by its digest; without any, of all."""
    from batchemo.bundles import list_bundles

    whole, damaged = _load(models or list_bundles())
    for bundle in whole:
        files = len(bundle.info["files"])
        click.echo(f"{bundle.name}: ok, {files} files, digest {bundle.digest}")
    if not whole and not damaged:
        warn("there was no model to verify")
    return DAMAGED if damaged else 0


def _load(models: tuple[str, ...]) -> tuple[list[Bundle], int]:
    """Load what can be loaded, and warn of what cannot."""
    from batchemo.bundles import load_bundle

    whole, damaged = [], 0
    for model in models:
        try:
            whole.append(load_bundle(model))
        except BundleError as error:
            warn(str(error))
            damaged += 1
    return whole, damaged


def _size(bundle: Bundle) -> int:
    return sum(file["bytes"] for file in bundle.info["files"].values())


def _facts(bundle: Bundle) -> dict[str, Any]:
    return {
        "name": bundle.name,
        "description": bundle.info["description"],
        "labels": list(bundle.labels),
        "features": bundle.recipe["name"],
        "window": bundle.window,
        "hop": bundle.hop,
        "bytes": _size(bundle),
        "licence": bundle.info["licence"],
        "figures": bundle.info["figures"],
        "digest": bundle.digest,
        "path": str(bundle.path),
    }


def _list_one(bundle: Bundle) -> None:
    info = bundle.info
    click.echo(f"{click.style(bundle.name, bold=True)}  {for_display(info['description'])}")
    click.echo(f"  labels    {', '.join(bundle.labels)}")
    click.echo(
        f"  size      {_size(bundle) / 2**20:.1f} MiB, licence {for_display(info['licence'])}"
    )
    uar, accuracy = (_on_unseen(info["figures"], name) for name in ("uar", "accuracy"))
    if uar is not None and accuracy is not None:
        right = f"UAR {uar:.3f}, accuracy {accuracy:.3f}"
        click.echo(f"  figures   {right} on actors that it never heard (protocol: see its card)")
    click.echo()


def _on_unseen(figures: Mapping[str, Any], name: str) -> float | None:
    """The figure as the bundle tells it, by itself or as a mean; None where it is not there."""
    unseen = figures.get("unseen_actors", figures.get("speaker"))
    told = unseen.get(name) if isinstance(unseen, Mapping) else None
    told = told.get("mean") if isinstance(told, Mapping) else told
    return told if isinstance(told, float) else None


def _harmless(text: str) -> str:
    return "\n".join(for_display(line.expandtabs()) for line in text.splitlines())
