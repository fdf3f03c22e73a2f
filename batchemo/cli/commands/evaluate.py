"""`batchemo evaluate`: how accurate a recipe or a trained model is, by a protocol."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from batchemo.cli.corpus_options import corpus_from, corpus_options, warn_about_corpus
from batchemo.cli.output.evaluation_report import show_evaluation
from batchemo.cli.output.training_progress import training_progress
from batchemo.cli.process import Stopped, stop_on_signals
from batchemo.cli.shared_options import (
    ENVIRONMENT,
    config_option,
    jobs_option,
    json_option,
    quiet_option,
    split_commas,
)
from batchemo.cli.training_options import (
    SOME_FAILED,
    build_experiment,
    encoder_option,
    given_options,
    hyperparameter_options,
    recipe_from,
    require_plot_packages,
    require_training_packages,
    worker_count,
)
from batchemo.common.text import for_display
from batchemo.errors import UsageError

if TYPE_CHECKING:
    from batchemo.bundles import Bundle
    from batchemo.corpora import Corpus
    from batchemo.evaluation import Evaluation
    from batchemo.training.data.protocols import Protocol

EPILOG = """
\b
RECIPE|MODEL:
  mfcc40                the recipe of that name (see `batchemo train`): trained anew for every fold
                        and seed
  ./mine, models/mfcc40 the trained model in that folder
  another name          the shipped model of that name

\b
Protocols:
  speaker   tested on speakers that are not in the training data: what to expect for new speakers
  corpus    tested on each corpus in turn, without training on its speakers and its language: what
            to expect for recordings from elsewhere
  random    tested on other recordings of the speakers in the training data
  leaky     with copies of the same recordings in training and test data, as in figures that are
            too good to be true; of a trained model also on its training data. Not an accuracy

\b
Examples:
  batchemo evaluate mfcc40 ./ravdess --seeds 3 -o figures/
  batchemo evaluate default ./ravdess ./nemo ./emodb --leave-out corpus
  batchemo evaluate stats162 ./ravdess --protocol leaky
  batchemo evaluate ./mine ./emovo --classes neutral,happy,sad,angry --json

\b
Exit codes:
  0 all done   1 the run failed   2 wrong usage   3 done, some recordings failed
  130/143 interrupted: run the same command again to resume
