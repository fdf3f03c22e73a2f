"""`batchemo report`, and `scan --report`: one file to look at."""

import pytest


@pytest.fixture
def scanned(batchemo, tiny_bundle, voices, tmp_path):
    table = tmp_path / "results.parquet"
    report = tmp_path / "scan.html"
    options = ("--group-by", "folder", "--report", report)
    ran = batchemo("scan", voices, "-o", table, "-m", tiny_bundle.path, *options)
    assert ran.code in (0, 3)
    return table


def test_a_scan_writes_the_report_on_its_table(batchemo, scanned, tmp_path):
    ran = batchemo("report", scanned, "-o", tmp_path / "again.html", "--group-by", "folder")

    assert ran.code == 0
    again = (tmp_path / "again.html").read_bytes()
    assert again == (tmp_path / "scan.html").read_bytes()
    assert b"<audio" in again


def test_without_audio_nothing_can_be_played(batchemo, scanned, tmp_path):
    assert batchemo("report", scanned, "-o", tmp_path / "r.html", "--no-audio").code == 0

    assert b"<audio" not in (tmp_path / "r.html").read_bytes()


def test_a_report_is_replaced_only_when_asked(batchemo, scanned, tmp_path):
    (tmp_path / "r.html").write_text("mine")

    ran = batchemo("report", scanned, "-o", tmp_path / "r.html")

    assert ran.code == 2
    assert "--overwrite" in ran.err
    assert (tmp_path / "r.html").read_text() == "mine"
    assert batchemo("report", scanned, "-o", tmp_path / "r.html", "--overwrite").code == 0


def test_drift_is_an_exit_code_only_when_asked(batchemo, scanned, tmp_path):
    options = ("-o", tmp_path / "r.html", "--against", scanned, "--fail-on-drift")

    assert batchemo("report", scanned, *options).code == 0
    ran = batchemo("report", scanned, "-o", tmp_path / "s.html", "--fail-on-drift")
    assert (ran.code, "--against" in ran.err) == (2, True)


@pytest.mark.parametrize("options", [("-o", "-"), ("-o", "t.csv", "--report", "r.pdf")])
def test_where_no_report_can_be_written_the_scan_does_not_begin(
    batchemo, voices, options, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)

    ran = batchemo("scan", voices, "--report", "r.html", *options)

    assert ran.code == 2
    assert "report" in ran.err
    assert not list(tmp_path.iterdir())
