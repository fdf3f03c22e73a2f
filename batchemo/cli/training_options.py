"""Options of `train` and `evaluate`, and the experiment that they describe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from batchemo.cli.shared_options import param_option, recipe_with, split_words, switch, together
from batchemo.errors import MissingExtraError, UsageError
from batchemo.training.hyperparameters import (
    LOSSES,
    LR_SCHEDULES,
    SELECT_EPOCH,
    Hyperparameters,
)

if TYPE_CHECKING:
    from batchemo.corpora import Corpus
    from batchemo.training.experiment.cross_validation import Experiment
    from batchemo.training.hyperparameters import Hyperparameters
    from batchemo.training.recipes import Recipe


Decorator: TypeAlias = Callable[[Any], Any]

NONE = "none"

_THE_RECIPES = "the recipe's"
_ABOVE_0 = click.FloatRange(min=0, min_open=True)
_SHARE = click.FloatRange(0, 1, max_open=True)
_COUNT = click.IntRange(min=0)

_NAMES = {field.name: f"--{field.name.replace('_', '-')}" for field in fields(Hyperparameters)}
"""The choices by the names of `Hyperparameters`, and the option that makes each."""


def _choice(name: str, kind: Any, help: str, **more: Any) -> Decorator:
    return click.option(_NAMES[name], name, type=kind, show_default=_THE_RECIPES, help=help, **more)


def _either(name: str, help: str) -> Decorator:
    return switch(_NAMES[name], default=None, show_default=_THE_RECIPES, help=help)


learning_options = together(
    param_option,
    click.option(
        "--window",
        type=click.FloatRange(1, 10),
        metavar="SECONDS",
        show_default=_THE_RECIPES,
        help="Length of a window.",
    ),
    _choice("epochs", click.IntRange(min=1), "The most epochs."),
    _choice("batch_size", click.IntRange(min=1), "Recordings that are learnt from together."),
    _choice(
        "learning_rate",
        _ABOVE_0,
        "Adam's learning rate: at the start, or at the top of its cycle.",
        metavar="NUMBER",
    ),
    _choice(
        "lr_schedule",
        click.Choice(list(LR_SCHEDULES)),
        "How the rate goes: lowered on a plateau of the watched loss, or up and down once.",
    ),
    _choice(
        "weight_decay",
        click.FloatRange(min=0),
        "How much of the weights each step takes away, times the rate (AdamW); 0 is Adam.",
        metavar="NUMBER",
    ),
    _choice(
        "clip_norm",
        click.FloatRange(min=0),
        "The longest gradient of a weight that is followed as it is; 0 is any.",
        metavar="NUMBER",
    ),
    _choice(
        "ema_decay",
        _SHARE,
        "How much the moving average of the weights, then the result, keeps a step; 0 is none.",
        metavar="SHARE",
    ),
    _choice(
        "loss",
        click.Choice(LOSSES),
        "What is made small; focal looks away from what the net knows already.",
    ),
    _choice(
        "focal_gamma",
        click.FloatRange(min=0),
        "How far the focal loss looks away; 0 is cross-entropy.",
        metavar="NUMBER",
    ),
    _choice(
        "label_smoothing",
        _SHARE,
        "The share of every target that is spread over all classes.",
        metavar="SHARE",
    ),
    _either("class_weights", "Let a mistake count more the rarer its class."),
    _either("oversample", "Hear recordings of small classes more often, until all are equal."),
    _choice(
        "other_corpora_share",
        _SHARE,
        "The share of each batch from corpora other than the one with the most labels; above 0, "
        "classes are balanced inside a corpus, those that it lacks are masked, and of others each "
        "recording gets one of the copies.",
        metavar="SHARE",
    ),
    _choice(
        "augmentations",
        str,
        "Changed copies of every recording to learn from beside it: noise, pitch, stretch, "
        "stretch-pitch, speed-90, speed-95, speed-105, speed-110, room, phone, phone-2, phone-3, "
        "line, line-2, noisy and noisy-2, with commas; or none.",
        metavar="LIST",
    ),
    _either(
        "augment_spectrograms",
        "Change pictures on the fly: warp, filter, mask, crop (default, accurate).",
    ),
    _choice(
        "mixup",
        click.FloatRange(0, 1),
        "The share of batches whose recordings are blended with one another.",
        metavar="SHARE",
    ),
    _choice(
        "dropout",
        click.FloatRange(0, 1, max_open=True),
        "The share of what a layer tells that is dropped at random.",
        metavar="SHARE",
    ),
    _choice(
        "l2",
        click.FloatRange(min=0),
        "The weight of squared weights in the loss.",
        metavar="NUMBER",
    ),
    _choice("patience", _COUNT, "Stop after so many epochs without a better one; 0 is never."),
    _choice(
        "plateau_patience",
        _COUNT,
        "Lower the rate after so many epochs without a lower watched loss; 0 is never.",
    ),
    _choice(
        "plateau_factor",
        click.FloatRange(0, 1, min_open=True, max_open=True),
        "What the rate is then multiplied with.",
        metavar="NUMBER",
    ),
    _choice(
        "select_epoch",
        click.Choice(list(SELECT_EPOCH)),
        "Which epoch's net is the result: the one with the best loss or accuracy on watched "
        "recordings, the best mean of that accuracy and the one on learnt ones, or the last.",
    ),
    _choice(
        "validation_share",
        _SHARE,
        "The share of speakers (or recordings) that is only watched, to choose the epoch and to "
        "calibrate; 0 is none, where the last epoch is taken.",
        metavar="SHARE",
    ),
)

seed_option: Decorator = _choice("seed", _COUNT, "Where all that is drawn by lot begins.")


def system_from(name: str, values: dict[str, Any]) -> Recipe:
    """Give the system of that name, with the features that --param and --window ask for."""
    from batchemo.training.recipes import get_recipe

    system = get_recipe(name)
    if system.beside and (values["params"] or values["window"] is not None):
        raise UsageError(f"--param, --window: {name} takes its features as they are")
    features = recipe_with(system.features.name, values.pop("params"))
    window = values.pop("window")
    features = replace(features, window=features.window if window is None else window)
    try:
        features.shape()
    except ValueError as why:
        raise UsageError(f"the features of {name} cannot be computed so: {why}") from None
    return replace(system, features=features)


def hyperparameters_from(values: dict[str, Any], system: Recipe) -> Hyperparameters:
    """Take the choices out of a command's values; what was not chosen is the recipe's."""
    from batchemo.training.data.augment_audio import check_augmentations
    from batchemo.training.nets.logistic import CHOICES
    from batchemo.training.recipes import REGRESSION

    told = {name: values.pop(name) for name in _NAMES if name in values}
    told = {name: value for name, value in told.items() if value is not None}
    if "augmentations" in told:
        told["augmentations"] = split_words(
            () if told["augmentations"] == NONE else (told["augmentations"],)
        )
        check_augmentations(told["augmentations"])
    if system.net == REGRESSION and (needless := told.keys() - CHOICES):
        options = ", ".join(_NAMES[name] for name in _NAMES if name in needless)
        raise UsageError(f"{options}: not for {system.name}, which is no net")
    standard = system.hyperparameters
    hyperparameters = replace(standard, **told)
    if hyperparameters.augment_spectrograms and not standard.augment_spectrograms:
        raise UsageError(
            "--augment-spectrograms is for recipes whose pictures tell padding: default, accurate"
        )
    if "focal_gamma" in told and hyperparameters.loss != "focal":
        raise UsageError("--focal-gamma is for --loss focal")
    if told.get("plateau_patience") and hyperparameters.lr_schedule == "one-cycle":
        raise UsageError(
            "--plateau-patience is for --lr-schedule plateau: a cycle waits for nothing"
        )
    if told.get("oversample") and hyperparameters.other_corpora_share:
        raise UsageError(
            "--oversample is for --other-corpora-share 0: else classes are balanced anyway"
        )
    if "plateau_factor" in told and not hyperparameters.plateau_patience:
        raise UsageError("--plateau-factor needs --plateau-patience: else the rate never falls")
    return hyperparameters


def learning_words(hyperparameters: Hyperparameters, standard: Hyperparameters) -> list[str]:
    """Write the choices that are not the standard ones as on a command line.

    >>> from batchemo.training.hyperparameters import Hyperparameters
    >>> standard = Hyperparameters(augmentations=("noise",))
    >>> learning_words(Hyperparameters(seed=1, oversample=True), standard)
    ['--oversample', '--augmentations', 'none', '--seed', '1']
    """
    words = []
    for name, value in hyperparameters.differences(standard).items():
        option = _NAMES[name]
        if isinstance(value, bool):
            words.append(option if value else f"--no-{option[2:]}")
        else:
            text = ",".join(value) or NONE if isinstance(value, tuple) else f"{value}"
            words += [option, text]
    return words


def given(values: dict[str, Any]) -> list[str]:
    """Name the options of `learning_options` that were given."""
    options = {**_NAMES, "window": "--window", "params": "--param"}
    return [options[name] for name in options if values.get(name) not in (None, ())]


SOME_FAILED = 3
"""The exit code where some recordings could not be heard."""

_TO_DRAW = ("matplotlib",)
_TO_TEACH = ("tensorflow", "keras", "tf2onnx", "librosa", *_TO_DRAW)


def need_to_teach() -> None:
    """Raise MissingExtraError unless all that training takes is installed."""
    _need(_TO_TEACH)


def need_to_draw() -> None:
    """Raise MissingExtraError unless all that pictures take is installed."""
    _need(_TO_DRAW)


def _need(modules: tuple[str, ...]) -> None:
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"this needs {', '.join(missing)}, not installed here: pip install 'batchemo[train]'"
        )


def processes(jobs: int) -> int:
    """Give the number of processes that --jobs asks for; 0 is one a processor."""
    from batchemo.workers.executor import available_cpus

    return jobs or available_cpus()


def exam_of(
    system: Recipe, hyperparameters: Hyperparameters, corpus: Corpus, work: Path, **how: Any
) -> Experiment:
    """Put a system and a corpus together; UsageError where there is nothing to tell apart."""
    from batchemo.training.experiment.cross_validation import Experiment

    if len(corpus.labels) < 2:
        raise UsageError(
            f"all recordings are {corpus.labels[0]}: to learn takes at least two classes"
        )
    return Experiment(
        system=system,
        hyperparameters=hyperparameters,
        examples=corpus.examples,
        labels=corpus.labels,
        work=work,
        **how,
    )
