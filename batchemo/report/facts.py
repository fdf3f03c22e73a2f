"""What a report says of a table, counted in one pass: a bounded number of figures for any size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from batchemo.common.arrays import Float64, Index
from batchemo.common.text import for_display
from batchemo.errors import UsageError
from batchemo.tables.columns import FAMILIARITY, row_noun, turns_of
from batchemo.tables.read import TableFile, open_table
from batchemo.tables.schema import STATUS_OK
from batchemo.tables.summary import Summary, check_group_by

if TYPE_CHECKING:
    import pyarrow as pa

BINS = 20
"""Of the histograms from 0 to 1."""
_NEEDED = ("root", "file", "status", "reason", "emotion", "confidence", "duration", "mtime")
_OPTIONAL = (FAMILIARITY, "agreement", "rms_db", "clipped", "silence")
LEVELS = (-50.0, -40.0, -30.0, -20.0, -10.0)
"""The edges between the levels, in dB, that quality is told by."""
CLIPPED, SILENT = 0.001, 0.5
"""The share of the samples, or of the signal, from which on a recording counts as such."""


@dataclass(frozen=True, slots=True)
class Example:
    """A recording that a report shows by itself."""

    root: str
    file: str
    emotion: str
    confidence: float
    familiarity: float | None
    duration: float
    start: float | None = None
    """Where it begins in the file, if it is a turn."""


@dataclass(frozen=True, slots=True)
class Quality:
    """The recordings of one kind, and how certain the model is of them."""

    name: str
    recordings: int
    confidence: float
    """The mean."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that a report says of a table but the comparison with another one."""

    path: Path
    run: Mapping[str, Any]
    """How the table was made; empty where that is not known."""
    labels: tuple[str, ...]
    """The labels that occur, the most frequent first."""
    summary: Summary
    by_group: Summary | None
    confidence: Mapping[str, Index]
    """The histogram of each label's recordings."""
    histograms: Mapping[str, Index]
    """Of familiarity and agreement, as far as the table has them."""
    quality: tuple[Quality, ...]
    least_certain: tuple[Example, ...]
    most_certain: tuple[Example, ...]


def collect_facts(path: str | Path, *, group_by: str | None = None, examples: int = 30) -> Facts:
    """Count what stands in a recordings table, batch by batch; UsageError for another table."""
    table = open_table(path)
    names = table.schema.names
    if missing := [name for name in _NEEDED if name not in names]:
        raise UsageError(
            f"{for_display(str(path))} is not a recordings table: it lacks {', '.join(missing)}."
            " Give the table that scan's -o wrote"
        )
    if not table.labels:
        raise UsageError(
            f"{for_display(str(path))}: has no probabilities (p_<label>), which a report is about: "
            "give the table of a scan with a model that has labels"
        )
    check_group_by(group_by, names)
    counts = _Counts(table, group_by, examples)
    wanted = {*_NEEDED, *_OPTIONAL, *([group_by] if group_by else [])}
    if "start" in turns_of(names):
        wanted.add("start")
    for batch in table.batches([name for name in names if name in wanted]):
        counts.add(batch)
    return counts.facts()


