"""Writes an evaluation into a folder: JSON with everything, CSV tables, pictures."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from batchemo.errors import UsageError
from batchemo.sources.names import to_text
from batchemo.training.report.drawing import draw_confusion, draw_reliability
from batchemo.training.report.evaluation import Evaluation

Cell = str | float | int | None
Row = Mapping[str, Cell]

EVALUATION = "evaluation.json"


def write_evaluation(folder: Path, evaluation: Evaluation) -> tuple[Path, ...]:
    """Write all files of an evaluation, each whole or not at all; equal input, equal bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        EVALUATION: _json(evaluation),
        "figures.csv": _csv(evaluation, _figures, "figure"),
        "classes.csv": _csv(evaluation, _classes, "label"),
        "confusion.csv": _csv(evaluation, _confusion, "label told_as"),
        "groups.csv": _csv(evaluation, _groups, "grouping name"),
        "confusion.png": draw_confusion(evaluation),
        "reliability.png": draw_reliability(evaluation),
    }
    for name, content in contents.items():
        unfinished = folder / f".{name}.unfinished"
        unfinished.write_bytes(content)
        unfinished.replace(folder / name)
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


def _csv(evaluation: Evaluation, rows: Callable[[Evaluation], Iterator[Row]], words: str) -> bytes:
    """A table; the columns that are not `words` hold numbers."""
    import pyarrow as pa

    from batchemo.tables.write import open_writer

    about = evaluation.about
    same = {"subject": about.subject, "protocol": about.protocol}
    every: list[dict[str, Any]] = [
        {name: to_text(cell) if isinstance(cell, str) else cell for name, cell in row.items()}
        for row in ({**same, **row} for row in rows(evaluation))
    ]
    texts = {*same, *words.split()}
    schema = pa.schema(
        [(name, pa.string() if name in texts else pa.float64()) for name in every[0]]
    )
    sink = io.BytesIO()
    writer = open_writer(sink, schema, kind=".csv")
    writer.write(pa.Table.from_pylist(every, schema=schema))
    writer.close()
    return sink.getvalue()


def _figures(evaluation: Evaluation) -> Iterator[Row]:
    for name, figure in evaluation.figures.items():
        low, high = figure.interval_over_speakers or (None, None)
        yield {
            "figure": name,
            "mean": figure.mean,
            "spread_over_seeds": figure.spread_over_seeds,
            "spread_over_folds": figure.spread_over_folds,
            "interval_low": low,
            "interval_high": high,
        }


def _classes(evaluation: Evaluation) -> Iterator[Row]:
    for one in evaluation.classes:
        yield {
            "label": one.label,
            "precision": one.precision,
            "recall": one.recall,
            "f1": one.f1,
            "support": one.support,
        }


def _confusion(evaluation: Evaluation) -> Iterator[Row]:
    """One row a cell: labels stay in cells, where nothing takes them for formulas or columns."""
    both = zip(evaluation.confusion.counts, evaluation.confusion.shares, strict=True)
    for label, (counts, shares) in zip(evaluation.labels, both, strict=True):
        for told, count, share in zip(evaluation.labels, counts, shares, strict=True):
            yield {"label": label, "told_as": told, "recordings": count, "share": share}


def _groups(evaluation: Evaluation) -> Iterator[Row]:
    for grouping, groups in evaluation.groups.items():
        for group in groups:
            yield {
                "grouping": grouping,
                "name": group.name,
                "recordings": group.recordings,
                "accuracy": group.accuracy,
                "uar": group.uar,
            }
