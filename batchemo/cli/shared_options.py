"""Options that several commands share, so that they have the same names and words everywhere."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from batchemo.cli.config import load_config
from batchemo.errors import UsageError
from batchemo.inference.settings import BATCH_SIZE, TIMEOUT, ModelSettings, PostprocessSettings
from batchemo.sources import SourceOptions

if TYPE_CHECKING:
    from batchemo.features import FeatureSet


SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
LONGEST = 1000 * SECONDS["d"]
MOST_JOBS = 1024


def duration(value: str | float) -> float:
    """Read seconds, or a number with s, m, h or d.

    >>> duration("1.5h"), duration("90")
    (5400.0, 90.0)
    """
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([smhd]?)", str(value))
    if not match:
        raise click.BadParameter(f"{value!r} is no duration: write 90, 90s, 5m, 2h or 1d")
    seconds = float(match[1]) * SECONDS[match[2]]
    if seconds > LONGEST:
        raise click.BadParameter(f"{value!r} is too long: no more than 1000d")
    return seconds


def jobs(value: str | int) -> int:
    """Read a number of processes; auto, for as many as there are processors, is 0.

    >>> jobs("auto"), jobs("4")
    (0, 4)
    """
    if value in ("auto", 0):
        return 0
    if not re.fullmatch(r"[0-9]{1,9}", str(value)) or int(value) < 1:
        raise click.BadParameter(f"{value!r} is neither a number from 1 on nor auto")
    if int(value) > MOST_JOBS:
        raise click.BadParameter(f"{value!r} processes are too many: no more than {MOST_JOBS}")
    return int(value)


def split_words(values: tuple[str, ...]) -> tuple[str, ...]:
    """Take apart lists with commas.

    >>> split_words(("wav,flac", "mp3"))
    ('wav', 'flac', 'mp3')
    """
    return tuple(word.strip() for value in values for word in value.split(",") if word.strip())


Command = TypeVar("Command", bound=Callable[..., Any])

ENVIRONMENT = {"auto_envvar_prefix": "BATCHEMO", "help_option_names": ["-h", "--help"]}
"""Context settings of every command: an option --min-age is also BATCHEMO_MIN_AGE."""

MOST_IN_A_BATCH = 4096
"""More only costs memory."""


def together(*decorators: Callable[[Any], Any]) -> Callable[[Command], Command]:
    """Make one decorator of several, the first one's option shown first."""

    def decorate(function: Command) -> Command:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


def switch(name: str, *short: str, help: str, **more: Any) -> Callable[[Command], Command]:
    """Make a flag that the command line can also switch off, against a file or a variable."""
    return click.option(*short, f"{name}/--no-{name[2:]}", help=help, **more)


config_option = click.option(
    "--config",
    type=click.Path(),
    is_eager=True,
    expose_value=False,
    callback=load_config,
    help="Take options from this TOML file; the command line and BATCHEMO_* variables win.",
)

source_options = together(
    click.argument("sources", nargs=-1, type=click.Path()),
    click.option(
        "--files-from",
        metavar="FILE|-",
        help="Also take the files and folders listed in FILE, one a line; - is standard input.",
    ),
    click.option("-0", "--null", is_flag=True, help="The list's entries end in NUL."),
    click.option(
        "--manifest",
        metavar="TABLE",
        help="Also take the files that the column `file` of a CSV or Parquet table names; every "
        "other column is carried into the result.",
    ),
    click.option(
        "--base",
        metavar="FOLDER",
        help="What names in a list or manifest are relative to; by default the current folder "
        "for a list, the manifest's own for a manifest.",
    ),
    click.option(
        "--include",
        multiple=True,
        metavar="PATTERN",
        help="Take only what matches, such as '*_clean.wav' or 'session?/**'. Repeatable.",
    ),
    click.option(
        "--exclude",
        multiple=True,
        metavar="PATTERN",
        help="Leave out files and whole folders that match. Repeatable.",
    ),
    click.option(
        "--ext",
        multiple=True,
        default=("wav",),
        show_default=True,
        metavar="LIST",
        help="Extensions to look for in folders and globs: wav,flac,…; audio is all that can be "
        "read, any is every file.",
    ),
    switch("--hidden", help="Also take hidden files and folders."),
    switch("--follow-links", help="Follow symbolic links inside folders."),
    click.option(
        "--min-age",
        type=duration,
        default=0.0,
        metavar="DURATION",
        help="Leave files that changed less than this ago for the next run, such as 5m.",
    ),
)

