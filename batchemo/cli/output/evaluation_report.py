"""Shows an evaluation to people: figures, classes, confusions and groups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, TYPE_CHECKING

from batchemo.cli.output.format import (
    NARROW,
    bar,
    bar_width,
    counted,
)
from batchemo.common.text import for_display
from batchemo.evaluation.results import (
    FIGURES,
    Evaluation,
    Figure,
    GroupFigures,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

NOTHING = "—"

_CELL = 6
"""Columns of the terminal that one class takes in the matrix."""
_MOST_CONFUSIONS = 8
_MOST_GROUPS = 12
"""Groups of one kind that are shown; all stand in the files and in --json."""


def show_evaluation(evaluation: Evaluation, stream: IO[str]) -> None:
    """Print an evaluation, the protocol first, as the width of the terminal allows."""
    from rich.console import Console

    console = Console(file=stream, highlight=False)
    info = evaluation.info
    console.print(for_display(info.title), markup=False, style="bold")
    console.print(for_display(info.protocol_description), markup=False)
    console.print(_measured(evaluation))
    for line in _remarks(evaluation):
        console.print(for_display(line), markup=False)
    for title, table in _tables(evaluation, console):
        console.print(f"\n{title}" if title else "", markup=False, style="bold")
        console.print(table)


def _measured(evaluation: Evaluation) -> str:
    told = counted(evaluation.recordings, "recording")
    if evaluation.speakers:
        told += f" of {counted(evaluation.speakers, 'speaker')}"
    folds, seeds = len(evaluation.folds), len(evaluation.seeds)
    return ", ".join([told, counted(folds, "fold"), counted(seeds, "seed")])


def _remarks(evaluation: Evaluation) -> Iterator[str]:
    info = evaluation.info
    for reason, count in info.left_out.items():
        yield f"{counted(count, 'recording')} left out: {reason}"
    yield from info.notes


def _tables(evaluation: Evaluation, console: Console) -> Iterator[tuple[str, Table]]:
    narrow = console.width < NARROW
    yield "", _figures(evaluation.figures, narrow)
    if len(evaluation.folds) > 1:
        yield "", _folds(evaluation, narrow)
    yield "", _classes(evaluation, bar_width(console.width))
    numbered = _longest(evaluation.labels) + len(str(len(evaluation.labels))) + 2
    if numbered + _CELL * len(evaluation.labels) <= console.width:
        yield "each class, and what it was told as (% of the class)", _matrix(evaluation)
    elif rows := _confusions(evaluation):
        yield "most frequent confusions", _grid(("class", "told as", "share"), rows, words=2)
    for grouping, groups in evaluation.groups.items():
        if len(groups) > 1:
            yield "", _groups(grouping, groups)
    if evaluation.speaker_adapted:
        yield evaluation.speaker_adapted.title, _figures(evaluation.speaker_adapted.figures, narrow)
    if evaluation.conditions:
        yield "the same recordings heard otherwise", _conditions(evaluation, narrow)


def _figures(figures: Mapping[str, Figure], narrow: bool) -> Table:
    """The figures; a narrow terminal has no room for the spreads."""
    head = ["figure", "mean", "95 % of speakers", "± seeds", "± folds"]
    rows = []
    for name, figure in figures.items():
        ends = figure.interval_over_speakers
        interval = NOTHING if ends is None else f"{ends[0]:.3f}–{ends[1]:.3f}"
        spreads = map(_share, (figure.spread_over_seeds, figure.spread_over_folds))
        rows.append([FIGURES[name], _share(figure.mean), interval, *spreads])
    return _grid(head, rows, most=3 if narrow else None)


def _folds(evaluation: Evaluation, narrow: bool) -> Table:
    rows = [
        (one.fold, f"{one.recordings:,}", *map(_share, (one.uar, one.accuracy, one.macro_f1)))
        for one in evaluation.folds
    ]
    head = ("fold", "recordings", "UAR", "accuracy", "macro F1")
    return _grid(head, rows, most=4 if narrow else None)


def _classes(evaluation: Evaluation, width: int) -> Table:
    """The classification report, with bars of recall so wide; with none, only what matters most."""
    rows = []
    for one in evaluation.classes:
        figures = map(_share, (one.recall, one.precision, one.f1))
        drawn = [bar(one.recall or 0.0, width)] if width else []
        rows.append([one.label, *drawn, f"{one.support:,.0f}", *figures])
    head = ["class", *([""] if width else []), "support", "recall", "precision", "F1"]
    return _grid(head, rows, words=2) if width else _grid(head, rows, most=3)


def _groups(grouping: str, groups: Sequence[GroupFigures]) -> Table:
    rows = [
        (group.name, f"{group.recordings:,}", _share(group.accuracy), _share(group.uar))
        for group in groups[:_MOST_GROUPS]
    ]
    if more := len(groups) - len(rows):
        rows.append((f"and {more:,} more", "", "", ""))
    return _grid((grouping, "recordings", "accuracy", "UAR"), rows)


def _conditions(evaluation: Evaluation, narrow: bool) -> Table:
    """UAR and what it is more or less than that of the same recordings, in points."""
    rows = []
    for one in evaluation.conditions:
        change, figures = f"{100 * one.change:+.1f}", (one.accuracy, one.ece)
        shares = (_share(figure.mean) for figure in figures)
        rows.append([one.name, f"{one.recordings:,}", _share(one.uar.mean), change, *shares])
    head = ("condition", "recordings", "UAR", "points", "accuracy", "ECE")
    return _grid(head, rows, most=4 if narrow else None)


def _matrix(evaluation: Evaluation) -> Table:
    """Shares in percent; columns are numbered, for no eight names fit beside each other."""
    numbers = [str(place + 1) for place in range(len(evaluation.labels))]
    rows = [
        (f"{number} {label}", *(NOTHING if one is None else f"{one:.0%}"[:-1] for one in shares))
        for number, label, shares in zip(
            numbers, evaluation.labels, evaluation.confusion.shares, strict=True
        )
    ]
    return _grid(["", *numbers], rows)


def _confusions(evaluation: Evaluation) -> list[tuple[str, str, str]]:
    labels = evaluation.labels
    wrong = [
        (share, label, told)
        for label, shares in zip(labels, evaluation.confusion.shares, strict=True)
        for told, share in zip(labels, shares, strict=True)
        if share and told != label
    ]
    wrong.sort(key=lambda one: (-one[0], one[1], one[2]))
    return [(label, told, f"{share:.0%}") for share, label, told in wrong[:_MOST_CONFUSIONS]]


def _grid(
    head: Sequence[str], rows: Iterable[Sequence[str]], *, words: int = 1, most: int | None = None
) -> Table:
    """A table whose first columns hold words and all others numbers, `most` columns at most."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for place, title in enumerate(head[:most]):
        table.add_column(Text(title), justify="left" if place < words else "right")
    for row in rows:
        table.add_row(*(Text(for_display(cell)) for cell in row[:most]))
    return table


def _longest(names: Iterable[str]) -> int:
    from rich.cells import cell_len

    return max(cell_len(for_display(name)) for name in names)


def _share(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.3f}"
