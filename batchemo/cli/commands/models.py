"""`batchemo models`: the models, their cards, whether they are intact, and imports of others."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from batchemo.cli.commands.models_import import import_command
from batchemo.cli.output.progress import warn
from batchemo.cli.shared_options import json_option
from batchemo.common.text import counted, for_display
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
    return 0 if ctx.invoked_subcommand is not None else _list(as_json=as_json)


command.add_command(import_command)


@command.command("list")
@json_option
def list_command(as_json: bool) -> int:
    """List all models, as `batchemo models` does."""
    return _list(as_json=as_json)


def _list(*, as_json: bool) -> int:
    from batchemo.bundles import list_bundles
    from batchemo.bundles.user_models import list_user_bundles, user_models_folder

    bundles, damaged = _load((*list_bundles(), *list_user_bundles()))
    if as_json:
        click.echo(json.dumps([_facts(bundle) for bundle in bundles], indent=2))
    elif bundles:
        for line in _lines(bundles):
            click.echo(line)
        click.echo(
            "* is the default. Mean recall (UAR) on speakers, and on corpora and languages,\n"
            "that the model was not trained on. `batchemo models show NAME` prints its card."
        )
        if list_user_bundles():
            click.echo(f"Yours are in {for_display(str(user_models_folder()))}.")
    else:
        warn("this installation has no models. -m takes the folder of a bundle")
    return DAMAGED if damaged else 0


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


def _lines(bundles: Sequence[Bundle]) -> Iterator[str]:
    """Yield a heading, and a line for each model: with short names, at most 80 characters."""
    from batchemo.bundles.figures import uar_unseen_corpora, uar_unseen_speakers

    width = max(len(bundle.name) for bundle in bundles)
    yield f"  {'model':{width}}  speakers  corpora      size  gives         licence"
    for bundle in bundles:
        mark = "*" if bundle.name == ModelSettings().model else " "
        figures = bundle.info["figures"]
        found = (uar_unseen_speakers(figures), uar_unseen_corpora(figures))
        speakers, corpora = ("" if uar is None else f"{uar:.3f}" for uar in found)
        size = f"{_size(bundle) / 2**20:.1f} MiB"
        gives = counted(len(bundle.labels or bundle.dimensions), _noun(bundle))
        licence = for_display(bundle.licence)
        yield (
            f"{mark} {bundle.name:{width}}  {speakers:>8}  {corpora:>7}  {size:>8}  {gives:12}"
            f"  {licence}"
        )


def _noun(bundle: Bundle) -> str:
    return "label" if bundle.labels else "dimension"


def _safe_text(text: str) -> str:
    return "\n".join(for_display(line.expandtabs()) for line in text.splitlines())
