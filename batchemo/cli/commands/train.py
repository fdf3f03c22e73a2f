"""`batchemo train`: train a recipe on labelled recordings and write a bundle."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from batchemo.cli.corpus_options import (
    corpus_arguments,
    corpus_from,
    corpus_options,
    warn_about_corpus,
    warn_about_failures,
)
from batchemo.cli.output.training_progress import training_progress
from batchemo.cli.process import stop_on_signals
from batchemo.cli.shared_options import (
    ENVIRONMENT,
    config_option,
    jobs_option,
    quiet_option,
    switch,
)
from batchemo.cli.training_options import (
    SOME_FAILED,
    build_experiment,
    encoder_option,
    hyperparameter_arguments,
    hyperparameter_options,
    recipe_from,
    require_training_packages,
    seed_option,
    worker_count,
)
from batchemo.common.text import counted, for_display
from batchemo.errors import UsageError

if TYPE_CHECKING:
    from batchemo.evaluation import Evaluation
    from batchemo.training.experiment.cross_validation import Experiment
    from batchemo.training.export.package import PackageOptions
    from batchemo.training.train import TrainResult

EPILOG = """
\b
Recipes:
  default      small nets on a light speech encoder, which it takes from the model default
  accurate     small nets on a pretrained speech encoder, which needs --encoder
  functionals  a logistic regression on statistics of a window: the baseline
  cnn1d        Conv1D with BatchNorm on 162 mean features
  melattn      Conv1D, BiLSTM and self-attention on log-mel spectrograms
  stats162     wide Conv1D on 162 mean features, with three copies of each recording
  frames62     Conv1D and BiLSTM on 130 frames of 62 features
  mfcc40       a small Conv1D net on the means of 40 MFCCs

\b
Examples:
  batchemo train ./ravdess ./nemo --recipe default -o models/mine
  batchemo train ./ravdess --recipe mfcc40 -o ./small
  batchemo train ./ravdess --recipe accurate --encoder smart-turn-v3.2-cpu.onnx -o ./mine
  batchemo train ./ravdess ./emovo --recipe melattn --label calm=neutral -o ./mine
  batchemo train clips.csv --labels low,high --recipe stats162 --param n_mfcc=40 -o ./mine
  batchemo scan ./recordings --model ./mine -o results.parquet

\b
Exit codes:
  0 all done   1 the run failed   2 wrong usage   3 done, some recordings failed
  130/143 interrupted: run the same command again to resume
