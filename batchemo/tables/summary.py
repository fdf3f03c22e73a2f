"""Counts of a recordings table by group: a column, a part of the path, a pattern or a date."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from batchemo.errors import UsageError
from batchemo.tables.columns import FAMILIARITY
from batchemo.tables.schema import STATUS_FAILED, STATUS_OK, summary_schema

if TYPE_CHECKING:
    import pyarrow as pa


DATES = {"year": "%Y", "month": "%Y-%m", "date": "%Y-%m-%d"}
FOLDER, PART, REGEX = "folder", "part:", "regex:"

ALL = "all"
"""The group of all rows where the summary is not grouped."""
NO_GROUP = "(none)"
"""The group of rows whose path has no such part, or whose column is null."""
NO_LABEL = ""
"""The outcome of recordings that a model without labels has analysed."""

UNFAMILIAR = 0.3
"""Below this familiarity, recordings are so unlike the training recordings that their labels are
not to be trusted."""


@dataclass
class Count:
    """The totals of one emotion or one reason of failure."""

    recordings: int = 0
    seconds: float = 0.0
    confidence: float = 0.0
    """The sum over the recordings."""
    familiarity: float = 0.0
    """The sum over the recordings for which it is known."""
    known: int = 0
    """The recordings whose familiarity is known."""
    unfamiliar: int = 0
    """Those of them below `UNFAMILIAR`."""
    measured: int = 0
    """The recordings whose dimensions a model has measured."""
    arousal: float = 0.0
    """The sum over these, as the next two."""
    valence: float = 0.0
    dominance: float = 0.0

    @property
    def mean_familiarity(self) -> float | None:
        """The mean over the recordings for which it is known; None if there are none."""
        return self.familiarity / self.known if self.known else None

    def mean_of(self, dimension: str) -> float | None:
        """Return the mean over the recordings for which it was measured; None if there are none."""
        total: float = getattr(self, dimension)
        return total / self.measured if self.measured else None

    def add(self, other: Count) -> None:
        """Add the totals of another."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))


@dataclass
class Summary:
    """The counts of every group, filled table by table."""

    group_by: str | None = None
    counts: dict[tuple[str, str, str], Count] = field(default_factory=dict)
    """By group, status and outcome: the emotion, or the reason of failure; `NO_LABEL` for
    recordings of a model without labels."""
    measured: tuple[str, ...] = ()
    """The dimensions that the model gives, which the tables have columns of."""
    noun: str = "recording"
    """What each row is, as `columns.row_noun` says it."""

    def add(self, table: pa.Table) -> None:
        """Count the rows of a part of a recordings table."""
        import pyarrow as pa
        import pyarrow.compute as pc

        nulls = pa.nulls(table.num_rows, pa.float32())
        # Tables of earlier versions have no such column.
        has_column = FAMILIARITY in table.column_names
        familiarity = table["familiarity"] if has_column else nulls
        # Compared in float32, as the table holds it.
        unfamiliar = pc.less(familiarity, pa.scalar(UNFAMILIAR, pa.float32()))
        outcomes = pc.coalesce(as_text(table["emotion"]), as_text(table["reason"]), NO_LABEL)
        totals = (
            pa.table(
                {
                    "group": _groups(table, self.group_by),
                    "status": as_text(table["status"]),
                    "outcome": outcomes,
                    "seconds": pc.fill_null(table["duration"], 0.0),
                    "confidence": pc.fill_null(pc.cast(table["confidence"], pa.float64()), 0.0),
                    "familiarity": pc.cast(familiarity, pa.float64()),
                    "unfamiliar": pc.cast(pc.fill_null(unfamiliar, False), pa.int64()),
                    **{name: pc.cast(table[name], pa.float64()) for name in self.measured},
                }
            )
            # With threads, sums of floats would depend on the order in which they finish.
            .group_by(["group", "status", "outcome"], use_threads=False)
            .aggregate(
                [
                    *((name, "sum") for name in ("seconds", "confidence", "familiarity")),
                    *((name, "count") for name in ("outcome", "familiarity", *self.measured)),
                    *((name, "sum") for name in ("unfamiliar", *self.measured)),
                ]
            )
        )
        for row in totals.to_pylist():
            key = row["group"], row["status"], row["outcome"]
            count = Count(
                recordings=row["outcome_count"],
                seconds=row["seconds_sum"],
                confidence=row["confidence_sum"],
                familiarity=row["familiarity_sum"] or 0.0,
                known=row["familiarity_count"],
                unfamiliar=row["unfamiliar_sum"],
                measured=max((row[f"{name}_count"] for name in self.measured), default=0),
                **{name: row[f"{name}_sum"] or 0.0 for name in self.measured},
            )
            self.counts.setdefault(key, Count()).add(count)

    def count_recordings(self, status: str | None = None, group: str | None = None) -> int:
        """Return the number of recordings, of one status or in one group if given."""
        return sum(
            count.recordings
            for (in_group, in_status, _), count in self.counts.items()
            if status in (None, in_status) and group in (None, in_group)
        )

    @property
    def seconds(self) -> float:
        """The duration of all recordings for which it is known."""
        return sum(count.seconds for count in self.counts.values())

    def total(self, group: str | None = None) -> Count:
        """Return the totals of all recordings, or of those in one group."""
        total = Count()
        for (in_group, _, _), count in self.counts.items():
            if group in (None, in_group):
                total.add(count)
        return total

    def by_outcome(self, status: str) -> dict[str, Count]:
        """Return the totals of all groups by emotion or reason of failure, most frequent first."""
        totals: dict[str, Count] = {}
        for (_, in_status, outcome), count in self.counts.items():
            if in_status == status:
                totals.setdefault(outcome, Count()).add(count)
        return dict(sorted(totals.items(), key=lambda item: (-item[1].recordings, item[0])))

    def table(self) -> pa.Table:
        """Return the summary as a tidy table, sorted by group and name."""
        import pyarrow as pa

        return pa.Table.from_pylist(list(self._rows()), schema=summary_schema(self.measured))

    def _rows(self) -> Iterator[dict[str, Any]]:
        order = {STATUS_OK: 0, STATUS_FAILED: 1}
        for key in sorted(self.counts, key=lambda k: (k[0], order.get(k[1], 2), k[2])):
            group, status, outcome = key
            count = self.counts[key]
            ok = status == STATUS_OK
            yield {
                "group": group,
                "status": status,
                "emotion": outcome if ok and outcome != NO_LABEL else None,
                "reason": None if ok else outcome,
                "files": count.recordings,
                "share": count.recordings / self.count_recordings(status, group),
                "minutes": count.seconds / 60,
                "mean_confidence": count.confidence / count.recordings
                if ok and outcome != NO_LABEL
                else None,
                "mean_familiarity": count.mean_familiarity,
                **{f"mean_{name}": count.mean_of(name) for name in self.measured},
            }


