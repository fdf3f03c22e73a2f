"""The formats of tables: by the ending of the name, read back where they can be, run nowhere."""

from __future__ import annotations

import csv
import gzip
import zipfile
from datetime import datetime, timezone
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scan_commands import Scan

from batchemo.errors import BatchemoError
from batchemo.tables import excel
from batchemo.tables.read import open_table, read_recordings_table
from batchemo.tables.write import open_writer, table_format

MOMENT = datetime(2026, 1, 31, 12, 0, 1, 234567, timezone.utc)
TABLE = pa.table(
    {
        "file": ["=cmd()", "http://a.b", None],
        "silence": pa.array([0.123456, None, 0.5], pa.float32()),
        "p_sad": pa.array([0.12345678, None, 0.5], pa.float32()),
        "size": [1, None, 2**40],
        "mtime": pa.array([MOMENT, None, MOMENT], pa.timestamp("ns", "UTC")),
    }
)


def written(path: Path, table: pa.Table = TABLE) -> Path:
    with path.open("wb") as stream:
        writer = open_writer(stream, table.schema, kind=table_format(path))
        writer.write(table)
        writer.close()
    return path


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".csv.gz", ".tsv.gz"])
def test_text_has_iso_times_and_meaningful_digits(tmp_path: Path, ending: str) -> None:
    path = written(tmp_path / f"t{ending}")
    content = path.read_bytes()
    text = (gzip.decompress(content) if ending.endswith("gz") else content).decode()
    rows = list(csv.DictReader(text.splitlines(), delimiter="\t" if "tsv" in ending else ","))
    assert rows[0] == {
        "file": "'=cmd()",
        "silence": "0.1235",
        "p_sad": "0.12345678",
        "size": "1",
        "mtime": "2026-01-31T12:00:01.234567000Z",
    }
    assert rows[1]["mtime"] == ""
    assert written(tmp_path / f"again{ending}").read_bytes() == content


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".csv.gz", ".tsv.gz"])
def test_a_scan_in_any_text_is_read_back_and_updated(
    corpus: Path, tmp_path: Path, scan_inline: Scan, ending: str
) -> None:
    out, windows = tmp_path / f"r{ending}", tmp_path / f"s{ending}"
    scan_inline(corpus, "-o", out, "--segments", windows)
    scan_inline(corpus, "-o", tmp_path / "r.parquet")
    expected = pq.read_table(tmp_path / "r.parquet").to_pydict()
    found = read_recordings_table(out).to_pydict()
    exact = ("file", "emotion", "confidence", "p_happy", "windows", "mtime", "size", "duration")
    assert {name: found[name] for name in exact} == {name: expected[name] for name in exact}
    before = out.read_bytes(), windows.read_bytes()
    kept = scan_inline(corpus, "-o", out, "--segments", windows, "--update")
    assert "12 unchanged" in kept.stdout
    assert (out.read_bytes(), windows.read_bytes()) == before
    scan_inline(corpus, "-o", out, "--segments", windows)  # The same command again.


def test_excel_has_texts_numbers_and_dates_and_no_formula(tmp_path: Path) -> None:
    pytest.importorskip("xlsxwriter")
    path = written(tmp_path / "t.xlsx")
    with zipfile.ZipFile(path) as parts:
        names = parts.namelist()
        sheet = parts.read("xl/worksheets/sheet1.xml").decode()
    assert "=cmd()" in sheet
    assert "<f>" not in sheet
    assert "<hyperlink" not in sheet
    assert not any("externalLink" in name or "_rels/sheet" in name for name in names)
    assert f"<v>{2**40}</v>" in sheet
    assert written(tmp_path / "again.xlsx").read_bytes() == path.read_bytes()


def test_excel_is_written_by_a_scan_and_not_read_back(
    corpus: Path, tmp_path: Path, scan_inline: Scan
) -> None:
    pytest.importorskip("xlsxwriter")
    out = tmp_path / "r.xlsx"
    scan_inline(corpus, "-o", out)
    assert zipfile.is_zipfile(out)
    again = scan_inline(corpus, "-o", out, code=2)
    assert "--overwrite" in again.stderr
    with pytest.raises(BatchemoError, match="not read back"):
        open_table(out)


def test_what_a_sheet_cannot_hold_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("xlsxwriter")
    with pytest.raises(BatchemoError, match="40,000 characters"):
        written(tmp_path / "t.xlsx", pa.table({"file": ["x" * 40_000]}))
    monkeypatch.setattr(excel, "MAX_XLSX_ROWS", 3)
    with pytest.raises(BatchemoError, match="no more than 2 rows"):
        written(tmp_path / "u.xlsx")
