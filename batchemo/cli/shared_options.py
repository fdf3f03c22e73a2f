"""Options that several commands share, and the settings that are built from their values.

Each group of options is a decorator, and has a function that removes its values from those of a
command and returns the frozen options that the packages below take.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from batchemo.app.config import HOST
from batchemo.bundles import BATCH_SIZE, GPU_BATCH_SIZE
from batchemo.cli.config import load_config
from batchemo.errors import UsageError
from batchemo.inference.settings import TIMEOUT, ModelSettings, PostprocessSettings, settings_of
from batchemo.sources import DEFAULT_EXTENSIONS, SourceOptions

if TYPE_CHECKING:
    from batchemo.features import FeatureSet


SECONDS_PER_UNIT = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
# Beyond these limits a value is a typing error, and timers or the system would fail on it.
MAX_DURATION = 1000 * SECONDS_PER_UNIT["d"]
MAX_JOBS = 1024
MAX_BATCH_SIZE = 4096


def parse_duration(value: str | float) -> float:
    """Return the seconds of a number, or of a number with the unit s, m, h or d.

    >>> parse_duration("1.5h"), parse_duration("90")
    (5400.0, 90.0)
    """
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([smhd]?)", str(value))
    if not match:
        raise click.BadParameter(f"{value!r} is not a duration: write 90, 90s, 5m, 2h or 1d")
    seconds = float(match[1]) * SECONDS_PER_UNIT[match[2]]
    if seconds > MAX_DURATION:
        raise click.BadParameter(f"{value!r} is too long: at most 1000d")
    return seconds


def parse_jobs(value: str) -> int:
    """Return a number of processes; 0, one for each processor, for auto.

    >>> parse_jobs("auto"), parse_jobs("4")
    (0, 4)
    """
    if value == "auto":
        return 0
    if not re.fullmatch(r"[0-9]{1,9}", value) or int(value) < 1:
        raise click.BadParameter(f"{value!r} is neither a number from 1 nor auto")
    if int(value) > MAX_JOBS:
        raise click.BadParameter(f"{value!r} processes are too many: at most {MAX_JOBS}")
    return int(value)


def split_commas(values: tuple[str, ...]) -> tuple[str, ...]:
    """Return the items of lists that are separated by commas.

    >>> split_commas(("wav,flac", "mp3"))
    ('wav', 'flac', 'mp3')
    """
    return tuple(item.strip() for value in values for item in value.split(",") if item.strip())


Command = TypeVar("Command", bound=Callable[..., Any])

ENVIRONMENT = {"auto_envvar_prefix": "BATCHEMO", "help_option_names": ["-h", "--help"]}
"""Context settings of every command: an option --min-age is also BATCHEMO_MIN_AGE."""


def option_group(*decorators: Callable[[Any], Any]) -> Callable[[Command], Command]:
    """Return one decorator for several options, shown by --help in this order."""

    def decorate(function: Command) -> Command:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


def switch(name: str, *short: str, help: str, **more: Any) -> Callable[[Command], Command]:
    """Return a flag with a --no- form, so that the command line can override file and variable."""
    return click.option(*short, f"{name}/--no-{name[2:]}", help=help, **more)


config_option = click.option(
    "--config",
    type=click.Path(),
    is_eager=True,
    expose_value=False,
    callback=load_config,
    help="Read options from this TOML file; the command line and BATCHEMO_* variables override it.",
)


def server_options(port: int) -> Callable[[Command], Command]:
    """Return the options of a command that serves a page, by default at this port."""
    return option_group(
        click.option(
            "--host", default=HOST, show_default=True, help="Address that the server listens on."
        ),
        click.option(
            "--port",
            type=click.IntRange(1, 65535),
            default=port,
            show_default=True,
            help="Port that the server listens on.",
        ),
        click.option(
            "--allow-host",
            "hosts",
            multiple=True,
            metavar="NAME",
            help="Also accept requests for this host name, such as that of a proxy in front of "
            "the page. Repeatable.",
        ),
        click.option("--no-browser", is_flag=True, help="Do not open a browser window."),
    )


source_options = option_group(
    click.argument("sources", nargs=-1, type=click.Path()),
    click.option(
        "--files-from",
        metavar="FILE|-",
        help="Also analyse the files and folders listed in FILE, one a line; - is standard input.",
    ),
    click.option(
        "-0",
        "--null",
        is_flag=True,
        help="The names in the list of --files-from are separated by NUL bytes (find -print0).",
    ),
    click.option(
        "--manifest",
        metavar="TABLE",
        help="Also analyse the files named in the column `file` of a CSV or Parquet table; its "
        "other columns are copied to the result.",
    ),
    click.option(
        "--base",
        metavar="FOLDER",
        help="The folder that names in a list or manifest are relative to; by default the current "
        "folder for a list, the manifest's folder for a manifest.",
    ),
    click.option(
        "--include",
        multiple=True,
        metavar="PATTERN",
        help="Analyse only files that match, such as '*_clean.wav' or 'session?/**'. Repeatable.",
    ),
    click.option(
        "--exclude",
        multiple=True,
        metavar="PATTERN",
        help="Skip files and whole folders that match. Repeatable.",
    ),
    click.option(
        "--ext",
        multiple=True,
        default=DEFAULT_EXTENSIONS,
        show_default=True,
        metavar="LIST",
        help="File extensions to search folders and globs for, separated by commas: wav,flac,…; "
        "audio stands for every audio format that can be decoded, video for videos (mp4, "
        "webm, …), of which only the sound is read, any for every file.",
    ),
    switch("--hidden", help="Also analyse hidden files and folders."),
    switch("--follow-links", help="Follow symbolic links inside folders."),
    click.option(
        "--min-age",
        type=parse_duration,
        default=0.0,
        metavar="DURATION",
        help="Skip files modified less than this long ago, such as 5m: they may still be written "
        "to.",
    ),
)

channel_option = click.option(
    "--channel",
    default="mix",
    show_default=True,
    metavar="mix|0|1|…",
    help="Which channel to analyse: mix is the mean of all channels, 0 the first one. In a scan, "
    "each writes a row for each channel.",
)

device_option = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="What runs the model: the processor, or NVIDIA's GPUs, which needs batchemo[gpu]; auto "
    "takes GPUs if there are any.",
)

model_options = option_group(
    click.option(
        "-m",
        "--model",
        multiple=True,
        default=("default",),
        show_default=True,
        help="A model's name (`batchemo models` lists them) or the folder of a bundle. Repeatable: "
        "several models analyse every recording in one pass.",
    ),
    click.option(
        "--window",
        type=float,
        metavar="SECONDS",
        help="Length of a window; by default the model's own.",
    ),
    click.option(
        "--hop",
        type=float,
        metavar="SECONDS",
        help="Time from the start of one window to the start of the next; by default the model's "
        "own.",
    ),
    channel_option,
    click.option(
        "--backend",
        type=click.Choice(["onnx", "tensorflow"]),
        default="onnx",
        show_default=True,
        help="Library that runs the model; tensorflow needs batchemo[train].",
    ),
    click.option(
        "--batch-size",
        type=click.IntRange(1, MAX_BATCH_SIZE),
        show_default=f"{BATCH_SIZE}, and {GPU_BATCH_SIZE} on a GPU",
        help="Number of windows in a batch.",
    ),
    device_option,
)

min_confidence_option = click.option(
    "--min-confidence",
    type=click.FloatRange(0, 1),
    default=0.0,
    metavar="P",
    help="Report the emotion as `uncertain` where its confidence is below P, such as 0.5; the "
    "probabilities are unchanged.",
)

postprocess_options = option_group(
    min_confidence_option,
    switch("--dimensions", help="Also estimate valence, arousal and dominance."),
    click.option(
        "--speaker",
        metavar="WHAT",
        help="Adapt the probabilities to each speaker: labels that most of a speaker's recordings"
        " would get become less probable. WHAT identifies the speaker: a column of the "
        "manifest, folder, part:N, root or regex:PATTERN (its group). Helps with many "
        "recordings of mixed emotions for each speaker; harms where a speaker has only one "
        "emotion.",
    ),
    click.option(
        "--class-shares",
        metavar="SHARES",
        help="How frequent the labels are in these recordings: even (all alike), the labels that "
        "occur (neutral,happy,sad), or their shares (neutral=0.8,happy=0.2). Removes the "
        "bias that the models have towards some labels on this corpus. Harms where the "
        "shares are wrong.",
    ),
)

jobs_option = click.option(
    "-j",
    "--jobs",
    type=parse_jobs,
    default="auto",
    show_default=True,
    metavar="N|auto",
    help="Number of worker processes; auto is one for each processor that this process may use.",
)

executor_option = click.option(
    "--executor",
    metavar="ADDRESS",
    help="Let the workers of a Dask cluster analyse: dask://HOST:PORT is its scheduler.",
)

quiet_option = switch("--quiet", "-q", help="Print nothing but errors.")

timeout_option = click.option(
    "--timeout",
    type=parse_duration,
    default=TIMEOUT,
    show_default="5m",
    metavar="DURATION",
    help="Give up a recording, with the reason timeout, if its analysis takes longer than this. "
    "The limit is for each started hour of sound, or for each piece of a recording that "
    "several workers share; 0 is no limit.",
)

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON instead of text, for programs."
)


def sources_from(values: dict[str, Any]) -> SourceOptions:
    """Remove the values of `source_options` and return them as one object."""
    if values["null"] and values["files_from"] is None:
        raise UsageError("-0 describes the list of --files-from: give that option too")
    if values["base"] is not None and values["files_from"] is values["manifest"] is None:
        raise UsageError("--base needs a list or manifest: give --files-from or --manifest too")
    return SourceOptions(
        paths=tuple(values.pop("sources")),
        files_from=values.pop("files_from"),
        null_separated=values.pop("null"),
        manifest=values.pop("manifest"),
        base=values.pop("base"),
        include=tuple(values.pop("include")),
        exclude=tuple(values.pop("exclude")),
        extensions=split_commas(tuple(values.pop("ext"))),
        hidden=values.pop("hidden"),
        follow_links=values.pop("follow_links"),
        min_age=values.pop("min_age"),
    )


def settings_from(values: dict[str, Any]) -> tuple[ModelSettings, ...]:
    """Remove the values of `model_options` and return the settings of each model."""
    names = ("window", "hop", "channel", "backend", "batch_size", "device")
    return settings_of(values.pop("model"), **{name: values.pop(name) for name in names})


def postprocess_from(values: dict[str, Any]) -> PostprocessSettings:
    """Remove the values of `postprocess_options` and return them as one object."""
    names = ("min_confidence", "dimensions", "speaker", "class_shares")
    return PostprocessSettings(**{name: values.pop(name) for name in names})


param_option = click.option(
    "--param",
    "params",
    multiple=True,
    metavar="NAME=VALUE",
    help="Set a parameter of the feature set, such as n_mfcc=20. Repeatable.",
)


def feature_set_from(name: str, params: Sequence[str]) -> FeatureSet:
    """Return the feature set of that name with the parameters of --param.

    >>> feature_set_from("stats162", ["n_mfcc=40"]).shape()
    (182,)
    """
    from batchemo.features import get_feature_set

    texts = dict(_split_param(param) for param in params)
    defaults = dataclasses.asdict(get_feature_set(name).params)
    return get_feature_set(
        name, **{key: _parse_param(key, text, defaults.get(key)) for key, text in texts.items()}
    )


def _split_param(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--param {text}: write NAME=VALUE, such as n_mfcc=20")
    return name.strip().replace("-", "_"), value.strip()


def _parse_param(name: str, text: str, default: Any) -> Any:
    """Return a parameter's value with the type of its default.

    >>> _parse_param("n_mfcc", "20", 40), _parse_param("descriptors", "mfcc,rms", ("mfcc",))
    (20, ('mfcc', 'rms'))
    """
    if isinstance(default, tuple):
        return tuple(item.strip() for item in text.split(","))
    if not isinstance(default, (int, float)):
        return text
    try:
        return type(default)(text)
    except ValueError:
        kind = "whole number" if isinstance(default, int) else "number"
        raise UsageError(f"--param {name}={text}: {text!r} is not a {kind}") from None