def summarise(
    tables: Iterable[pa.Table],
    group_by: str | None = None,
    measured: tuple[str, ...] = (),
    noun: str = "recording",
) -> Summary:
    """Return the counts of all parts of a recordings table, which has these dimensions."""
    summary = Summary(group_by, measured=measured, noun=noun)
    for table in tables:
        summary.add(table)
    return summary


def check_group_by(group_by: str | None, columns: Iterable[str]) -> None:
    """Raise a UsageError for a grouping that a table with these columns does not have."""
    columns = list(columns)
    if group_by is None or group_by in columns or group_by in DATES or is_path_part(group_by):
        return
    raise UsageError(
        f"cannot group by {group_by!r}: it is no column of the table ({', '.join(columns)}), "
        "nor folder, part:N, regex:PATTERN, date, month or year"
    )


def is_path_part(group_by: str) -> bool:
    """Return whether a grouping is by a recording's path.

    >>> is_path_part("folder"), is_path_part("part:0"), is_path_part("regex:^[a-z]+")
    (True, False, True)
    """
    if group_by.startswith(REGEX):
        _pattern(group_by)
        return True
    return group_by == FOLDER or re.fullmatch(rf"{PART}[1-9]\d*", group_by) is not None


def group_names(table: pa.Table, group_by: str) -> pa.Array | pa.ChunkedArray:
    """Return the group of each row as text, null for a row that is in none.

    `folder` is the folder a recording lies in, `part:N` the Nth part of its path, `regex:PATTERN`
    what the pattern's first group, or all of it, finds in the path; `date`, `month` and `year` are
    those of its last change; anything else is the name of a column. A column of one of these
    names comes first.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if group_by in table.column_names:
        return as_text(table[group_by]).cast(pa.string())
    if group_by in DATES:
        return pc.strftime(table["mtime"], format=DATES[group_by])
    return pa.array(_path_groups(table["file"].to_pylist(), group_by), pa.string())


def as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a dictionary column as plain text, any other column unchanged."""
    import pyarrow as pa

    return column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column


def _groups(table: pa.Table, group_by: str | None) -> pa.Array | pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    if group_by is None:
        return pa.array(np.full(table.num_rows, ALL, object), pa.string())
    return pc.fill_null(group_names(table, group_by), NO_GROUP)


def _path_groups(files: list[str], group_by: str) -> Iterator[str | None]:
    if group_by == FOLDER:
        return (file.rpartition("/")[0] or None for file in files)
    if group_by.startswith(REGEX):
        matches = map(_pattern(group_by).search, files)
        return (match and match[min(1, match.re.groups)] for match in matches)
    number = int(group_by.removeprefix(PART))
    folders = (file.split("/")[:-1] for file in files)
    return (path[number - 1] if number <= len(path) else None for path in folders)


def _pattern(group_by: str) -> re.Pattern[str]:
    try:
        return re.compile(group_by.removeprefix(REGEX))
    except re.error as error:
        raise UsageError(f"{group_by}: this is no regular expression: {error}") from None
