"""The tables of an evaluation, as data: CSV, Markdown and the terminal only render them.

`report_tables` returns the tables that are written as CSV, with all their columns. For readers,
Markdown and the terminal choose among the columns and rows of these (`ReportTable.select`,
`ReportTable.where`), or lay the same figures out across (`confusion_grid`, `adaptation_table`).
A column's kind says how its values are written for readers: see `format_value`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from batchemo.evaluation.results import FIGURES, Evaluation, Figure

MISSING = "—"
"""What readers see in place of a value that is not known."""

Kind = Literal["text", "count", "share", "percent", "points", "interval", "figure"]
Value = str | float | tuple[float, float] | Figure | None

NO_ADAPTATION, BY_SPEAKER = "none", "by speaker"


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


def report_tables(evaluation: Evaluation) -> tuple[ReportTable, ...]:
    """Return the tables of an evaluation in full."""
    builders = (
        figures_table,
        classes_table,
        confusion_table,
        coverage_table,
        groups_table,
        conditions_table,
    )
    return tuple(build(evaluation) for build in builders)


def figures_table(evaluation: Evaluation) -> ReportTable:
    """Return all figures, without adaptation and adapted to each speaker."""
    rows = [_figure_row(name, NO_ADAPTATION, of) for name, of in evaluation.figures.items()]
    if evaluation.speaker_adapted:
        adapted = evaluation.speaker_adapted.figures
        rows += [_figure_row(name, BY_SPEAKER, figure) for name, figure in adapted.items()]
    return ReportTable(
        "figures",
        "Figures",
        (
            Column("figure", "figure", "text", wording=FIGURES),
            Column("adaptation", "adaptation", "text"),
            Column("mean", "mean"),
            Column("spread_over_seeds", "± seeds"),
            Column("spread_over_folds", "± folds"),
            Column("interval", "95 % of speakers", "interval"),
        ),
        tuple(rows),
    )


def _figure_row(name: str, adaptation: str, figure: Figure) -> tuple[Value, ...]:
    return (
        name,
        adaptation,
        figure.mean,
        figure.spread_over_seeds,
        figure.spread_over_folds,
        figure.interval_over_speakers,
    )


def classes_table(evaluation: Evaluation) -> ReportTable:
    """Return the classification report."""
    return ReportTable(
        "classes",
        "By class",
        (
            Column("label", "class", "text"),
            Column("precision", "precision"),
            Column("recall", "recall"),
            Column("f1", "F1"),
            Column("support", "support", "count"),
        ),
        tuple(
            (row.label, row.precision, row.recall, row.f1, row.support)
            for row in evaluation.classes
        ),
    )


def confusion_table(evaluation: Evaluation) -> ReportTable:
    """Return the confusion matrix with a row for each cell.

    Labels are values here and not names of columns: whatever characters they hold, a CSV file of
    them stays readable.
    """
    return ReportTable(
        "confusion",
        "Confusions",
        (
            Column("label", "class", "text"),
            Column("predicted", "predicted", "text"),
            Column("recordings", "recordings", "count"),
            Column("share", "share", "percent"),
        ),
        tuple(_confusion_rows(evaluation)),
    )


def _confusion_rows(evaluation: Evaluation) -> Iterator[tuple[Value, ...]]:
    labels, confusion = evaluation.labels, evaluation.confusion
    for label, *row in zip(labels, confusion.counts, confusion.shares, strict=True):
        for predicted, count, share in zip(labels, *row, strict=True):
            yield label, predicted, count, share


def confusion_grid(evaluation: Evaluation, *, numbered: bool = False) -> ReportTable:
    """Return the confusion matrix laid out across, in percent of the class.

    Where it is `numbered`, columns are headed by the number of a class, which its row shows too.
    """
    numbers = [str(number) for number in range(1, len(evaluation.labels) + 1)]
    names = evaluation.labels
    if numbered:
        names = tuple(f"{number} {label}" for number, label in zip(numbers, names, strict=True))
    titles = numbers if numbered else names
    return ReportTable(
        "confusion",
        "each true class (row) by predicted class (column), in % of the true class",
        (
            Column("label", "", "text"),
            *(
                Column(number, title, "count")
                for number, title in zip(numbers, titles, strict=True)
            ),
        ),
        tuple(
            (name, *(None if share is None else 100 * share for share in shares))
            for name, shares in zip(names, evaluation.confusion.shares, strict=True)
        ),
    )


def frequent_confusions(evaluation: Evaluation, most: int) -> ReportTable:
    """Return the most frequent confusions, the greatest share of its class first."""
    confused = [
        (share, label, predicted)
        for label, shares in zip(evaluation.labels, evaluation.confusion.shares, strict=True)
        for predicted, share in zip(evaluation.labels, shares, strict=True)
        if share and predicted != label
    ]
    confused.sort(key=lambda row: (-row[0], row[1], row[2]))
    return replace(
        confusion_table(evaluation).select("label", "predicted", "share"),
        title="most frequent confusions",
        rows=tuple((label, predicted, share) for share, label, predicted in confused[:most]),
    )


def folds_table(evaluation: Evaluation) -> ReportTable:
    """Return the figures of each fold."""
    return ReportTable(
        "folds",
        "By fold",
        (
            Column("fold", "fold", "text"),
            Column("recordings", "recordings", "count"),
            Column("uar", "UAR"),
            Column("accuracy", "accuracy"),
            Column("macro_f1", "macro F1"),
        ),
        tuple(
            (row.fold, row.recordings, row.uar, row.accuracy, row.macro_f1)
            for row in evaluation.folds
        ),
    )


def groups_table(evaluation: Evaluation) -> ReportTable:
    """Return the figures of recordings that share a property, for each property."""
    return ReportTable(
        "groups",
        "By group",
        (
            Column("grouping", "grouping", "text"),
            Column("name", "group", "text"),
            Column("recordings", "recordings", "count"),
            Column("accuracy", "accuracy"),
            Column("uar", "UAR"),
        ),
        tuple(
            (grouping, group.name, group.recordings, group.accuracy, group.uar)
            for grouping, groups in evaluation.groups.items()
            for group in groups
        ),
    )


def coverage_table(evaluation: Evaluation) -> ReportTable:
    """Return the accuracy of the most confident predictions, by the share that is kept."""
    return ReportTable(
        "coverage",
        "Coverage",
        (
            Column("coverage", "kept", "percent"),
            Column("least_confidence", "least confidence"),
            Column("accuracy", "accuracy"),
        ),
        tuple((point.coverage, point.confidence, point.accuracy) for point in evaluation.coverage),
    )


def conditions_table(evaluation: Evaluation, *, unchanged: bool = False) -> ReportTable:
    """Return the figures under each recording condition; `unchanged` recordings first if wanted."""
    rows: list[tuple[Value, ...]] = [
        (
            row.name,
            row.description,
            row.recordings,
            row.without_speech,
            row.uar,
            row.accuracy.mean,
            row.ece.mean,
            row.change,
            row.change_spread_over_seeds,
        )
        for row in evaluation.conditions
    ]
    if unchanged:
        uar, accuracy, ece = (evaluation.figures[name] for name in ("uar", "accuracy", "ece"))
        count = evaluation.recordings
        first = ("", "unchanged", count, None, uar, accuracy.mean, ece.mean, None, None)
        rows.insert(0, first)
    return ReportTable(
        "conditions",
        "Under other recording conditions",
        (
            Column("condition", "condition", "text"),
            Column("description", "condition", "text"),
            Column("recordings", "recordings", "count"),
            Column("without_speech", "without speech", "count"),
            Column("uar", "UAR", "figure"),
            Column("accuracy", "accuracy"),
            Column("ece", "ECE"),
            Column("uar_change", "points", "points"),
            Column("uar_change_spread_over_seeds", "± seeds"),
        ),
        tuple(rows),
    )


def adaptation_table(evaluation: Evaluation) -> ReportTable:
    """Compare the figures with and without adaptation; no rows where nothing was adapted."""
    names = ("uar", "accuracy", "ece")
    adapted = evaluation.speaker_adapted
    by_row = {"not adapted": evaluation.figures, adapted.title: adapted.figures} if adapted else {}
    return ReportTable(
        "adaptation",
        "Adapted to each speaker",
        (Column("adaptation", "", "text"), *figure_columns(names)),
        tuple((title, *(of[name] for name in names)) for title, of in by_row.items()),
    )


def figure_columns(names: Iterable[str]) -> Iterator[Column]:
    """Yield the columns of figures that are laid out across."""
    return (Column(name, FIGURES[name], "figure") for name in names)