model_options = together(
    click.option(
        "-m",
        "--model",
        multiple=True,
        default=("default",),
        show_default=True,
        help="A model's name (`batchemo models`) or the folder of a bundle. Repeatable: several "
        "models hear every recording in one pass.",
    ),
    click.option("--window", type=float, metavar="SECONDS", help="Length of a window."),
    click.option("--hop", type=float, metavar="SECONDS", help="From one window to the next."),
    click.option(
        "--channel",
        default="mix",
        show_default=True,
        metavar="mix|0|1|…",
        help="The mean of all channels, or the one of that number.",
    ),
    click.option(
        "--backend",
        type=click.Choice(["onnx", "tensorflow"]),
        default="onnx",
        show_default=True,
        help="What runs the net; tensorflow needs batchemo[train].",
    ),
    click.option(
        "--batch-size",
        type=click.IntRange(1, MOST_IN_A_BATCH),
        default=BATCH_SIZE,
        show_default=True,
        help="Windows that go through the net together.",
    ),
)

min_confidence_option = click.option(
    "--min-confidence",
    type=click.FloatRange(0, 1),
    default=0.0,
    metavar="P",
    help="Say `uncertain` instead of a label whose confidence is below P, such as 0.5; the "
    "probabilities stay.",
)

interpretation_options = together(
    min_confidence_option,
    switch("--dimensions", help="Also estimate valence, arousal and dominance."),
    click.option(
        "--speaker",
        metavar="WHAT",
        help="Adapt the probabilities to each speaker: a manifest's column, folder, part:N, root "
        "or regex:PATTERN (its group) names who speaks. What the models say of all that a speaker "
        "says is taken off, the more recordings the more. It helps with many recordings of mixed "
        "emotions a speaker; where a speaker has one emotion only, it harms.",
    ),
)

jobs_option = click.option(
    "-j",
    "--jobs",
    type=jobs,
    default="auto",
    show_default=True,
    metavar="N|auto",
    help="Worker processes; auto is one a processor that this process may use.",
)

quiet_option = switch("--quiet", "-q", help="Say nothing but errors.")


timeout_option = click.option(
    "--timeout",
    type=duration,
    default=TIMEOUT,
    show_default="5m",
    metavar="DURATION",
    help="Give up a recording that takes longer, or a started hour of it that does; 0 is never.",
)


def sources_from(values: dict[str, Any]) -> SourceOptions:
    """Take the options of `source_options` out of a command's values."""
    if values["null"] and values["files_from"] is None:
        raise UsageError("-0 tells how a list ends its entries: give the list with --files-from")
    if values["base"] is not None and values["files_from"] is values["manifest"] is None:
        raise UsageError("--base is for the names in a list or manifest: give one of them")
    return SourceOptions(
        paths=tuple(values.pop("sources")),
        files_from=values.pop("files_from"),
        null_separated=values.pop("null"),
        manifest=values.pop("manifest"),
        base=values.pop("base"),
        include=tuple(values.pop("include")),
        exclude=tuple(values.pop("exclude")),
        extensions=split_words(tuple(values.pop("ext"))),
        hidden=values.pop("hidden"),
        follow_links=values.pop("follow_links"),
        min_age=values.pop("min_age"),
    )


def settings_from(values: dict[str, Any]) -> tuple[ModelSettings, ...]:
    """Take the options of `model_options` out of a command's values, those of each model."""
    names = ("window", "hop", "channel", "backend", "batch_size")
    shared = {name: values.pop(name) for name in names}
    return tuple(ModelSettings(model, **shared) for model in values.pop("model"))


def interpretation_from(values: dict[str, Any]) -> PostprocessSettings:
    """Take the options of `interpretation_options` out of a command's values."""
    names = ("min_confidence", "dimensions", "speaker")
    return PostprocessSettings(**{name: values.pop(name) for name in names})


param_option = click.option(
    "--param",
    "params",
    multiple=True,
    metavar="NAME=VALUE",
    help="Set a parameter of the recipe's features otherwise, such as n_mfcc=20. Repeatable.",
)


def recipe_with(name: str, params: Sequence[str]) -> FeatureSet:
    """Give the recipe of that name with the parameters that the command line sets.

    >>> recipe_with("stats162", ["n_mfcc=40"]).shape()
    (182,)
    """
    from batchemo.features import get_feature_set

    told = dict(_parameter(param) for param in params)
    defaults = dataclasses.asdict(get_feature_set(name).params)
    return get_feature_set(
        name, **{key: _read(key, text, defaults.get(key)) for key, text in told.items()}
    )


def _parameter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--param {text}: write NAME=VALUE, such as n_mfcc=20")
    return name.strip().replace("-", "_"), value.strip()


def _read(name: str, text: str, default: Any) -> Any:
    """Read a parameter's value as one of the kind that its default is.

    >>> _read("n_mfcc", "20", 40), _read("descriptors", "mfcc,rms", ("mfcc",))
    (20, ('mfcc', 'rms'))
    """
    if isinstance(default, tuple):
        return tuple(word.strip() for word in text.split(","))
    if not isinstance(default, (int, float)):
        return text
    try:
        return type(default)(text)
    except ValueError:
        kind = "whole number" if isinstance(default, int) else "number"
        raise UsageError(f"--param {name}={text}: {text!r} is no {kind}") from None
