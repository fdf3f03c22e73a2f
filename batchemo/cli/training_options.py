"""Options of `train` and `evaluate`: the hyperparameters, the recipe and the experiment.

Every field of `Hyperparameters` is an option of the same name. An option that is not given keeps
the value of the recipe, so the options have no defaults of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from batchemo.cli.shared_options import (
    feature_set_from,
    option_group,
    param_option,
    split_commas,
    switch,
)
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

SOME_FAILED = 3
"""The exit code if some recordings could not be analysed."""

_RECIPE_DEFAULT = "the recipe's"
_ABOVE_0 = click.FloatRange(min=0, min_open=True)
_SHARE = click.FloatRange(0, 1, max_open=True)
_COUNT = click.IntRange(min=0)

_OPTIONS = {field.name: f"--{field.name.replace('_', '-')}" for field in fields(Hyperparameters)}
"""The option of each hyperparameter."""


def _value_option(name: str, kind: Any, help: str, **more: Any) -> Decorator:
    return click.option(
        _OPTIONS[name], name, type=kind, show_default=_RECIPE_DEFAULT, help=help, **more
    )


def _switch_option(name: str, help: str) -> Decorator:
    return switch(_OPTIONS[name], default=None, show_default=_RECIPE_DEFAULT, help=help)


hyperparameter_options = option_group(
    param_option,
    click.option(
        "--window",
        type=click.FloatRange(1, 10),
        metavar="SECONDS",
        show_default=_RECIPE_DEFAULT,
        help="Length of a window.",
    ),
    _value_option("epochs", click.IntRange(min=1), "Maximum number of epochs."),
    _value_option("batch_size", click.IntRange(min=1), "Number of recordings in a batch."),
    _value_option(
        "learning_rate",
        _ABOVE_0,
        "Learning rate of Adam: at the start, or at the peak of a one-cycle schedule.",
        metavar="NUMBER",
    ),
    _value_option(
        "lr_schedule",
        click.Choice(list(LR_SCHEDULES)),
        "Schedule of the learning rate: plateau lowers it when the validation loss stops falling, "
        "one-cycle raises it once and lowers it again.",
    ),
    _value_option(
        "weight_decay",
        click.FloatRange(min=0),
        "Share of the weights, times the learning rate, that each step subtracts (AdamW); 0 is "
        "Adam.",
        metavar="NUMBER",
    ),
    _value_option(
        "clip_norm",
        click.FloatRange(min=0),
        "Maximum norm of the gradient of each weight tensor; 0 is no limit.",
        metavar="NUMBER",
    ),
    _value_option(
        "ema_decay",
        _SHARE,
        "Decay of the moving average of the weights, which becomes the model; 0 is no average.",
        metavar="SHARE",
    ),
    _value_option(
        "loss",
        click.Choice(LOSSES),
        "Loss function; focal gives less weight to recordings that are already predicted well.",
    ),
    _value_option(
        "focal_gamma",
        click.FloatRange(min=0),
        "Exponent of the focal loss; 0 is cross-entropy.",
        metavar="NUMBER",
    ),
    _value_option(
        "label_smoothing",
        _SHARE,
        "Share of each target that is spread evenly over all classes.",
        metavar="SHARE",
    ),
    _switch_option("class_weights", "Weight the loss of a class more, the rarer it is."),
    _switch_option(
        "oversample", "Repeat recordings of rare classes until all classes are equally frequent."
    ),
    _value_option(
        "other_corpora_share",
        _SHARE,
        "Share of each batch from corpora other than the one with the most labels. Above 0, "
        "classes are balanced within each corpus, classes that a corpus lacks are masked, and "
        "recordings of the other corpora get one augmentation each.",
        metavar="SHARE",
    ),
    _value_option(
        "augmentations",
        str,
        "Augmented copies of each recording to train on too, separated by commas: noise, pitch, "
        "stretch, stretch-pitch, speed-90, speed-95, speed-105, speed-110, room, phone, phone-2, "
        "phone-3, line, line-2, noisy, noisy-2; or none.",
        metavar="LIST",
    ),
    _value_option(
        "mixup",
        click.FloatRange(0, 1),
        "Share of batches in which recordings are mixed with one another.",
        metavar="SHARE",
    ),
    _value_option(
        "speaker_shift",
        click.FloatRange(0, 1),
        "Share of windows that are moved from their speaker to another one, by what each speaker "
        "adds to all its windows; for recipes with an encoder.",
        metavar="SHARE",
    ),
    _value_option(
        "dropout",
        click.FloatRange(0, 1, max_open=True),
        "Share of a layer's outputs that is set to 0 at random in training.",
        metavar="SHARE",
    ),
    _value_option(
        "l2",
        click.FloatRange(min=0),
        "Factor of the sum of squared weights in the loss.",
        metavar="NUMBER",
    ),
    _value_option(
        "patience", _COUNT, "Stop after this many epochs without a better one; 0 is never."
    ),
    _value_option(
        "plateau_patience",
        _COUNT,
        "Lower the learning rate after this many epochs without a lower validation loss; 0 is "
        "never.",
    ),
    _value_option(
        "plateau_factor",
        click.FloatRange(0, 1, min_open=True, max_open=True),
        "Factor by which --plateau-patience lowers the learning rate.",
        metavar="NUMBER",
    ),
    _value_option(
        "select_epoch",
        click.Choice(list(SELECT_EPOCH)),
        "Which epoch becomes the model: the one with the best validation loss, validation "
        "accuracy, or mean of training and validation accuracy; or the last.",
    ),
    _value_option(
        "validation_share",
        _SHARE,
        "Share of speakers (or recordings) held out of training to select the epoch and to "
        "calibrate; 0 is none, which needs --select-epoch last.",
        metavar="SHARE",
    ),
)

encoder_option: Decorator = click.option(
    "--encoder",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="File of the pretrained encoder. The recipe accurate needs it, and says where to get it;"
    " the recipe default takes that of the model default if none is given.",
)

seed_option: Decorator = _value_option("seed", _COUNT, "Seed of all random numbers.")


def recipe_from(name: str, values: dict[str, Any]) -> Recipe:
    """Remove a recipe's options from a command's values, and return the recipe with these."""
    from batchemo.training.recipes import get_recipe

    recipe = _with_features(get_recipe(name), values)
    return replace(recipe, hyperparameters=_hyperparameters_from(values, recipe))


def _with_features(recipe: Recipe, values: dict[str, Any]) -> Recipe:
    """Return the recipe with the features that --param and --window ask for."""
    name, params, window = recipe.name, values.pop("params"), values.pop("window")
    if not params and window is None:
        return recipe
    if recipe.encoder:
        raise UsageError(f"--param, --window: the features of the recipe {name} cannot be changed")
    features = feature_set_from(recipe.features.name, params)
    features = replace(features, window=features.window if window is None else window)
    try:
        features.shape()
    except ValueError as error:
        raise UsageError(f"the features of {name} cannot be computed so: {error}") from None
    return replace(recipe, features=features)


def _hyperparameters_from(values: dict[str, Any], recipe: Recipe) -> Hyperparameters:
    """Return the hyperparameters of a command's values; those not given are the recipe's."""
    from batchemo.training.data.augment_audio import check_augmentations
    from batchemo.training.nets.logistic import LOGISTIC_HYPERPARAMETERS
    from batchemo.training.recipes import LOGISTIC

    given = {name: values.pop(name) for name in _OPTIONS if name in values}
    given = {name: value for name, value in given.items() if value is not None}
    if "augmentations" in given:
        names = given["augmentations"]
        given["augmentations"] = () if names == NONE else split_commas((names,))
        check_augmentations(given["augmentations"])
    if recipe.net == LOGISTIC and (unused := given.keys() - LOGISTIC_HYPERPARAMETERS):
        options = ", ".join(_OPTIONS[name] for name in _OPTIONS if name in unused)
        raise UsageError(f"{options}: not for {recipe.name}, which is not a neural network")
    if given.get("speaker_shift") and recipe.encoder is None:
        raise UsageError(f"--speaker-shift: not for {recipe.name}, which has no encoder")
    defaults = recipe.hyperparameters
    hyperparameters = replace(defaults, **given)
    _check_combinations(given, hyperparameters, defaults)
    return hyperparameters


def _check_combinations(
    given: dict[str, Any], hyperparameters: Hyperparameters, defaults: Hyperparameters
) -> None:
    """Refuse options that have no effect together with the others."""
    if "focal_gamma" in given and hyperparameters.loss != "focal":
        raise UsageError("--focal-gamma needs --loss focal")
    if given.get("plateau_patience") and hyperparameters.lr_schedule == "one-cycle":
        raise UsageError("--plateau-patience needs --lr-schedule plateau")
    if given.get("oversample") and hyperparameters.other_corpora_share:
        raise UsageError(
            "--oversample needs --other-corpora-share 0: above 0 classes are balanced anyway"
        )
    if "plateau_factor" in given and not hyperparameters.plateau_patience:
        raise UsageError("--plateau-factor needs --plateau-patience")


def hyperparameter_arguments(
    hyperparameters: Hyperparameters, defaults: Hyperparameters
) -> list[str]:
    """Return the hyperparameters that differ from defaults as arguments of a command line.

    >>> from batchemo.training.hyperparameters import Hyperparameters
    >>> defaults = Hyperparameters(augmentations=("noise",))
    >>> hyperparameter_arguments(Hyperparameters(seed=1, oversample=True), defaults)
    ['--oversample', '--augmentations', 'none', '--seed', '1']
    """
    arguments = []
    for name, value in hyperparameters.differences(defaults).items():
        option = _OPTIONS[name]
        if isinstance(value, bool):
            arguments.append(option if value else f"--no-{option[2:]}")
        else:
            text = ",".join(value) or NONE if isinstance(value, tuple) else f"{value}"
            arguments += [option, text]
    return arguments


def given_options(values: dict[str, Any]) -> list[str]:
    """Return the names of the options of `hyperparameter_options` that were given."""
    options = {**_OPTIONS, "window": "--window", "params": "--param"}
    return [options[name] for name in options if values.get(name) not in (None, ())]


def build_experiment(recipe: Recipe, corpus: Corpus, work: Path, **more: Any) -> Experiment:
    """Return the experiment of a recipe on a corpus; refuse a corpus with only one class."""
    from batchemo.training.experiment.cross_validation import Experiment

    if len(corpus.labels) < 2:
        raise UsageError(
            f"all recordings are labelled {corpus.labels[0]}: training needs at least two classes"
        )
    check_encoder(recipe, more.get("encoder"))
    return Experiment(
        recipe=recipe,
        examples=corpus.examples,
        labels=corpus.labels,
        work=work,
        **more,
    )


def check_encoder(recipe: Recipe, encoder: Path | None) -> None:
    """Refuse an encoder that a recipe does not use, and a recipe that lacks its encoder."""
    from batchemo.training.nets.encoder import HOW_TO_GET
    from batchemo.training.recipes import WHISPER_TINY

    if recipe.encoder == WHISPER_TINY and encoder is None:
        raise UsageError(f"{recipe.name} needs --encoder FILE: {HOW_TO_GET}")
    if encoder is not None and not recipe.encoder:
        raise UsageError(f"--encoder: {recipe.name} has no encoder")


def worker_count(jobs: int) -> int:
    """Return the number of processes for --jobs; 0 is one for each processor."""
    from batchemo.workers.executor import available_cpus

    return jobs or available_cpus()


_PLOT_PACKAGES = ("matplotlib",)
_TRAINING_PACKAGES = ("tensorflow", "keras", "tf2onnx", "librosa", *_PLOT_PACKAGES)


def require_training_packages() -> None:
    """Raise MissingExtraError unless all packages for training are installed."""
    _require(_TRAINING_PACKAGES)


def require_plot_packages() -> None:
    """Raise MissingExtraError unless all packages for plots are installed."""
    _require(_PLOT_PACKAGES)


def _require(modules: tuple[str, ...]) -> None:
    # Only looked for, not imported: importing TensorFlow takes seconds.
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"this needs {', '.join(missing)}, not installed here: pip install 'batchemo[train]'"
        )
