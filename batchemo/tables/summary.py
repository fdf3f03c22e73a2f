"""Counts what a files table holds: emotions and failures, for each group of recordings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from batchemo.tables.grouping import as_text, group_names
from batchemo.tables.schema import STATUS_FAILED, STATUS_OK, summary_schema

if TYPE_CHECKING:
    import pyarrow as pa

ALL = "all"
NOWHERE = "(none)"
"""The group of rows that have no such part, or a null in the column."""


@dataclass
class Count:
    """What was added up for one emotion or one reason."""

    files: int = 0
    seconds: float = 0.0
    confidence: float = 0.0


@dataclass
class Summary:
    """The counts of every group, filled table by table."""

    group_by: str | None = None
    counts: dict[tuple[str, str, str], Count] = field(default_factory=dict)
    """(group, status, emotion or reason) to what was counted."""

    def add(self, table: pa.Table) -> None:
        """Count the rows of a part of a files table."""
        import pyarrow as pa
        import pyarrow.compute as pc

        kinds = pc.coalesce(as_text(table["emotion"]), as_text(table["reason"]))
        counted = (
            pa.table(
                {
                    "group": groups(table, self.group_by),
                    "status": as_text(table["status"]),
                    "kind": kinds,
                    "seconds": pc.fill_null(table["duration"], 0.0),
                    "confidence": pc.fill_null(pc.cast(table["confidence"], pa.float64()), 0.0),
                }
            )
            .group_by(["group", "status", "kind"], use_threads=False)
            .aggregate([("seconds", "sum"), ("confidence", "sum"), ("kind", "count")])
        )
        for row in counted.to_pylist():
            count = self.counts.setdefault((row["group"], row["status"], row["kind"]), Count())
            count.files += row["kind_count"]
            count.seconds += row["seconds_sum"]
            count.confidence += row["confidence_sum"]

    def files(self, status: str | None = None, group: str | None = None) -> int:
        """Count recordings, of one status or one group where asked."""
        return sum(
            count.files
            for (in_group, in_status, _), count in self.counts.items()
            if status in (None, in_status) and group in (None, in_group)
        )

    @property
    def seconds(self) -> float:
        """The sound of all recordings whose length is known."""
        return sum(count.seconds for count in self.counts.values())

    def by_kind(self, status: str) -> dict[str, Count]:
        """Add up the groups: the emotions, or the reasons of failure, most frequent first."""
        totals: dict[str, Count] = {}
        for (_, in_status, kind), count in self.counts.items():
            if in_status == status:
                total = totals.setdefault(kind, Count())
                total.files += count.files
                total.seconds += count.seconds
                total.confidence += count.confidence
        return dict(sorted(totals.items(), key=lambda item: (-item[1].files, item[0])))

    def table(self) -> pa.Table:
        """Give the tidy table, groups and names in order."""
        import pyarrow as pa

        return pa.Table.from_pylist(list(self._rows()), schema=summary_schema())

    def _rows(self) -> Iterator[dict[str, Any]]:
        order = {STATUS_OK: 0, STATUS_FAILED: 1}
        for key in sorted(self.counts, key=lambda k: (k[0], order.get(k[1], 2), k[2])):
            group, status, kind = key
            count = self.counts[key]
            heard = status == STATUS_OK
            yield {
                "group": group,
                "status": status,
                "emotion": kind if heard else None,
                "reason": None if heard else kind,
                "files": count.files,
                "share": count.files / self.files(status, group),
                "minutes": count.seconds / 60,
                "mean_confidence": count.confidence / count.files if heard else None,
            }


def summarise(tables: Iterable[pa.Table], group_by: str | None = None) -> Summary:
    """Count all the tables."""
    summary = Summary(group_by)
    for table in tables:
        summary.add(table)
    return summary


def groups(table: pa.Table, group_by: str | None) -> pa.Array | pa.ChunkedArray:
    """Give each row's group as text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if group_by is None:
        return pa.array(np.full(table.num_rows, ALL, object), pa.string())
    return pc.fill_null(group_names(table, group_by), NOWHERE)
