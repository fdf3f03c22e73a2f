"""Kinds of values that options take, and where values come from besides the command line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from batchemo.errors import UsageError

SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def duration(value: str | float) -> float:
    """Read seconds, or a number with s, m, h or d.

    >>> duration("1.5h"), duration("90")
    (5400.0, 90.0)
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", str(value))
    if not match:
        raise click.BadParameter(f"{value!r} is no duration: write 90, 90s, 5m, 2h or 1d")
    return float(match[1]) * SECONDS[match[2]]


def jobs(value: str | int) -> int:
    """Read a number of processes; auto, for as many as there are processors, is 0.

    >>> jobs("auto"), jobs("4")
    (0, 4)
    """
    if value in ("auto", 0):
        return 0
    if not str(value).isdecimal() or int(value) < 1:
        raise click.BadParameter(f"{value!r} is neither a number from 1 on nor auto")
    return int(value)


def split_words(values: tuple[str, ...]) -> tuple[str, ...]:
    """Take apart lists with commas.

    >>> split_words(("wav,flac", "mp3"))
    ('wav', 'flac', 'mp3')
    """
    return tuple(word.strip() for value in values for word in value.split(",") if word.strip())


def load_config(ctx: click.Context, param: click.Parameter, path: str | None) -> None:
    """Take a TOML file's values as defaults for the options of this command.

    Keys are the names of the options, at the top or in a table with the command's name.
    """
    if path is None:
        return
    values = _read_toml(Path(path))
    name = ctx.info_name or ""
    own = values.get(name, {})
    if not isinstance(own, dict):
        raise UsageError(f"{path}: {name} must be a table: [{name}]")
    shared = {key: value for key, value in values.items() if not isinstance(value, dict)}
    known = {p.name for p in ctx.command.params if p.name and p.name != param.name}
    defaults = {key.replace("-", "_"): value for key, value in {**shared, **own}.items()}
    unknown = sorted(set(defaults) - known)
    if unknown:
        raise UsageError(
            f"{path}: {', '.join(unknown)} is no option of `batchemo {name}`. There are: "
            f"{', '.join(sorted(known))}"
        )
    ctx.default_map = {**(ctx.default_map or {}), **defaults}


def _read_toml(path: Path) -> dict[str, Any]:
    import sys

    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        with path.open("rb") as stream:
            values: dict[str, Any] = tomllib.load(stream)
            return values
    except FileNotFoundError:
        raise UsageError(f"{path}: there is no such configuration file") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: this is no valid TOML: {error}") from None
