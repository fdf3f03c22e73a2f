"""A table of a report, as data, and how its values are written for readers.

Markdown, CSV and the terminal only render it. A column's kind says how its values are written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from batchemo.evaluation.results import Figure

MISSING = "—"
"""What readers see in place of a value that is not known."""

Kind = Literal["text", "count", "share", "percent", "points", "interval", "figure"]
Value = str | float | tuple[float, float] | Figure | None


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a report table."""

    name: str
    """The name in CSV; an interval becomes two columns there, `<name>_low` and `<name>_high`."""
    title: str
    """The heading for readers."""
    kind: Kind = "share"
    wording: Mapping[str, str] = field(default_factory=dict)
    """What readers see in place of a text, where that is a key."""


@dataclass(frozen=True, slots=True)
class ReportTable:
    """A table of a report, with values as they were computed."""

    name: str
    """The name of its CSV file."""
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]

    def select(self, *names: str) -> ReportTable:
        """Return the table with only these columns, in this order.

        >>> table = ReportTable("t", "", (Column("a", "A"), Column("b", "B")), ((1.0, 2.0),))
        >>> table.select("b").rows
        ((2.0,),)
        """
        indices = [self._index(name) for name in names]
        return replace(
            self,
            columns=tuple(self.columns[index] for index in indices),
            rows=tuple(tuple(row[index] for index in indices) for row in self.rows),
        )

    def where(self, name: str, *values: Value) -> ReportTable:
        """Return the table with only the rows that have one of these values in a column.

        >>> table = ReportTable("t", "", (Column("a", "A"),), ((1.0,), (2.0,)))
        >>> table.where("a", 2.0).rows
        ((2.0,),)
        """
        index = self._index(name)
        return replace(self, rows=tuple(row for row in self.rows if row[index] in values))

    def values(self, name: str) -> list[Value]:
        """Return the values of a column."""
        index = self._index(name)
        return [row[index] for row in self.rows]

    def _index(self, name: str) -> int:
        return [column.name for column in self.columns].index(name)


def format_value(value: Value, column: Column, *, spreads: bool = True) -> str:
    """Write a value for readers; with `spreads`, a figure's spread and interval too.

    >>> format_value(1200, Column("recordings", "recordings", "count"))
    '1,200'
    >>> format_value(Figure(0.5, 0.01, None, (0.4, 0.6)), Column("uar", "UAR", "figure"))
    '0.500 ± 0.010 (0.40 to 0.60)'
    >>> format_value(-0.0512, Column("uar_change", "points", "points"))
    '-5.1'
    """
    if value is None:
        return MISSING
    if isinstance(value, str):
        return column.wording.get(value, value)
    if isinstance(value, Figure):
        return format_figure(value) if spreads else f"{value.mean:.3f}"
    if isinstance(value, tuple):
        return f"{value[0]:.3f}–{value[1]:.3f}"
    return _NUMBER_FORMATS[column.kind].format(100 * value if column.kind == "points" else value)


_NUMBER_FORMATS: Mapping[Kind, str] = {
    "count": "{:,.0f}",
    "share": "{:.3f}",
    "percent": "{:.0%}",
    "points": "{:+.1f}",
}


def format_figure(figure: Figure) -> str:
    """Write a mean, its spread over seeds, and its interval over speakers where it is known."""
    text = f"{figure.mean:.3f}"
    if figure.spread_over_seeds is not None:
        text += f" ± {figure.spread_over_seeds:.3f}"
    if figure.interval_over_speakers is not None:
        low, high = figure.interval_over_speakers
        text += f" ({low:.2f} to {high:.2f})"
    return text
