"""An evaluation as tidy CSV tables, each row with the subject and the protocol."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from batchemo.common.text import to_text
from batchemo.evaluation.evaluation import Evaluation, Figure

Cell = str | float | int | None
Row = tuple[Cell, ...]


class Table(NamedTuple):
    """The columns of a table, words before numbers, and how its rows come from an evaluation."""

    words: str
    numbers: str
    rows: Callable[[Evaluation], Iterator[Row]]


def csv_bytes(table: Table, evaluation: Evaluation) -> bytes:
    """The table as CSV, with its header also where there are no rows."""
    import pyarrow as pa

    from batchemo.tables.write import open_writer

    words = ["subject", "protocol", *table.words.split()]
    fields = [(name, pa.string()) for name in words]
    fields += [(name, pa.float64()) for name in table.numbers.split()]
    schema = pa.schema(fields)
    about = evaluation.about
    rows = [
        [to_text(cell) if isinstance(cell, str) else cell for cell in row]
        for row in ((about.subject, about.protocol, *row) for row in table.rows(evaluation))
    ]
    sink = io.BytesIO()
    writer = open_writer(sink, schema, kind=".csv")
    writer.write(
        pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in rows], schema)
    )
    writer.close()
    return sink.getvalue()


def _figures(evaluation: Evaluation) -> Iterator[Row]:
    """Those of recordings judged alone, and those of each speaker's judged together."""
    for name, figure in evaluation.figures.items():
        yield (name, "alone", *_figure(figure))
    if evaluation.grouped:
        for name, figure in evaluation.grouped.figures.items():
            yield (name, "by speaker", *_figure(figure))


def _figure(figure: Figure) -> Row:
    low, high = figure.interval_over_speakers or (None, None)
    return figure.mean, figure.spread_over_seeds, figure.spread_over_folds, low, high


def _classes(evaluation: Evaluation) -> Iterator[Row]:
    for one in evaluation.classes:
        yield one.label, one.precision, one.recall, one.f1, one.support


def _confusion(evaluation: Evaluation) -> Iterator[Row]:
    """One row a cell: labels stay in cells, where nothing takes them for formulas or columns."""
    both = zip(evaluation.confusion.counts, evaluation.confusion.shares, strict=True)
    for label, (counts, shares) in zip(evaluation.labels, both, strict=True):
        for told, count, share in zip(evaluation.labels, counts, shares, strict=True):
            yield label, told, count, share


def _coverage(evaluation: Evaluation) -> Iterator[Row]:
    for kept in evaluation.coverage:
        yield kept.coverage, kept.confidence, kept.accuracy


def _groups(evaluation: Evaluation) -> Iterator[Row]:
    for grouping, groups in evaluation.groups.items():
        for group in groups:
            yield grouping, group.name, group.recordings, group.accuracy, group.uar


def _conditions(evaluation: Evaluation) -> Iterator[Row]:
    for one in evaluation.conditions:
        means = (figure.mean for figure in (one.uar, one.accuracy, one.ece))
        changes = one.change, one.change_spread_over_seeds
        yield (one.name, one.told, one.recordings, one.unheard, *means, *changes)


TABLES: Mapping[str, Table] = {
    "figures": Table(
        "figure judged",
        "mean spread_over_seeds spread_over_folds interval_low interval_high",
        _figures,
    ),
    "classes": Table("label", "precision recall f1 support", _classes),
    "confusion": Table("label told_as", "recordings share", _confusion),
    "coverage": Table("", "coverage least_confidence accuracy", _coverage),
    "groups": Table("grouping name", "recordings accuracy uar", _groups),
    "conditions": Table(
        "condition told",
        "recordings unheard uar accuracy ece uar_change uar_change_spread_over_seeds",
        _conditions,
    ),
}
"""The tables by the name of their file."""
