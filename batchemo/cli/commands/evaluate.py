"""`batchemo evaluate`: how well a recipe, or a finished model, does under a protocol."""

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

from batchemo.cli.corpus_options import corpus_from, corpus_options, warn_of
from batchemo.cli.output.evaluation_report import show_evaluation
from batchemo.cli.output.training_progress import followed
from batchemo.cli.process import Stopped, stoppable
from batchemo.cli.shared_options import (
    ENVIRONMENT,
    config_option,
    jobs_option,
    quiet_option,
    split_words,
)
from batchemo.cli.training_options import (
    SOME_FAILED,
    exam_of,
    given,
    hyperparameters_from,
    learning_options,
    need_to_draw,
    need_to_teach,
    processes,
    system_from,
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
SUBJECT:
  mfcc40                the recipe of that name (as in `batchemo train`): trained anew for every
                        fold and seed
  ./mine, models/mfcc40 the finished model in that folder
  another name          the model that is shipped under it

\b
Protocols:
  speaker   tested on speakers of whom nothing was learnt: what to expect of new people
  random    tested on other recordings of speakers that are known
  leaky     copies of the same recordings on both sides, as in figures that are too good to be
            true; of a finished model: also what it learnt from. No measure of accuracy

\b
Examples:
  batchemo evaluate mfcc40 ./ravdess --seeds 3 -o figures/
  batchemo evaluate stats162 ./ravdess --protocol leaky
  batchemo evaluate ./mine ./emovo --classes neutral,happy,sad,angry --json

\b
Exit codes:
  0 all done   1 the run failed   2 wrong usage   3 done, some recordings could not be heard
  130/143 interrupted: the same command goes on
"""


def _folds(value: str) -> int | str:
    if value == "luna-jimenez":
        return value
    if not value.isascii() or not value.isdigit() or int(value) < 2:
        raise click.BadParameter(f"{value!r} is neither a number from 2 on nor luna-jimenez")
    return int(value)


@click.command(context_settings=ENVIRONMENT, epilog=EPILOG)
@click.argument("subject", metavar="RECIPE|MODEL")
@click.argument("corpora", nargs=-1, required=True, metavar="CORPUS...", type=click.Path())
@click.option(
    "--protocol",
    type=click.Choice(["speaker", "random", "leaky"]),
    default="speaker",
    show_default=True,
    help="What is tested on what: see below.",
)
@click.option(
    "--folds",
    type=_folds,
    metavar="N|luna-jimenez",
    help="With protocol speaker: so many folds of speakers, or the published ones of RAVDESS; "
    "default: these where all is RAVDESS, else 5.",
)
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    metavar="N",
    show_default="1",
    help="Train everything so many times, by the seeds 0 to N-1, to see how much chance there is.",
)
@click.option(
    "--classes",
    metavar="LIST",
    help="Of a finished model: judge only these classes, such as those that the corpus has.",
)
@click.option(
    "--conditions",
    metavar="LIST",
    help="Also hear what is tested otherwise, and tell what that costs: telephone, noise20, "
    "noise10, noise0, level, mp3, music, child, reverb, or all.",
)
@corpus_options
@learning_options
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    allow_from_autoenv=False,
    help="Write evaluation.json, tables as CSV and pictures as PNG there.",
)
@click.option("--json", "as_json", is_flag=True, help="Print all figures as JSON, nothing else.")
@click.option(
    "--work",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Where features and results are kept; default: NAME.work here for a recipe, nowhere for "
    "a finished model.",
)
@jobs_option
@quiet_option
@config_option
def command(subject: str, corpora: tuple[str, ...], **values: Any) -> int:
    """Tell how well RECIPE or MODEL does on CORPUS: folders named as a known one, or manifests.

    A recipe is trained as often as the protocol asks for; a finished model is tested on what it
    did not learn from.
    """
    run = _Run(*(values.pop(name) for name in ("protocol", "output", "as_json", "quiet", "jobs")))
    if run.quiet and not (run.output or run.as_json):
        raise UsageError("with --quiet nothing would be told: give -o FOLDER or --json")
    examine = _recipe if _is_recipe(subject) else _bundle
    with stoppable():
        evaluation, failed = examine(subject, corpora, run, values)
    _deliver(evaluation, run)
    return SOME_FAILED if failed else 0


@dataclass(frozen=True, slots=True)
class _Run:
    """How an evaluation is run and delivered, whatever is evaluated."""

    protocol: Protocol
    output: Path | None
    as_json: bool
    quiet: bool
    jobs: int

    def say(self, text: str) -> None:
        """Tell people something that is no figure."""
        if not self.quiet:
            click.echo(f"batchemo: {for_display(text)}", err=True)


def _is_recipe(subject: str) -> bool:
    from batchemo.training.recipes import RECIPES

    return subject in RECIPES


def _recipe(
    name: str, corpora: tuple[str, ...], run: _Run, values: dict[str, Any]
) -> tuple[Evaluation, bool]:
    """Train and test a recipe."""
    from batchemo.training.data.protocols import folds_by_speaker
    from batchemo.training.experiment.evaluate import evaluate_system

    if values["classes"] is not None:
        raise UsageError("--classes is for finished models; --label OLD= leaves classes out")
    for option in ("--folds", "--validation-share", "--conditions"):
        _check_use(option, run.protocol, values)
    system = system_from(name, values)
    hyperparameters = hyperparameters_from(values, system)
    need_to_teach()
    if beside := _shipped(name):
        run.say(f"{name} is the recipe, trained anew here; the shipped model is {beside}")
    else:
        run.say(f"{name} is the recipe, trained anew here; a model of that name is ./{name}")
    corpus = _corpus(corpora, run, values)
    if run.protocol == "speaker":
        # Where there can be no folds, that is better known before hours of work than after.
        folds_by_speaker(corpus.examples, values["folds"])
    experiment = exam_of(
        system,
        hyperparameters,
        corpus,
        values["work"] or Path(f"{name}.work"),
        protocol=run.protocol,
        seeds=tuple(range(values["seeds"] or 1)),
        folds=values["folds"],
        conditions=_conditions(values),
    )
    with followed(run.quiet, hyperparameters.epochs) as follower:
        evaluation = evaluate_system(
            experiment, corpus, jobs=processes(run.jobs), progress=follower.hear, told=follower.sat
        )
    return evaluation, _some_failed(corpus, evaluation)


def _bundle(
    name: str, corpora: tuple[str, ...], run: _Run, values: dict[str, Any]
) -> tuple[Evaluation, bool]:
    """Test a finished model."""
    from batchemo.bundles import load_bundle
    from batchemo.training.experiment.evaluate import evaluate_bundle
    from batchemo.training.recipes import RECIPES

    bundle = load_bundle(_folder(name))
    _refuse_teaching(bundle, values)
    classes = split_words((values["classes"] or "",))
    conditions = _conditions(values)
    if run.output:
        need_to_draw()
    run.say(f"{name} is a finished model, nothing is trained; recipes are {', '.join(RECIPES)}")
    corpus = _corpus(corpora, run, values)
    with _cache(values["work"]) as cache, followed(run.quiet, 0) as follower:
        evaluation = evaluate_bundle(
            bundle,
            corpus,
            run.protocol,
            classes=classes,
            conditions=conditions,
            cache=cache,
            jobs=processes(run.jobs),
            progress=follower.hear,
        )
    return evaluation, _some_failed(corpus, evaluation)


def _check_use(option: str, protocol: Protocol, values: dict[str, Any]) -> None:
    """Refuse options that this protocol has no use for."""
    needless = {
        "--folds": ("random", "leaky"),
        "--validation-share": ("leaky",),
        "--conditions": ("leaky",),
    }
    if values[option[2:]] is not None and protocol in needless[option]:
        raise UsageError(f"{option} has no part in the protocol {protocol}")


def _conditions(values: dict[str, Any]) -> tuple[str, ...]:
    """What is asked for of what recordings can be heard under."""
    from batchemo.evaluation.conditions import CONDITIONS, check_conditions

    names = split_words((values["conditions"] or "",))
    if tuple(names) == ("all",):
        return tuple(CONDITIONS)
    check_conditions(names)
    return tuple(names)


def _folder(name: str) -> Path:
    from batchemo.bundles import find_bundle
    from batchemo.training.recipes import RECIPES

    try:
        return find_bundle(name)
    except UsageError as error:
        raise UsageError(f"{error} Or name a recipe: {', '.join(RECIPES)}.") from None


def _shipped(name: str) -> Path | None:
    from batchemo.bundles import find_bundle, list_bundles

    return find_bundle(name) if name in list_bundles() else None


def _refuse_teaching(bundle: Bundle, values: dict[str, Any]) -> None:
    options = given(values)
    options += [f"--{name}" for name in ("folds", "seeds") if values[name] is not None]
    if options:
        raise UsageError(
            f"{', '.join(options)}: for recipes only; {bundle.name} is a finished model, and "
            "nothing is trained"
        )


def _corpus(paths: tuple[str, ...], run: _Run, values: dict[str, Any]) -> Corpus:
    corpus = corpus_from(paths, values)
    if not run.quiet:
        warn_of(corpus)
    return corpus


@contextmanager
def _cache(work: Path | None) -> Iterator[Path]:
    """Where features are kept: for good where a folder is named, else for as long as it takes."""
    if work is not None:
        yield work / "features"
        return
    try:
        with TemporaryDirectory(prefix="batchemo-") as folder:
            yield Path(folder)
    except Stopped as stopped:
        raise Stopped(stopped.number, "Nothing was kept; --work FOLDER keeps features") from None


def _some_failed(corpus: Corpus, evaluation: Evaluation) -> bool:
    from batchemo.audio import REASONS

    return bool(corpus.failures) or not REASONS.keys().isdisjoint(evaluation.info.left_out)


def _deliver(evaluation: Evaluation, run: _Run) -> None:
    from batchemo.evaluation import write_evaluation

    if run.output:
        write_evaluation(run.output, evaluation)
    if run.as_json:
        click.echo(json.dumps(evaluation.to_dict(), indent=2, allow_nan=False))
    elif not run.quiet:
        show_evaluation(evaluation, sys.stdout)
        if run.output:
            click.echo(f"→ {for_display(str(run.output))}")