"""


def parse_folds(value: str) -> int | str:
    """Return a number of folds, or `luna-jimenez`."""
    if value == "luna-jimenez":
        return value
    if not value.isascii() or not value.isdigit() or int(value) < 2:
        raise click.BadParameter(f"{value!r} is neither a number from 2 nor luna-jimenez")
    return int(value)


@click.command(context_settings=ENVIRONMENT, epilog=EPILOG)
@click.argument("subject", metavar="RECIPE|MODEL")
@click.argument("corpora", nargs=-1, required=True, metavar="CORPUS...", type=click.Path())
@click.option(
    "--protocol",
    "--leave-out",
    "protocol",
    type=click.Choice(["speaker", "corpus", "random", "leaky"]),
    default="speaker",
    show_default=True,
    help="How recordings are split into training and test data: see below.",
)
@click.option(
    "--test-only",
    multiple=True,
    metavar="CORPUS",
    help="With --leave-out corpus: never train on this corpus, only test on it. Repeatable.",
)
@click.option(
    "--test-on",
    multiple=True,
    metavar="CORPUS",
    help="With --protocol speaker: only test on this corpus, and train on all. Repeatable.",
)
@click.option(
    "--folds",
    type=parse_folds,
    metavar="N|luna-jimenez",
    help="With --protocol speaker: number of folds, or the published folds of RAVDESS; by default "
    "those if all recordings are RAVDESS, else 5.",
)
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    metavar="N",
    show_default="1",
    help="Repeat every training with the seeds 0 to N-1, to measure how much the figures vary.",
)
@click.option(
    "--classes",
    metavar="LIST",
    help="Evaluate a trained model only on these classes, such as those that the corpus has.",
)
@click.option(
    "--conditions",
    metavar="LIST",
    help="Also test on degraded versions of the test recordings: telephone, noise20, noise10, "
    "noise0, level, mp3, music, child, reverb, or all.",
)
@corpus_options
@hyperparameter_options
@encoder_option
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    allow_from_autoenv=False,
    help="Write evaluation.json, tables as CSV and plots as PNG into this folder.",
)
@json_option
@click.option(
    "--work",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Folder for features and results; by default NAME.work in the current folder for a "
    "recipe, a temporary folder for a trained model.",
)
@jobs_option
@quiet_option
@config_option
def command(subject: str, corpora: tuple[str, ...], **values: Any) -> int:
    """Measure the accuracy of RECIPE or MODEL on CORPUS.

    CORPUS is folders with the file names of a known corpus, or manifests. A recipe is trained as
    often as the protocol demands; a trained model is tested on recordings that it was not trained
    on.
    """
    run = _Run(*(values.pop(name) for name in ("protocol", "output", "as_json", "quiet", "jobs")))
    if run.quiet and not (run.output or run.as_json):
        raise UsageError("with --quiet there would be no result: add -o FOLDER or --json")
    evaluate = _evaluate_recipe if _is_recipe(subject) else _evaluate_model
    with stop_on_signals():
        evaluation, some_failed = evaluate(subject, corpora, run, values)
    _write_and_show(evaluation, run)
    return SOME_FAILED if some_failed else 0


@dataclass(frozen=True, slots=True)
class _Run:
    """Options of every evaluation, whatever is evaluated."""

    protocol: Protocol
    output: Path | None
    as_json: bool
    quiet: bool
    jobs: int

    def message(self, text: str) -> None:
        """Print a note to standard error."""
        if not self.quiet:
            click.echo(f"batchemo: {for_display(text)}", err=True)


def _is_recipe(subject: str) -> bool:
    from batchemo.training.recipes import RECIPES

    return subject in RECIPES


def _evaluate_recipe(
    name: str, corpora: tuple[str, ...], run: _Run, values: dict[str, Any]
) -> tuple[Evaluation, bool]:
    """Train and test a recipe; return its evaluation, and whether some recordings failed."""
    from batchemo.training.data.left_out import corpus_folds
    from batchemo.training.data.protocols import folds_to_test
    from batchemo.training.experiment.evaluate import evaluate_recipe

    if values["classes"] is not None:
        raise UsageError("--classes is for trained models; --label OLD= leaves classes out")
    for option in _UNUSED_IN_PROTOCOLS:
        _check_use(option, run.protocol, values)
    recipe = recipe_from(name, values)
    require_training_packages()
    if shipped := _shipped_model(name):
        run.message(f"{name} is the recipe, trained anew here; the shipped model is {shipped}")
    else:
        run.message(f"{name} is the recipe, trained anew here; a model of that name is ./{name}")
    corpus = _read_corpus(corpora, run, values)
    # Fails now, and not after hours of work, where there can be no folds.
    if run.protocol == "speaker":
        folds_to_test(corpus.examples, values["folds"], values["test_on"])
    if run.protocol == "corpus":
        corpus_folds(corpus.examples, values["test_only"])
    experiment = build_experiment(
        recipe,
        corpus,
        values["work"] or Path(f"{name}.work"),
        encoder=values["encoder"],
        protocol=run.protocol,
        seeds=tuple(range(values["seeds"] or 1)),
        folds=values["folds"],
        test_only=values["test_only"],
        test_on=values["test_on"],
        conditions=_conditions(values),
    )
    with training_progress(run.quiet, recipe.hyperparameters.epochs) as display:
        evaluation = evaluate_recipe(
            experiment,
            corpus,
            jobs=worker_count(run.jobs),
            on_progress=display.on_features,
            on_run=display.on_run,
        )
    return evaluation, _some_failed(corpus, evaluation)


def _evaluate_model(
    name: str, corpora: tuple[str, ...], run: _Run, values: dict[str, Any]
) -> tuple[Evaluation, bool]:
    """Test a trained model; return its evaluation, and whether some recordings failed."""
    from batchemo.bundles import load_bundle
    from batchemo.training.experiment.evaluate import evaluate_bundle
    from batchemo.training.recipes import RECIPES

    bundle = load_bundle(_bundle_folder(name))
    _refuse_training_options(bundle, values)
    classes = split_commas((values["classes"] or "",))
    conditions = _conditions(values)
    if run.output:
        require_plot_packages()
    run.message(
        f"{name} is a trained model and is not trained again; the recipes are {', '.join(RECIPES)}"
    )
    corpus = _read_corpus(corpora, run, values)
    with _feature_folder(values["work"]) as cache, training_progress(run.quiet, 0) as display:
        evaluation = evaluate_bundle(
            bundle,
            corpus,
            run.protocol,
            classes=classes,
            conditions=conditions,
            feature_folder=cache,
            jobs=worker_count(run.jobs),
            on_progress=display.on_features,
        )
    return evaluation, _some_failed(corpus, evaluation)


_UNUSED_IN_PROTOCOLS = {
    "--folds": ("corpus", "random", "leaky"),
    "--test-only": ("speaker", "random", "leaky"),
    "--test-on": ("corpus", "random", "leaky"),
    "--validation-share": ("leaky",),
    "--conditions": ("leaky",),
}
"""Options of recipes, and the protocols in which they have no effect."""


def _check_use(option: str, protocol: Protocol, values: dict[str, Any]) -> None:
    """Refuse an option that has no effect in this protocol."""
    value = values[option[2:].replace("-", "_")]
    if value not in (None, ()) and protocol in _UNUSED_IN_PROTOCOLS[option]:
        raise UsageError(f"{option} has no effect with --protocol {protocol}")


def _conditions(values: dict[str, Any]) -> tuple[str, ...]:
    """Return the names of the conditions that are asked for."""
    from batchemo.evaluation.conditions import CONDITIONS, check_conditions

    names = split_commas((values["conditions"] or "",))
    if names == ("all",):
        return tuple(CONDITIONS)
    check_conditions(names)
    return names


def _bundle_folder(name: str) -> Path:
    from batchemo.bundles import find_bundle
    from batchemo.training.recipes import RECIPES

    try:
        return find_bundle(name)
    except UsageError as error:
        raise UsageError(f"{error} Or name a recipe: {', '.join(RECIPES)}.") from None


def _shipped_model(name: str) -> Path | None:
    from batchemo.bundles import find_bundle, list_bundles

    return find_bundle(name) if name in list_bundles() else None


def _refuse_training_options(bundle: Bundle, values: dict[str, Any]) -> None:
    options = given_options(values)
    options += [f"--{name}" for name in ("folds", "seeds") if values[name] is not None]
    options += [
        f"--{name}"
        for name in ("test-only", "test-on", "encoder")
        if values[name.replace("-", "_")]
    ]
    if options:
        raise UsageError(
            f"{', '.join(options)}: only for recipes; {bundle.name} is a trained model, which is "
            "not trained again"
        )


def _read_corpus(paths: tuple[str, ...], run: _Run, values: dict[str, Any]) -> Corpus:
    corpus = corpus_from(paths, values)
    if not run.quiet:
        warn_about_corpus(corpus)
    return corpus


@contextmanager
def _feature_folder(work: Path | None) -> Iterator[Path]:
    """Yield a folder for features: inside `work`, or a temporary one that is deleted."""
    if work is not None:
        yield work / "features"
        return
    try:
        with TemporaryDirectory(prefix="batchemo-") as folder:
            yield Path(folder)
    except Stopped as stopped:
        outcome = "Nothing is kept; --work FOLDER would keep the features"
        raise Stopped(stopped.number, outcome) from None


def _some_failed(corpus: Corpus, evaluation: Evaluation) -> bool:
    """Return whether recordings could not be read or analysed, as opposed to being left out."""
    from batchemo.audio import REASONS

    return bool(corpus.failures) or not REASONS.keys().isdisjoint(evaluation.info.left_out)


def _write_and_show(evaluation: Evaluation, run: _Run) -> None:
    from batchemo.evaluation import write_evaluation

    if run.output:
        write_evaluation(run.output, evaluation)
    if run.as_json:
        click.echo(json.dumps(evaluation.to_dict(), indent=2, allow_nan=False))
    elif not run.quiet:
        show_evaluation(evaluation, sys.stdout)
        if run.output:
            click.echo(f"→ {for_display(str(run.output))}")
