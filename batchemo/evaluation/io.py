"""Writes an evaluation into a folder, as JSON, CSV tables and pictures, and reads it back."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from batchemo.common.files import atomic_write
from batchemo.common.text import to_text
from batchemo.errors import UsageError
from batchemo.evaluation.plots import PICTURES
from batchemo.evaluation.results import Evaluation, Figure

Cell = str | float | int | None
RecordingResult = tuple[Cell, ...]


class Table(NamedTuple):
    """The columns of a table, words before numbers, and how its rows come from an evaluation."""

    words: str
    numbers: str
    rows: Callable[[Evaluation], Iterator[RecordingResult]]


def csv_bytes(table: Table, evaluation: Evaluation) -> bytes:
    """The table as CSV, with its header also where there are no rows."""
    import pyarrow as pa

    from batchemo.tables.write import open_writer

    words = ["subject", "protocol", *table.words.split()]
    fields = [(name, pa.string()) for name in words]
    fields += [(name, pa.float64()) for name in table.numbers.split()]
    schema = pa.schema(fields)
    info = evaluation.info
    rows = [
        [to_text(cell) if isinstance(cell, str) else cell for cell in row]
        for row in ((info.subject, info.protocol, *row) for row in table.rows(evaluation))
    ]
    sink = io.BytesIO()
    writer = open_writer(sink, schema, kind=".csv")
    writer.write(
        pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in rows], schema)
    )
    writer.close()
    return sink.getvalue()


def _figures(evaluation: Evaluation) -> Iterator[RecordingResult]:
    """Those of recordings judged alone, and those of each speaker's judged together."""
    for name, figure in evaluation.figures.items():
        yield (name, "alone", *_figure(figure))
    if evaluation.speaker_adapted:
        for name, figure in evaluation.speaker_adapted.figures.items():
            yield (name, "by speaker", *_figure(figure))


def _figure(figure: Figure) -> RecordingResult:
    low, high = figure.interval_over_speakers or (None, None)
    return figure.mean, figure.spread_over_seeds, figure.spread_over_folds, low, high


def _classes(evaluation: Evaluation) -> Iterator[RecordingResult]:
    for one in evaluation.classes:
        yield one.label, one.precision, one.recall, one.f1, one.support


def _confusion(evaluation: Evaluation) -> Iterator[RecordingResult]:
    """One row a cell: labels stay in cells, where nothing takes them for formulas or columns."""
    both = zip(evaluation.confusion.counts, evaluation.confusion.shares, strict=True)
    for label, (counts, shares) in zip(evaluation.labels, both, strict=True):
        for told, count, share in zip(evaluation.labels, counts, shares, strict=True):
            yield label, told, count, share


def _coverage(evaluation: Evaluation) -> Iterator[RecordingResult]:
    for kept in evaluation.coverage:
        yield kept.coverage, kept.confidence, kept.accuracy


def _groups(evaluation: Evaluation) -> Iterator[RecordingResult]:
    for grouping, groups in evaluation.groups.items():
        for group in groups:
            yield grouping, group.name, group.recordings, group.accuracy, group.uar


def _conditions(evaluation: Evaluation) -> Iterator[RecordingResult]:
    for one in evaluation.conditions:
        means = (figure.mean for figure in (one.uar, one.accuracy, one.ece))
        changes = one.change, one.change_spread_over_seeds
        yield (one.name, one.description, one.recordings, one.without_speech, *means, *changes)


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


EVALUATION = "evaluation.json"


def write_evaluation(folder: Path, evaluation: Evaluation) -> tuple[Path, ...]:
    """Write all files of an evaluation, each whole or not at all; equal input, equal bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        EVALUATION: _json(evaluation),
        **{f"{name}.csv": csv_bytes(table, evaluation) for name, table in TABLES.items()},
        **{f"{name}.png": draw(evaluation) for name, draw in PICTURES.items()},
    }
    for name, content in contents.items():
        with atomic_write(folder / name) as file:
            file.write(content)
    return tuple(folder / name for name in contents)


def read_evaluation(path: Path) -> Evaluation:
    """Read back what `write_evaluation` wrote: its folder, or the JSON file in it."""
    if path.is_dir():
        path /= EVALUATION
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{path}: is no JSON: {error}") from error
    if not isinstance(told, dict):
        raise UsageError(f"{path}: is no evaluation")
    return Evaluation.from_dict(told)


def _json(evaluation: Evaluation) -> bytes:
    text = json.dumps(evaluation.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
    # A lone surrogate, from a name that is no UTF-8, becomes JSON's own escape of it.
    return f"{text}\n".encode("utf-8", "backslashreplace")
