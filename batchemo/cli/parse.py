"""Kinds of values that options take."""

from __future__ import annotations

import re

import click

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
