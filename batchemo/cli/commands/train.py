"""`batchemo train`: from labelled recordings to a bundle that scans."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from batchemo.cli.corpus_options import (
    corpus_from,
    corpus_options,
    corpus_words,
    warn_of,
    warn_of_failures,
)
from batchemo.cli.output.format import counted
from batchemo.cli.output.training_progress import followed
from batchemo.cli.process import stoppable
from batchemo.cli.shared_options import (
    ENVIRONMENT,
    config_option,
    jobs_option,
    quiet_option,
    switch,
)
from batchemo.cli.training_options import (
    SOME_FAILED,
    exam_of,
    hyperparameters_from,
    learning_options,
    learning_words,
    need_to_teach,
    processes,
    seed_option,
    system_from,
)
from batchemo.common.text import for_display
from batchemo.errors import UsageError

if TYPE_CHECKING:
    from batchemo.evaluation import Evaluation
    from batchemo.training.experiment.cross_validation import Experiment
    from batchemo.training.export.package import PackageOptions
    from batchemo.training.train import TrainResult

EPILOG = """
\b
Recipes:
  default      a small conformer over pictures of the speech, and the control beside it
  accurate     three such conformers, and the control beside them
  functionals  the control: a logistic regression on statistics of a window
  cnn1d        Conv1D with BatchNorm along 162 mean features
  melattn      Conv1D, BiLSTM and self-attention over log-mel pictures
  stats162     wide Conv1D along 162 mean features, three copies of each recording
  frames62     Conv1D and BiLSTM over 130 frames of 62 features
  mfcc40       a small Conv1D net along the means of 40 MFCCs

\b
Examples:
  batchemo train ./ravdess ./nemo --recipe default -o models/mine
  batchemo train ./ravdess --recipe mfcc40 -o ./small
  batchemo train ./ravdess ./emovo --recipe melattn --label calm=neutral -o ./mine
  batchemo train clips.csv --labels low,high --recipe stats162 --param n_mfcc=40 -o ./mine
  batchemo scan ./recordings --model ./mine -o results.parquet

\b
Exit codes:
  0 all done   1 the run failed   2 wrong usage   3 done, some recordings could not be heard
  130/143 interrupted: the same command goes on
