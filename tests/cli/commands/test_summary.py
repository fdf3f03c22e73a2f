"""`batchemo summary`: counts of a recordings table, printed or written."""

import json
import os

import pyarrow.csv as csv
import pyarrow.parquet as pq
import pytest


@pytest.fixture
def scanned(tmp_path, scanned_voices):
    """A recordings table of four voices and a broken file, which a test may change."""
    path = tmp_path / "results.parquet"
    path.write_bytes(scanned_voices.read_bytes())
    return path


def test_emotions_and_failures_are_printed_with_their_shares(batchemo, scanned):
    ran = batchemo("summary", scanned)
    assert ran.code == 0
    assert "emotion" in ran.out
    assert "not_audio" in ran.out
    assert "100.0%" in ran.out


def test_lack_of_memory_is_told_in_words(batchemo, scanned, monkeypatch):
    for error in (MemoryError(), RuntimeError("Failed to launch worker thread")):

        def fail(raised=error):
            raise raised

        monkeypatch.setattr("batchemo.tables.read.prepare_arrow", fail)
        ran = batchemo("summary", scanned)
        assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
        assert ran.err.startswith("batchemo: there is not enough memory")


def test_json_and_file_have_the_same_counts(batchemo, scanned, tmp_path):
    written = tmp_path / "counts.parquet"
    ran = batchemo("summary", scanned, "--group-by", "part:1", "--json", "-o", written)
    rows = pq.read_table(written).to_pylist()
    assert json.loads(ran.out) == rows
    assert sum(row["files"] for row in rows) == pq.read_metadata(scanned).num_rows == 5
    assert {row["group"] for row in rows} == {"anna", "bert"}
    assert [row["reason"] for row in rows if row["status"] == "failed"] == ["not_audio"]


def test_csv_and_parquet_results_give_the_same_counts(batchemo, voices, tiny_bundle, tmp_path):
    for ending in ("csv", "parquet"):
        name = tmp_path / f"results.{ending}"
        batchemo("scan", voices, "-o", name, "--model", tiny_bundle.path, "-j", 1)
    csv_counts, parquet_counts = (
        json.loads(batchemo("summary", tmp_path / f"results.{e}", "--json").out)
        for e in ("csv", "parquet")
    )
    for one, other in zip(csv_counts, parquet_counts, strict=True):
        assert one == pytest.approx(other)


def test_recordings_can_be_grouped_by_the_month_of_their_modification(batchemo, scanned):
    rows = json.loads(batchemo("summary", scanned, "--group-by", "month", "--json").out)
    months = {row["group"] for row in rows}
    assert months
    assert all(len(month) == len("2026-07") for month in months)


def test_counts_can_be_written_as_csv(batchemo, scanned, tmp_path):
    ran = batchemo("summary", scanned, "-o", tmp_path / "counts.csv")
    assert (ran.code, ran.out) == (0, "")
    assert csv.read_csv(tmp_path / "counts.csv").column_names[:2] == ["group", "status"]


def test_existing_output_is_replaced_only_with_overwrite(batchemo, scanned, tmp_path):
    output = tmp_path / "counts.csv"
    output.write_text("precious")
    refused = batchemo("summary", scanned, "-o", output)
    assert refused.code == 2
    assert "--overwrite" in refused.err
    assert output.read_text() == "precious"
    assert batchemo("summary", scanned, "-o", output, "--overwrite").code == 0
    assert output.read_text().startswith('"group"')


def test_counted_table_is_never_overwritten(batchemo, scanned, tmp_path):
    link = tmp_path / "link.parquet"
    os.link(scanned, link)
    before = scanned.read_bytes()
    ran = batchemo("summary", scanned, "-o", link, "--overwrite")
    assert ran.code == 2
    assert "is the counted table" in ran.err
    assert scanned.read_bytes() == before


@pytest.mark.parametrize("group_by", ["speaker", "part:0"])
def test_unknown_grouping_is_wrong_usage(batchemo, scanned, group_by):
    ran = batchemo("summary", scanned, "--group-by", group_by)
    assert ran.code == 2
    assert "part:N" in ran.err


def test_table_of_another_kind_is_wrong_usage(batchemo, tmp_path):
    (tmp_path / "windows.csv").write_text("root,file,start,end,emotion\n")
    ran = batchemo("summary", tmp_path / "windows.csv")
    assert ran.code == 2
    assert "is not a recordings table: it lacks status" in ran.err
    assert batchemo("summary", tmp_path / "nowhere.csv").code == 2
