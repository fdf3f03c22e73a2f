"""An evaluation in a terminal: figures, classes, confusions and groups, as its width allows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import IO, TYPE_CHECKING

from batchemo.cli.output.format import NARROW, bar, bar_width
from batchemo.common.text import counted, for_display
from batchemo.evaluation.report_table import (
    ReportTable,
    format_value,
)
from batchemo.evaluation.report_tables import (
    BY_SPEAKER,
    NO_ADAPTATION,
    classes_table,
    conditions_table,
    confusion_grid,
    corpora_table,
    figures_table,
    folds_table,
    frequent_confusions,
    groups_table,
    has_corpora_to_show,
)
from batchemo.evaluation.results import Evaluation

if TYPE_CHECKING:
    from rich.table import Table

_CELL_WIDTH = 6
"""Columns of the terminal that one class takes in the confusion matrix."""
_ALL_OF_A_CORPUS = 112
"""Columns of the terminal that all figures of a corpus take."""
_MOST_CONFUSIONS = 8
_MOST_GROUPS = 12
"""Groups of one kind that are shown; the files and --json have all of them."""


def show_evaluation(evaluation: Evaluation, stream: IO[str]) -> None:
    """Print an evaluation, the protocol first, as the width of the terminal allows."""
    from rich.console import Console

    console = Console(file=stream, highlight=False)
    info = evaluation.info
    console.print(for_display(info.title), markup=False, style="bold")
    console.print(for_display(info.protocol_description), markup=False)
    console.print(_size_of_test(evaluation))
    for line in _remarks(evaluation):
        console.print(for_display(line), markup=False)
    for title, table in _tables(evaluation, console.width):
        console.print(f"\n{title}" if title else "", markup=False, style="bold")
        console.print(table)


def _size_of_test(evaluation: Evaluation) -> str:
    recordings = counted(evaluation.recordings, "recording")
    if evaluation.speakers:
        recordings += f" of {counted(evaluation.speakers, 'speaker')}"
    folds, seeds = len(evaluation.folds), len(evaluation.seeds)
    return ", ".join([recordings, counted(folds, "fold"), counted(seeds, "seed")])


def _remarks(evaluation: Evaluation) -> Iterator[str]:
    info = evaluation.info
    for reason, count in info.left_out.items():
        yield f"{counted(count, 'recording')} left out: {reason}"
    yield from info.notes


def _tables(evaluation: Evaluation, width: int) -> Iterator[tuple[str, Table]]:
    """Yield titles and tables; a narrow terminal has no room for spreads and side figures."""
    narrow = width < NARROW
    yield "", _figures(evaluation, NO_ADAPTATION, narrow)
    if has_corpora_to_show(evaluation):
        yield "", _corpora(evaluation, width)
    if len(evaluation.folds) > 1 and evaluation.info.protocol != "corpus":
        yield "", _render(folds_table(evaluation), most_columns=4 if narrow else None)
    yield "", _classes(evaluation, bar_width(width))
    yield from _confusions(evaluation, width)
    yield from _groups(evaluation)
    if evaluation.speaker_adapted:
        yield evaluation.speaker_adapted.title, _figures(evaluation, BY_SPEAKER, narrow)
    if evaluation.conditions:
        table = conditions_table(evaluation).select(
            "condition", "recordings", "uar", "uar_change", "accuracy", "ece"
        )
        title = "the same recordings under other recording conditions"
        yield title, _render(table, most_columns=4 if narrow else None)


def _corpora(evaluation: Evaluation, width: int) -> Table:
    """Render the figures by corpus, with what plain speech is claimed to be where there is any."""
    table = corpora_table(evaluation, mean=True)
    columns = ["corpus", "recordings", "uar", "chance", "ece"]
    if width < NARROW:
        columns.remove("recordings")
    if width >= _ALL_OF_A_CORPUS:
        columns = ["corpus", "languages", "recordings", "classes", *columns[2:]]
        columns += ["confidence", "accuracy"]
    if any(table.values("claimed")):
        columns.append("claimed")
    return _render(table.select(*columns), text_columns=2 if "languages" in columns else 1)


def _figures(evaluation: Evaluation, adaptation: str, narrow: bool) -> Table:
    table = figures_table(evaluation).where("adaptation", adaptation)
    columns = "figure", "mean", "interval", "spread_over_seeds", "spread_over_folds"
    return _render(table.select(*columns), most_columns=3 if narrow else None)


def _classes(evaluation: Evaluation, width: int) -> Table:
    """Render the classification report, with bars where there is room, else with less."""
    table = classes_table(evaluation).select("label", "support", "recall", "precision", "f1")
    return _render(table, recall_bars=width, most_columns=None if width else 3)


def _confusions(evaluation: Evaluation, width: int) -> Iterator[tuple[str, Table]]:
    """Yield the confusion matrix where it fits, else its greatest cells off the diagonal."""
    # Columns are headed by numbers: the names of eight classes do not fit side by side.
    grid = confusion_grid(evaluation, numbered=True)
    names = max(_terminal_width(str(name)) for name in grid.values("label"))
    if names + 1 + _CELL_WIDTH * len(evaluation.labels) <= width:
        yield grid.title, _render(grid)
        return
    confusions = frequent_confusions(evaluation, _MOST_CONFUSIONS)
    if confusions.rows:
        yield confusions.title, _render(confusions, text_columns=2)


def _groups(evaluation: Evaluation) -> Iterator[tuple[str, Table]]:
    """Yield a table for each property in which the recordings differ."""
    table = groups_table(evaluation)
    for grouping, groups in evaluation.groups.items():
        if len(groups) > 1:
            found = table.where("grouping", grouping).select(
                "name", "recordings", "accuracy", "uar"
            )
            name, *figures = found.columns
            shown = replace(
                found,
                columns=(replace(name, title=grouping), *figures),
                rows=found.rows[:_MOST_GROUPS],
            )
            rendered = _render(shown)
            if more := len(groups) - len(shown.rows):
                rendered.add_row(f"and {more:,} more")
            yield "", rendered


def _render(
    table: ReportTable,
    *,
    text_columns: int = 1,
    most_columns: int | None = None,
    recall_bars: int = 0,
) -> Table:
    """Render a table: its first columns hold text, all others numbers, flush right.

    With `recall_bars`, bars of this width follow the first column.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    rendered = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    columns = table.columns[:most_columns]
    for index, column in enumerate(columns):
        rendered.add_column(Text(column.title), justify="left" if index < text_columns else "right")
        if index == 0 and recall_bars:
            rendered.add_column()
    recalls = table.values("recall") if recall_bars else [None] * len(table.rows)
    for row, recall in zip(table.rows, recalls, strict=True):
        # Text and not str: rich would take brackets in names for markup.
        cells = [
            Text(for_display(format_value(value, column, spreads=False)))
            for value, column in zip(row, columns, strict=False)
        ]
        if recall_bars:
            share = recall if isinstance(recall, float) else 0.0
            cells.insert(1, Text(bar(share, recall_bars)))
        rendered.add_row(*cells)
    return rendered


def _terminal_width(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(for_display(text))
