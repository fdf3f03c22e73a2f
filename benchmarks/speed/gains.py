"""What a user gains: how long work takes with batchemo, and how long by a loop over librosa."""

from __future__ import annotations

from collections.abc import Iterator

from speed.contenders import Contender, find_contender
from speed.markdown import number, table
from speed.results import Results, Spread

MANY = 100_000
"""Recordings that are a large corpus."""


def gains_table(results: Results) -> str:
    """Return the table that the page begins with."""
    default = find_contender("default", results.contenders)
    titles = ["", f"batchemo, `default`, {default.jobs} processes", "the loop (1)"]
    return table(titles, _rows(results, default))


def _rows(results: Results, default: Contender) -> Iterator[list[str]]:
    loop = find_contender("loop", results.contenders)
    folder = results.corpora.given
    seconds = 60 * folder.minutes / folder.recordings
    ours = _seconds(results, default, "given")
    theirs = None if loop.missing else _seconds(results, loop, "given")
    kind = f"of {number(seconds)} s"
    yield [f"a recording {kind}", *map(_duration, (ours, theirs))]
    many = (None if each is None else MANY * each for each in (ours, theirs))
    yield [f"{MANY:,} recordings {kind}", *map(_duration, many)]
    hour = 60 * Spread.of(results.seconds_per_minute(default, "long")).median
    yield ["an hour in one file, of several", _duration(hour), ""]
    few = f"{results.corpora.few.recordings} recordings, from the command to its end"
    names = ["few/default", "few/loop"]
    starts = (_median(results.seconds(name)) for name in names)
    yield [few, *map(_duration, starts)]
    first = [run.first_line for run in results.of_task("first row") if run.first_line is not None]
    yield ["the first rows are safe on the disk after", _duration(_median(first)), "never"]
    update = _median(results.seconds("update/short"))
    count = results.corpora.short.recordings
    yield [f"`--update`, {count:,} files of which none has changed", _duration(update), "all again"]


def _seconds(results: Results, contender: Contender, corpus: str) -> float:
    return Spread.of(results.seconds_per_recording(contender, corpus)).median


def _median(values: list[float]) -> float | None:
    return Spread.of(values).median if values else None


def _duration(seconds: float | None) -> str:
    """Return a duration in the unit that suits it; nothing if it is not known.

    >>> [_duration(seconds) for seconds in (0.0042, 9.1, 300.0, 7200.0, None)]
    ['4.20 ms', '9.10 s', '5.00 min', '2.00 h', '']
    """
    if seconds is None:
        return ""
    for limit, factor, unit in ((1.0, 1e3, "ms"), (180.0, 1.0, "s"), (5400.0, 1 / 60, "min")):
        if seconds < limit:
            return f"{number(factor * seconds)} {unit}"
    return f"{number(seconds / 3600)} h"
