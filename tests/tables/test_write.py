"""Writers: formats, row groups, and cells that a spreadsheet must not run."""

from __future__ import annotations

import csv
from pathlib import Path

import pyarrow as pa
import pytest

from batchemo.errors import UsageError
from batchemo.tables.read import open_table
from batchemo.tables.write import ROWS_PER_GROUP, CsvTableWriter, rechunk, table_format


def test_row_groups_do_not_depend_on_how_the_rows_arrived() -> None:
    count = ROWS_PER_GROUP + 100
    schema = pa.schema([("n", pa.int64()), ("kind", pa.dictionary(pa.int32(), pa.string()))])
    table = pa.table({"n": range(count), "kind": pa.array(["ab"[i % 2] for i in range(count)])})
    at_once = list(rechunk(table.to_batches(), schema))
    in_pieces = list(rechunk(table.to_batches(max_chunksize=777), schema))
    assert [t.num_rows for t in at_once] == [ROWS_PER_GROUP, 100]
    assert [t.num_rows for t in in_pieces] == [ROWS_PER_GROUP, 100]
    assert all(a.equals(b) for a, b in zip(at_once, in_pieces, strict=True))


@pytest.mark.parametrize(
    "start", ["=cmd()", "+1", "-1", "@x", "\tx", "\rx", "\nx", "＝1+1", "'quoted"]
)
def test_no_cell_or_title_of_a_csv_starts_as_a_formula_does(start: str, tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    table = pa.table({"root": ["/"], "file": ["a.wav"], start: [start]})
    writer = CsvTableWriter(path, table.schema)
    writer.write(table)
    writer.close()
    with path.open(newline="") as stream:
        assert [[row[2][:2] for row in csv.reader(stream)]] == [[f"'{start[0]}"] * 2]
    (batch,) = open_table(path).batches()
    assert batch.to_pylist() == table.to_pylist()


@pytest.mark.parametrize("name", ["results", "results.xls", "parquet"])
def test_a_name_without_a_known_ending_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="must end in"):
        table_format(name)


def test_a_nested_column_of_a_manifest_is_refused_for_csv(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nested column tags"):
        CsvTableWriter(tmp_path / "r.csv", pa.schema([("tags", pa.list_(pa.string()))]))
