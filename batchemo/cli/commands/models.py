"""`batchemo models`: the models, their cards, whether they are intact, and imports of others."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from batchemo.cli.commands.models_import import import_command
from batchemo.cli.output.progress import warn
from batchemo.cli.shared_options import json_option
from batchemo.common.text import for_display
from batchemo.errors import BundleError, UsageError
from batchemo.inference.settings import ModelSettings

if TYPE_CHECKING:
    from batchemo.bundles import Bundle

EPILOG = """
\b
Examples:
  batchemo models
  batchemo models show default
  batchemo models verify
  batchemo models verify ./my-bundle
  batchemo models import ./exported-model --name mine
  batchemo models remove mine
"""

DAMAGED = 1


@click.group(invoke_without_command=True, epilog=EPILOG)
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> int:
    """List the models that batchemo ships and yours, show a card, verify, import or remove one."""
    from batchemo.bundles import list_bundles
    from batchemo.bundles.user_models import list_user_bundles, user_models_folder

    if ctx.invoked_subcommand is not None:
        return 0
    bundles, damaged = _load((*list_bundles(), *list_user_bundles()))
    if as_json:
        click.echo(json.dumps([_facts(bundle) for bundle in bundles], indent=2))
    elif bundles:
        width = max(len(bundle.name) for bundle in bundles)
        for bundle in bundles:
            click.echo(_line(bundle, width))
        click.echo(
            "* is the default. UAR: on unseen speakers. `batchemo models show NAME` prints a "
            "model's card."
        )
        if list_user_bundles():
            click.echo(f"Yours are in {for_display(str(user_models_folder()))}.")
    else:
        warn("this installation has no models. -m takes the folder of a bundle")
    return DAMAGED if damaged else 0


command.add_command(import_command)


@command.command()
@click.argument("name", default="default")
def show(name: str) -> None:
    """Print the model card of NAME: how it was trained, and how accurate it is."""
    from batchemo.bundles import load_bundle

    card = load_bundle(name).card
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.markdown import Markdown

        Console().print(Markdown(_safe_text(card)))
    else:
        click.echo(_safe_text(card))


@command.command()
@click.argument("models", nargs=-1)
def verify(models: tuple[str, ...]) -> int:
    """Check MODELS (names or folders; by default all): every file against its digest, and a run.

    The model runs on noise, in a process of its own with a time limit.
    """
    from batchemo.bundles import list_bundles
    from batchemo.bundles.user_models import list_user_bundles
    from batchemo.diagnostics.model_trial import run_once

    bundles, damaged = _load(models or (*list_bundles(), *list_user_bundles()))
    for bundle in bundles:
        try:
            run_once(str(bundle.path))
        except BundleError as error:
            warn(str(error))
            damaged += 1
            continue
        files = len(bundle.info["files"])
        click.echo(f"{bundle.name}: ok, {files} files, digest {bundle.digest}")
    if not bundles and not damaged:
        warn("there is no model to verify")
    return DAMAGED if damaged else 0


@command.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Remove it without asking.")
def remove(name: str, yes: bool) -> None:
    """Remove the model NAME of yours, which `models import --name` wrote.

    Shipped models, and bundles in folders of your choice, stay.
    """
    from batchemo.bundles.user_models import check_removable, remove_user_bundle

    folder = for_display(str(check_removable(name)))
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError("there is no terminal to ask on: --yes removes it without asking")
        click.confirm(f"Remove {folder}?", abort=True)
    remove_user_bundle(name)
    click.echo(f"removed {folder}")


def _load(models: tuple[str, ...]) -> tuple[list[Bundle], int]:
    """Return the bundles that are intact and the number of damaged ones, which are warned about."""
    from batchemo.bundles import load_bundle

    bundles, damaged = [], 0
    for model in models:
        try:
            bundles.append(load_bundle(model))
        except BundleError as error:
            warn(str(error))
            damaged += 1
    return bundles, damaged


def _size(bundle: Bundle) -> int:
    return sum(file["bytes"] for file in bundle.info["files"].values())


def _facts(bundle: Bundle) -> dict[str, Any]:
    return {
        "name": bundle.name,
        "description": bundle.description,
        "labels": list(bundle.labels),
        "dimensions": list(bundle.dimensions),
        "features": bundle.features["name"] if bundle.features else "waveform",
        "window": bundle.window,
        "hop": bundle.hop,
        "bytes": _size(bundle),
        "licence": bundle.licence,
        "figures": bundle.info["figures"],
        "digest": bundle.digest,
        "path": str(bundle.path),
    }


def _line(bundle: Bundle, width: int) -> str:
    """Return a line of the list; names have `width` characters."""
    mark = "*" if bundle.name == ModelSettings().model else " "
    uar = _unseen_speakers(bundle.info["figures"], "uar")
    figure = "" if uar is None else f"UAR {uar:.3f}"
    size = f"{_size(bundle) / 2**20:.1f} MiB"
    licence = for_display(bundle.licence)
    labels = ", ".join((*bundle.labels, *bundle.dimensions))
    return f"{mark} {bundle.name:{width}}  {figure:9}  {size:>9}  {licence}  {labels}"


def _unseen_speakers(figures: Mapping[str, Any], name: str) -> float | None:
    """Return a figure of a bundle on unseen speakers; None where it has none.

    A bundle may come from anywhere: its figures can be of any type.
    """
    unseen = figures.get("unseen_actors", figures.get("speaker"))
    value = unseen.get(name) if isinstance(unseen, Mapping) else None
    value = value.get("mean") if isinstance(value, Mapping) else value
    return value if isinstance(value, float) else None


def _safe_text(text: str) -> str:
    return "\n".join(for_display(line.expandtabs()) for line in text.splitlines())
