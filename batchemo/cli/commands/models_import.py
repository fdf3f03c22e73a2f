"""`batchemo models import`: a model of somebody else as a bundle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from batchemo.cli.shared_options import (
    ENVIRONMENT,
    config_option,
    feature_set_from,
    json_option,
    param_option,
    split_commas,
)
from batchemo.common.text import for_display
from batchemo.features.limits import MAX_RATE, MAX_SECONDS

if TYPE_CHECKING:
    from batchemo.importing.run import ImportResult

EPILOG = """
\b
Examples:
  optimum-cli export onnx --model superb/hubert-base-superb-er exported
  batchemo models import exported -o models/hubert
  batchemo models import net.onnx -o models/net --input waveform --rate 16000 \\
      --labels neutral,happy,sad,angry
  batchemo models import model.h5 -o models/lstm --features frames62 --scaler scaler.json \\
      --labels angry,calm,disgust,fearful,happy,neutral,sad,surprised
  batchemo scan calls -o calls.parquet -m models/hubert

\b
What can be imported:
  a folder with model.onnx, config.json and preprocessor_config.json, as optimum exports it
  a folder with config.json, preprocessor_config.json and model.safetensors, as transformers
    saves it: pip install 'batchemo[import]' brings torch and transformers
  a .zip with model.onnx and model.yaml, as audEERING's audonnx saves it, or its folder
  an .onnx file that takes samples, with --input, --rate and --labels
  an .h5 or .keras file over one of our feature sets, with --features, --labels and, where the
    features were standardised, --scaler: pip install 'batchemo[train]' brings Keras
"""


def _renames(values: tuple[str, ...]) -> dict[str, str]:
    """Return the pairs of OLD=NEW.

    >>> _renames(("exc=happy",))
    {'exc': 'happy'}
    """
    pairs = [value.rpartition("=") for value in values]
    if wrong := [value for value in values if not value.rpartition("=")[0]]:
        raise click.BadParameter(f"{wrong[0]!r} is not OLD=NEW", param_hint="--label")
    return {old: new for old, _, new in pairs}


@click.command("import", context_settings=ENVIRONMENT, epilog=EPILOG)
@click.argument("source", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="The bundle to write; its name is the model's.",
)
@click.option(
    "--name",
    metavar="NAME",
    help="Write it among your models instead, where -m NAME finds it: see `batchemo models`.",
)
@click.option(
    "--labels",
    multiple=True,
    metavar="LIST",
    help="The classes in the order of the model's output, separated by commas. By default those "
    "that the source names.",
)
@click.option(
    "--dimensions",
    multiple=True,
    metavar="LIST",
    help="The outputs of the model are dimensions instead of classes: arousal, valence and "
    "dominance, or some of them, in their order. By default as the source says.",
)
@click.option(
    "--label",
    "rename",
    multiple=True,
    metavar="OLD=NEW",
    help="Give a class another name. Repeatable.",
)
@click.option(
    "--own-labels",
    is_flag=True,
    help="Keep the names of classes as they are. By default names such as ang or happiness become "
    "the usual ones, angry and happy.",
)
@click.option(
    "--input",
    type=click.Choice(["waveform"]),
    help="What an .onnx file takes: samples of shape (batch, samples).",
)
@click.option(
    "--features",
    metavar="NAME",
    help="The feature set that a Keras model takes: see `batchemo features --help`.",
)
@param_option
@click.option(
    "--scaler",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The mean and the scale that its features were standardised by: .json or .npz.",
)
@click.option(
    "--rate",
    type=click.IntRange(4000, MAX_RATE),
    metavar="HZ",
    help="Samples a second that the model takes.",
)
@click.option(
    "--normalise/--no-normalise",
    default=None,
    help="Scale the samples of each window to mean 0 and variance 1. By default as the source "
    "says; for an .onnx file, no.",
)
@click.option(
    "--window",
    type=click.FloatRange(0.02, MAX_SECONDS),
    metavar="SECONDS",
    help="Length of the windows that recordings are cut into, unless a scan asks for another; by "
    "default 10 s, or what the graph takes.",
)
@click.option(
    "--hop",
    type=click.FloatRange(0.02, MAX_SECONDS),
    metavar="SECONDS",
    help="From the start of a window to that of the next; by default the window.",
)
@click.option(
    "--classes",
    metavar="NAME",
    help="The output of the graph with the classes or the dimensions; by default logits, or the "
    "only one.",
)
@click.option("--licence", metavar="TEXT", help="The licence of the weights, for the card.")
@click.option(
    "--recordings",
    multiple=True,
    metavar="PATH",
    help="A file or folder of recordings on which the bundle and its source are compared. "
    "Repeatable. By default synthetic ones.",
)
@click.option(
    "--int8",
    is_flag=True,
    help="Store and multiply weights in 8 bits: a quarter of the size. The outputs change; by how"
    " much, on --recordings, is printed.",
)
@click.option("--overwrite", is_flag=True, help="Replace the bundle if it exists.")
@json_option
@config_option
def import_command(**values: Any) -> None:
    """Make a bundle of the model in SOURCE, and compare both on recordings.

    The source is read as data: only operators of its graph that are on an allow-list are run. The
    bundle is written only if its outputs equal those of the source. With --int8 they may differ.
    """
    from batchemo.bundles.user_models import place_for
    from batchemo.importing.options import ImportOptions
    from batchemo.importing.run import import_model

    as_json, name = values.pop("as_json"), values.pop("name")
    if (name is None) == (values["output"] is None):
        raise click.UsageError("give -o FOLDER or --name NAME, for where the model is written")
    if name is not None:
        values["output"] = place_for(name)
    values["labels"] = split_commas(values["labels"])
    values["dimensions"] = split_commas(values["dimensions"])
    if values["labels"] and values["dimensions"]:
        raise click.UsageError("--labels and --dimensions: a model's output gives one of them")
    values["rename"] = _renames(values["rename"])
    features, params = values["features"], values.pop("params")
    if params and features is None:
        raise click.UsageError("--param: sets a parameter of --features")
    values["features"] = None if features is None else feature_set_from(features, params)
    result = import_model(ImportOptions(**values))
    if as_json:
        click.echo(json.dumps(_facts(result), indent=2, ensure_ascii=False))
        return
    bundle = result.bundle
    click.echo(f"{for_display(str(bundle.path))}: {for_display(result.model.kind)}")
    if bundle.labels:
        click.echo(f"  labels    {', '.join(bundle.labels)}")
    else:
        click.echo(f"  gives     {', '.join(bundle.dimensions)}")
    click.echo(f"  licence   {for_display(bundle.licence)}")
    for note in result.model.notes:
        click.echo(f"  {for_display(note)}")
    click.echo(f"  {result.comparison.sentence()}")


def _facts(result: ImportResult) -> dict[str, Any]:
    bundle, comparison = result.bundle, result.comparison
    return {
        "path": str(bundle.path),
        "name": bundle.name,
        "digest": bundle.digest,
        "kind": result.model.kind,
        "labels": list(bundle.labels),
        "dimensions": list(bundle.dimensions),
        "notes": list(result.model.notes),
        "recordings": comparison.recordings,
        "windows": comparison.windows,
        "largest_difference": dict(comparison.differences),
        "same_label": comparison.same_label,
    }