"""


PLAIN_NAME = re.compile(r"(?!\.\.?$)[A-Za-z0-9._-]+")
"""What a bundle can be called."""


@click.command(context_settings=ENVIRONMENT, epilog=EPILOG)
@click.argument("corpora", nargs=-1, required=True, metavar="CORPUS...", type=click.Path())
@click.option("--recipe", required=True, metavar="NAME", help="Which system: see below.")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    allow_from_autoenv=False,
    help="The new bundle; the folder's name is the model's.",
)
@corpus_options
@learning_options
@seed_option
@click.option(
    "--licence", metavar="TEXT", help="Of the weights; default: what the corpora ask for."
)
@click.option(
    "--figures",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Put the figures of an evaluation.json, as `batchemo evaluate -o` writes it, on the "
    "model's card. Repeatable.",
)
@click.option(
    "--beside",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The evaluation.json of something else, to stand beside these figures on the card. "
    "Repeatable.",
)
@click.option(
    "--work",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Where features and checkpoints are kept; default: NAME.work here.",
)
@jobs_option
@switch("--overwrite", allow_from_autoenv=False, help="Replace a bundle that exists.")
@quiet_option
@config_option
def command(corpora: tuple[str, ...], output: Path, quiet: bool, **values: Any) -> int:
    """Train a model on CORPUS: folders that are named as a known corpus, or manifests.

    Some speakers are only watched, to choose the epoch and to calibrate; default and accurate
    choose nothing and learn from all. Interrupted, the same command goes on where it was.
    """
    from batchemo.training.export.package import PackageOptions

    _check_output(output, values.pop("overwrite"))
    words = [*_first_words(corpora, output, values), *corpus_words(values)]
    system = system_from(values.pop("recipe"), values)
    hyperparameters = hyperparameters_from(values, system)
    words += learning_words(hyperparameters, system.hyperparameters)
    delivery = PackageOptions(
        out=output,
        command=shlex.join(words),
        licence=values["licence"],
        evaluations=_evaluations(values["figures"], system.name),
        beside=_others(values["beside"]),
    )
    need_to_teach()
    with stoppable():
        corpus = corpus_from(corpora, values)
        if not quiet:
            warn_of(corpus)
        experiment = exam_of(system, hyperparameters, corpus, work=values["work"] or _work(output))
        graduate = _train(experiment, delivery, values["jobs"], quiet)
    if not quiet:
        _tell(graduate, output)
    return SOME_FAILED if corpus.failures or graduate.failures else 0


def _check_output(output: Path, overwrite: bool) -> None:
    shown = for_display(str(output))
    if not PLAIN_NAME.fullmatch(output.name):
        raise UsageError(
            f"-o {shown}: the folder's name is the model's: use letters, digits, '.', '_' and '-'"
        )
    if not output.exists():
        return
    if not (output / "bundle.json").is_file():
        raise UsageError(f"-o {shown}: is there already, and is no model; name another folder")
    if not overwrite:
        raise UsageError(f"-o {shown}: this model exists; name another, or give --overwrite")


def _work(output: Path) -> Path:
    return Path(f"{output.name}.work")


def _first_words(corpora: Sequence[str], output: Path, values: dict[str, Any]) -> list[str]:
    """The command as it may be run anywhere: names, not places."""
    names = [Path(path).resolve().name for path in corpora]
    words = ["batchemo", "train", *names, "--recipe", values["recipe"], "-o", output.name]
    words += [word for param in values["params"] for word in ("--param", param)]
    return words + (["--window", f"{values['window']:g}"] if values["window"] else [])


def _evaluations(files: Sequence[Path], name: str) -> tuple[Evaluation, ...]:
    from batchemo.evaluation import key_of, read_evaluation

    found = {file: read_evaluation(file) for file in files}
    keys = set()
    for file, evaluation in found.items():
        subject, key, shown = evaluation.info.subject, key_of(evaluation), for_display(str(file))
        if subject != name:
            raise UsageError(
                f"--figures {shown}: is about {subject}, not {name}; --beside puts it on the card"
                " to compare with"
            )
        if key in keys:
            raise UsageError(f"--figures {shown}: there is another for {key}")
        keys.add(key)
    return tuple(found.values())


def _others(files: Sequence[Path]) -> tuple[Evaluation, ...]:
    from batchemo.evaluation import read_evaluation

    return tuple(read_evaluation(file) for file in files)


def _train(experiment: Experiment, delivery: PackageOptions, jobs: int, quiet: bool) -> TrainResult:
    from batchemo.training.train import train_bundle

    with followed(quiet, experiment.hyperparameters.epochs) as follower:
        return train_bundle(
            experiment, delivery, jobs=processes(jobs), progress=follower.hear, told=follower.epoch
        )


def _tell(graduate: TrainResult, output: Path) -> None:
    if graduate.failures:
        warn_of_failures([(example.path, why) for example, why in graduate.failures])
    shown = for_display(str(output))
    if not graduate.trained.taught:
        click.echo(f"batchemo: learnt → {shown}")
    for taught in graduate.trained.taught:
        epochs, chosen = counted(len(taught.history), "epoch"), taught.chosen
        if chosen.validation_accuracy is None:
            click.echo(f"batchemo: {epochs} → {shown}")
        else:
            click.echo(
                f"batchemo: {epochs}, the chosen one is {chosen.number + 1}: accuracy "
                f"{chosen.validation_accuracy:.3f}, UAR {chosen.validation_uar:.3f} on what was "
                f"only watched → {shown}"
            )