class _Counts:
    """The counts so far; a batch at a time is held."""

    def __init__(self, table: TableFile, group_by: str | None, examples: int) -> None:
        self._table, self._examples = table, examples
        self._summary = Summary(noun=row_noun(turns_of(table.schema.names)))
        self._by_group = Summary(group_by) if group_by else None
        self._confidence: dict[str, Index] = {}
        self._histograms: dict[str, Index] = {}
        self._quality: dict[str, list[float]] = {}
        self._certain: list[tuple[float, int, Example]] = []
        self._uncertain: list[tuple[float, int, Example]] = []
        self._rows = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Count the rows of a batch."""
        import pyarrow as pa
        import pyarrow.compute as pc

        table = pa.Table.from_batches([batch])
        self._summary.add(table)
        if self._by_group is not None:
            self._by_group.add(table)
        ok = table.filter(pc.equal(table["status"].cast(pa.string()), STATUS_OK))
        if ok.num_rows:
            self._add_confidence(ok)
            self._add_quality(ok)
            self._add_examples(ok)
        self._rows += batch.num_rows

    def facts(self) -> Facts:
        """Return all that was counted."""
        return Facts(
            self._table.path,
            self._table.run,
            tuple(self._summary.by_outcome(STATUS_OK)),
            self._summary,
            self._by_group,
            self._confidence,
            {name: bins for name, bins in self._histograms.items() if bins.any()},
            tuple(
                Quality(name, int(count), total / count)
                for name, (count, total) in sorted(self._quality.items())
                if count
            ),
            tuple(example for _, _, example in self._uncertain),
            tuple(example for _, _, example in self._certain),
        )

    def _add_confidence(self, ok: pa.Table) -> None:
        emotions = np.array(ok["emotion"].to_pylist(), object)
        bins = _bins(_numbers(ok, "confidence"))
        for emotion in dict.fromkeys(emotions.tolist()):
            counted = np.bincount(bins[emotions == emotion], minlength=BINS)
            self._confidence[emotion] = self._confidence.get(emotion, 0) + counted
        for name in (FAMILIARITY, "agreement"):
            if name in ok.column_names:
                values = _numbers(ok, name)
                counted = np.bincount(_bins(values[~np.isnan(values)]), minlength=BINS)
                self._histograms[name] = self._histograms.get(name, 0) + counted

    def _add_quality(self, ok: pa.Table) -> None:
        confidence = _numbers(ok, "confidence")
        masks: dict[str, Any] = {}
        if "rms_db" in ok.column_names:
            levels = np.digitize(_numbers(ok, "rms_db"), LEVELS)
            for number in range(len(LEVELS) + 1):
                masks[_level_name(number)] = levels == number
        for column, limit, name in (
            ("clipped", CLIPPED, f"clipped: more than {CLIPPED:.1%} of the samples"),
            ("silence", SILENT, f"silent: more than {SILENT:.0%} of the signal"),
        ):
            if column in ok.column_names:
                masks[name] = _numbers(ok, column) > limit
        for name, mask in masks.items():
            total = self._quality.setdefault(name, [0.0, 0.0])
            total[0] += np.count_nonzero(mask)
            total[1] += confidence[mask].sum()

    def _add_examples(self, ok: pa.Table) -> None:
        confidence = _numbers(ok, "confidence")
        # Equal confidences stay in the order of the table, so that a report is always the same.
        order = np.argsort(confidence, kind="stable")
        for chosen, sign, rows in (
            (self._uncertain, 1, order[: self._examples]),
            (self._certain, -1, np.argsort(-confidence, kind="stable")[: self._examples]),
        ):
            for row in rows.tolist():
                example = _example(ok, row)
                chosen.append((sign * example.confidence, self._rows + row, example))
            chosen.sort(key=lambda one: one[:2])
            del chosen[self._examples :]


def _numbers(table: pa.Table, name: str) -> Float64:
    """Return a column of numbers, NaN where it is null."""
    values: Float64 = table[name].to_numpy().astype(np.float64)
    return values


def _bins(shares: Float64) -> Index:
    """Return the bin of each number from 0 to 1.

    >>> _bins(np.array([0.0, 0.049, 0.5, 1.0])).tolist()
    [0, 0, 10, 19]
    """
    return np.clip((shares * BINS).astype(np.intp), 0, BINS - 1)


def _level_name(number: int) -> str:
    """Return what recordings between two levels are called; sorted, the quietest come first.

    >>> _level_name(0), _level_name(1), _level_name(5)
    ('level 1: below -50 dB', 'level 2: -50 to -40 dB', 'level 6: -10 dB and more')
    """
    if number == 0:
        between = f"below {LEVELS[0]:g} dB"
    elif number == len(LEVELS):
        between = f"{LEVELS[-1]:g} dB and more"
    else:
        between = f"{LEVELS[number - 1]:g} to {LEVELS[number]:g} dB"
    return f"level {number + 1}: {between}"


def _example(table: pa.Table, row: int) -> Example:
    def value(name: str) -> Any:
        return table[name][row].as_py()

    known = FAMILIARITY in table.column_names
    return Example(
        value("root"),
        value("file"),
        value("emotion"),
        value("confidence"),
        value(FAMILIARITY) if known else None,
        value("duration"),
        value("start") if "start" in table.column_names else None,
    )
