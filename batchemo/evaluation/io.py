"""The files of an evaluation: written into a folder, and read back.

    FOLDER/
      evaluation.json     everything (`Evaluation.to_dict`); the only file that is read back
      figures.csv         all figures, without adaptation and adapted to each speaker
      classes.csv         the classification report
      confusion.csv       the confusion matrix, a row for each cell
      coverage.csv        the accuracy of the most confident predictions
      corpora.csv         figures by corpus, and how much emotion is claimed of plain speech
      groups.csv          figures by language, channel, gender, intensity and speaker
      conditions.csv      figures under other recording conditions
      confusion.png, reliability.png, coverage.png

Every CSV begins with the columns subject and protocol, so that no figure goes without them. Each
file is written whole or not at all, and equal evaluations give equal bytes.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from batchemo.common.files import atomic_write
from batchemo.common.text import to_text
from batchemo.errors import UsageError
from batchemo.evaluation.plots import PLOTS
from batchemo.evaluation.report_table import (
    Column,
    ReportTable,
    Value,
)
from batchemo.evaluation.report_tables import (
    report_tables,
)
from batchemo.evaluation.results import Evaluation, EvaluationInfo, Figure

EVALUATION_FILE = "evaluation.json"


def write_evaluation(folder: Path, evaluation: Evaluation) -> tuple[Path, ...]:
    """Write all files of an evaluation, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = report_tables(evaluation)
    contents = {
        EVALUATION_FILE: _json_bytes(evaluation),
        **{f"{table.name}.csv": csv_bytes(table, evaluation.info) for table in tables},
        **{f"{name}.png": draw(evaluation) for name, draw in PLOTS.items()},
    }
    for name, content in contents.items():
        with atomic_write(folder / name) as file:
            file.write(content)
    return tuple(folder / name for name in contents)


def read_evaluation(path: Path) -> Evaluation:
    """Read what `write_evaluation` wrote: its folder, or the JSON file in it."""
    if path.is_dir():
        path /= EVALUATION_FILE
    try:
        contents = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{path}: is no JSON: {error}") from error
    if not isinstance(contents, dict):
        raise UsageError(f"{path}: is no evaluation")
    return Evaluation.from_dict(contents)


def csv_bytes(table: ReportTable, info: EvaluationInfo) -> bytes:
    """Write a table as CSV, with its header even where it has no rows."""
    import pyarrow as pa

    from batchemo.tables.write import open_writer

    schema = pa.schema(
        [
            ("subject", pa.string()),
            ("protocol", pa.string()),
            *(
                (name, pa.string() if column.kind == "text" else pa.float64())
                for column in table.columns
                for name in _csv_names(column)
            ),
        ]
    )
    rows = [
        [*_csv_cells(info.subject), *_csv_cells(info.protocol), *_csv_row(row, table.columns)]
        for row in table.rows
    ]
    sink = io.BytesIO()
    writer = open_writer(sink, schema, kind=".csv")
    writer.write(
        pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in rows], schema)
    )
    writer.close()
    return sink.getvalue()


def _csv_names(column: Column) -> tuple[str, ...]:
    if column.kind == "interval":
        return f"{column.name}_low", f"{column.name}_high"
    return (column.name,)


def _csv_row(row: Sequence[Value], columns: Sequence[Column]) -> Iterator[str | float | None]:
    for value, column in zip(row, columns, strict=True):
        yield from _csv_cells(value, len(_csv_names(column)))


def _csv_cells(value: Value, width: int = 1) -> tuple[str | float | None, ...]:
    if isinstance(value, tuple):
        return value
    if isinstance(value, Figure):
        return (value.mean,)
    if isinstance(value, str):
        return (to_text(value),)
    # A missing interval leaves both of its cells empty.
    return (value,) * width


def _json_bytes(evaluation: Evaluation) -> bytes:
    text = json.dumps(evaluation.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
    # A lone surrogate, from a name that is no UTF-8, becomes JSON's own escape of it.
    return f"{text}\n".encode("utf-8", "backslashreplace")