"""

BUNDLE_NAME = re.compile(r"(?!\.\.?$)[A-Za-z0-9._-]+")
"""What a bundle can be called: a name that is the same in any shell, URL and file system."""


@click.command(context_settings=ENVIRONMENT, epilog=EPILOG)
@click.argument("corpora", nargs=-1, required=True, metavar="CORPUS...", type=click.Path())
@click.option(
    "--recipe", required=True, metavar="NAME", help="What to train: a name from the list below."
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    allow_from_autoenv=False,
    help="Folder of the new bundle; its name becomes the model's name.",
)
@corpus_options
@hyperparameter_options
@encoder_option
@seed_option
@click.option(
    "--licence",
    metavar="TEXT",
    help="Licence of the weights; by default what the corpora demand.",
)
@click.option(
    "--figures",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Put the figures of this evaluation.json (written by `batchemo evaluate -o`) on the model "
    "card. Repeatable.",
)
@click.option(
    "--compare",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Put the figures of another model's evaluation.json on the model card, for comparison. "
    "Repeatable.",
)
@click.option(
    "--work",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Folder for features and checkpoints; by default NAME.work in the current folder.",
)
@jobs_option
@switch("--overwrite", allow_from_autoenv=False, help="Replace an existing bundle.")
@quiet_option
@config_option
def command(corpora: tuple[str, ...], output: Path, quiet: bool, **values: Any) -> int:
    """Train a model on CORPUS: folders with the file names of a known corpus, or manifests.

    Some speakers are held out of training to select the epoch and to calibrate; the recipes default
    and accurate select no epoch and train on all. After an interruption the same command resumes.
    """
    from batchemo.training.export.package import PackageOptions
    from batchemo.training.recipes import get_recipe

    _check_output(output, values.pop("overwrite"))
    arguments = [*_first_arguments(corpora, output, values), *corpus_arguments(values)]
    recipe = recipe_from(values.pop("recipe"), values)
    defaults = get_recipe(recipe.name).hyperparameters
    arguments += hyperparameter_arguments(recipe.hyperparameters, defaults)
    package = PackageOptions(
        out=output,
        command=shlex.join(arguments),
        licence=values["licence"],
        evaluations=_evaluations(values["figures"], recipe.name),
        comparisons=_other_evaluations(values["compare"]),
    )
    require_training_packages()
    with stop_on_signals():
        corpus = corpus_from(corpora, values)
        if not quiet:
            warn_about_corpus(corpus)
        work = values["work"] or Path(f"{output.name}.work")
        experiment = build_experiment(recipe, corpus, work, encoder=values["encoder"])
        result = _train(experiment, package, values["jobs"], quiet)
    if not quiet:
        _show(result, output)
    return SOME_FAILED if corpus.failures or result.failures else 0


def _check_output(output: Path, overwrite: bool) -> None:
    shown = for_display(str(output))
    if not BUNDLE_NAME.fullmatch(output.name):
        raise UsageError(
            f"-o {shown}: the folder's name becomes the model's: use letters, digits, '.', '_', '-'"
        )
    if not output.exists():
        return
    if not (output / "bundle.json").is_file():
        raise UsageError(f"-o {shown}: exists and is not a model: name another folder")
    if not overwrite:
        raise UsageError(f"-o {shown}: this model exists: name another, or give --overwrite")


def _first_arguments(corpora: Sequence[str], output: Path, values: dict[str, Any]) -> list[str]:
    """Return the start of the command for the model card, without the paths of this machine."""
    names = [Path(path).resolve().name for path in corpora]
    arguments = ["batchemo", "train", *names, "--recipe", values["recipe"], "-o", output.name]
    arguments += [argument for param in values["params"] for argument in ("--param", param)]
    arguments += ["--encoder", values["encoder"].name] if values["encoder"] else []
    return arguments + (["--window", f"{values['window']:g}"] if values["window"] else [])


def _evaluations(files: Sequence[Path], name: str) -> tuple[Evaluation, ...]:
    """Read the evaluations of the recipe itself, at most one of each kind."""
    from batchemo.evaluation import evaluation_key, read_evaluation

    evaluations = {file: read_evaluation(file) for file in files}
    keys = set()
    for file, evaluation in evaluations.items():
        subject, key, shown = (
            evaluation.info.subject,
            evaluation_key(evaluation),
            for_display(str(file)),
        )
        if subject != name:
            raise UsageError(
                f"--figures {shown}: evaluates {subject}, not {name}: give it to --compare"
            )
        if key in keys:
            raise UsageError(f"--figures {shown}: there is another evaluation by {key}")
        keys.add(key)
    return tuple(evaluations.values())


def _other_evaluations(files: Sequence[Path]) -> tuple[Evaluation, ...]:
    from batchemo.evaluation import read_evaluation

    return tuple(read_evaluation(file) for file in files)


def _train(experiment: Experiment, package: PackageOptions, jobs: int, quiet: bool) -> TrainResult:
    from batchemo.training.train import train_bundle

    with training_progress(quiet, experiment.recipe.hyperparameters.epochs) as display:
        return train_bundle(
            experiment,
            package,
            jobs=worker_count(jobs),
            on_progress=display.on_features,
            on_epoch=display.on_epoch,
        )


def _show(result: TrainResult, output: Path) -> None:
    """Print the failures, and for each trained net the selected epoch."""
    if result.failures:
        warn_about_failures([(example.path, reason) for example, reason in result.failures])
    shown = for_display(str(output))
    if not result.trained.fits:
        click.echo(f"batchemo: trained → {shown}")
    for fitted in result.trained.fits:
        epochs, selected = counted(len(fitted.history), "epoch"), fitted.selected
        if selected.validation_accuracy is None:
            click.echo(f"batchemo: {epochs} → {shown}")
        else:
            click.echo(
                f"batchemo: {epochs}, epoch {selected.number + 1} selected: validation accuracy "
                f"{selected.validation_accuracy:.3f}, UAR {selected.validation_uar:.3f} → {shown}"
            )
