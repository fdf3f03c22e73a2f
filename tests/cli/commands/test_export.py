"""`batchemo export`: files for other tools, from the tables of a scan."""

import pytest


@pytest.fixture
def segments(batchemo, tiny_bundle, voices, tmp_path):
    folder = tmp_path
    table = folder / "windows.parquet"
    batchemo(
        "scan", voices, "-o", folder / "r.parquet", "--segments", table, "-m", tiny_bundle.path
    )
    return table


def test_a_file_for_each_recording_that_did_not_fail(batchemo, segments, tmp_path):
    ran = batchemo("export", segments, "--to", "textgrid", "-o", tmp_path / "tiers")

    files = sorted(path.name for path in (tmp_path / "tiers").rglob("*.TextGrid"))
    assert ran.code == 0
    assert "one.TextGrid" in files
    assert ran.out == f"{tmp_path / 'tiers'}: {len(files)} recordings\n"


def test_a_folder_with_files_is_wrong_usage(batchemo, segments, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")

    ran = batchemo("export", segments, "--to", "srt", "-o", tmp_path)

    assert ran.code == 2
    assert "is not empty" in ran.err
    assert "--overwrite" in ran.err


@pytest.mark.parametrize("content", ["root,file\n", "a,b\n1,2\n", ""])
def test_what_is_no_table_of_a_scan_is_told_in_words(batchemo, content, tmp_path):
    (tmp_path / "t.csv").write_text(content)

    ran = batchemo("export", tmp_path / "t.csv", "--to", "srt", "-o", tmp_path / "out")

    assert ran.code != 0
    assert "table" in ran.err
    assert not (tmp_path / "out").exists()
