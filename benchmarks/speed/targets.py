"""The speed targets, and whether the measurements meet them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from speed.contenders import find_contender
from speed.markdown import number, table
from speed.results import Results, Spread, ratios

MB = 1e6
MICROSECONDS = 1e6
SCANS = ("few", "given", "short", "long", "mix", "thousand")


@dataclass(frozen=True)
class Target:
    """A limit, and the measured value; None if it was not measured."""

    title: str
    kind: Literal["at least", "at most"]
    limit: float
    unit: str
    measured: Spread | None

    @property
    def met(self) -> bool | None:
        """Whether the median meets the limit; None if it was not measured.

        >>> Target("speed", "at least", 2.0, "×", Spread(2.1, 1.0, 3.0)).met
        True
        >>> Target("memory", "at most", 2.0, " MB", Spread(2.1, 1.0, 3.0)).met
        False
        """
        if self.measured is None:
            return None
        if self.kind == "at least":
            return self.measured.median >= self.limit
        return self.measured.median <= self.limit

    def row(self) -> list[str]:
        """Return the cells of the target's row."""
        met = {True: "yes", False: "**no**", None: ""}[self.met]
        limit = f"{self.kind} {self.limit:g}{self.unit}"
        if self.measured is None:
            return [self.title, limit, "not measured", met]
        spread = self.measured
        span = f"{number(spread.minimum)} to {number(spread.maximum)}"
        return [self.title, limit, f"{number(spread.median)}{self.unit} ({span})", met]


def targets_table(results: Results) -> str:
    """Return the table of all targets."""
    titles = ["steady state unless stated otherwise", "target", "median (of rounds)", "met"]
    return table(titles, (target.row() for target in targets(results)))


def targets(results: Results) -> Iterator[Target]:
    """Yield all targets, those of the whole first."""
    yield _over_floor(results, "time of `default`", "given", 2)
    yield _speed_up(results, "the loop (1), `melattn`'s features and net", "loop", "default", 60)
    yield _speed_up(results, "joblib + librosa (2)", "batch", "default", 10)
    yield _speed_up(results, "the loop (1), `frames62`", "loop-frames62", "frames62", 30)
    yield _over_floor(results, f"{results.corpora.short.recordings:,} short files", "short", 3)
    yield _over_floor(results, f"{results.corpora.long.recordings} files of an hour", "long", 3)
    yield _scaling(results, "given", "")
    yield _scaling(results, "long", f", {results.corpora.long.recordings} files of an hour")
    yield _start(results)
    yield from _memory(results)
    yield _growth(results)
    yield _update(results)


def _over_floor(results: Results, title: str, corpus: str, limit: float) -> Target:
    default, floor = (find_contender(name, results.contenders) for name in ("default", "floor"))
    measured = results.time_ratio(default, floor, corpus)
    return Target(f"{title}, over the floor (4)", "at most", limit, "×", measured)


def _scaling(results: Results, corpus: str, title: str) -> Target:
    default, one = (find_contender(name, results.contenders) for name in ("default", "default-1"))
    measured = results.time_ratio(one, default, corpus)
    return Target(f"{default.jobs} processes against one{title}", "at least", 1.85, "×", measured)


def _speed_up(results: Results, title: str, name: str, baseline: str, limit: float) -> Target:
    contender = find_contender(name, results.contenders)
    measured = None
    if not contender.missing:
        ours = find_contender(baseline, results.contenders)
        measured = results.time_ratio(contender, ours, "given")
    return Target(f"times as fast as {title}", "at least", limit, "×", measured)


def _growth(results: Results) -> Target:
    start = results.start(find_contender("default", results.contenders))

    def per_file(corpus: str, files: int) -> list[float]:
        return [(taken - start) / files for taken in results.seconds(f"{corpus}/default")]

    few, many = results.corpora.thousand.recordings, results.corpora.short.recordings
    growth = ratios(per_file("thousand", few), per_file("short", many))
    return Target(f"cost per file, {many:,} files over {few:,}", "at most", 1.05, "×", growth)


def _start(results: Results) -> Target:
    imports, runs = (Spread.of(results.seconds(name)) for name in ("import numpy", "few/default"))
    # Imports are short, and measured several times a round: their median stands for all of them.
    values = (runs.median, runs.minimum, runs.maximum)
    measured = Spread(*(value / imports.median for value in values))
    count = results.corpora.few.recordings
    title = f'{count} recordings, everything included, over `python -c "import numpy"`'
    return Target(title, "at most", 6, "×", measured)


def _memory(results: Results) -> Iterator[Target]:
    runs = [run for corpus in SCANS for run in results.of_task(f"{corpus}/default")]
    for process, limit, peaks in (
        ("parent", 130, [run.parent_memory / MB for run in runs]),
        ("worker", 140, [run.worker_memory / MB for run in runs]),
    ):
        # The maximum counts, not the median: memory that is exceeded once is exceeded.
        measured = Spread(max(peaks), min(peaks), max(peaks)) if any(peaks) else None
        title = f"resident memory, {process}, maximum over all corpora"
        yield Target(title, "at most", limit, " MB", measured)


def _update(results: Results) -> Target:
    few, many = results.corpora.few.recordings, results.corpora.short.recordings

    def per_file(task: str) -> list[float]:
        runs = zip(results.seconds(f"{task}/few"), results.seconds(f"{task}/short"), strict=True)
        return [(large - small) / (many - few) for small, large in runs]

    beyond = [
        (update - walk) * MICROSECONDS
        for update, walk in zip(per_file("update"), per_file("walk"), strict=True)
    ]
    title = f"`--update`, {many:,} unchanged files, beyond the walk's own `stat`"
    return Target(title, "at most", 10, " µs per file", Spread.of(beyond))
