"""What has failed is tried again: by request, or because the machine was at fault."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scan_commands import Scan, reasons_by_file

from batchemo.audio.file import OpenFile
from batchemo.tables.read import open_table


def stale_share(*arguments: object) -> bytes:
    raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))


def full_disk(*arguments: object, **options: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("again", [(), ("--update",)])
@pytest.mark.parametrize("call", ["audio.file._open", "audio.file.OpenFile.read_at"])
def test_a_fault_of_the_machine_is_tried_again_by_the_next_run(
    corpus: Path,
    scan_inline: Scan,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    again: tuple[str, ...],
) -> None:
    out, healthy = tmp_path / "r.parquet", tmp_path / "healthy.parquet"
    scan_inline(corpus, "-o", healthy)
    with monkeypatch.context() as patch:
        patch.setattr(f"batchemo.{call}", stale_share)
        scan_inline(corpus, "-o", out, code=3)
    assert set(reasons_by_file(out).values()) == {"unreadable"}
    assert "12 recordings analysed" in scan_inline(corpus, "-o", out, *again).stdout
    assert out.read_bytes() == healthy.read_bytes()


@pytest.mark.parametrize("again", [(), ("--update",)])
def test_a_folder_that_could_not_be_read_is_tried_again_by_the_next_run(
    corpus: Path,
    scan_inline: Scan,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    again: tuple[str, ...],
) -> None:
    healthy, tables = tmp_path / "healthy", ("r.parquet", "s.parquet")
    healthy.mkdir()
    scan_inline(corpus, "-o", healthy / tables[0], "--segments", healthy / tables[1])
    scan = (corpus, "-o", tmp_path / tables[0], "--segments", tmp_path / tables[1])
    scandir = os.scandir

    def scandir_of_stale_share(path: bytes | str) -> object:
        if os.fsencode(path).rstrip(b"/").endswith(b"ben"):
            stale_share()
        return scandir(path)

    with monkeypatch.context() as patch:
        patch.setattr("batchemo.sources.walk.os.scandir", scandir_of_stale_share)
        for _ in range(2):
            assert "ben: Stale file handle" in scan_inline(*scan, code=3).stderr
    assert pq.read_table(tmp_path / tables[0]).num_rows == 6
    assert "6 recordings analysed" in scan_inline(*scan, *again).stdout
    assert all((tmp_path / n).read_bytes() == (healthy / n).read_bytes() for n in tables)
    assert "0 recordings analysed" in scan_inline(*scan).stdout
    assert sorted(path.name for path in tmp_path.glob("*.parquet*")) == list(tables)


def test_only_failures_for_the_named_reasons_are_tried_again(
    corpus: Path, scan_inline: Scan, tmp_path: Path
) -> None:
    out = tmp_path / "r.parquet"
    (corpus / "a.wav").touch()
    (corpus / "b.wav").write_bytes(b"no recording")
    scan_inline(corpus, "-o", out, code=3)
    update = (corpus, "-o", out, "--update", "--retry-reasons")
    assert "1 recording analysed" in scan_inline(*update, "empty,timeout", code=3).stdout
    assert "2 recordings analysed" in scan_inline(*update, "empty,not_audio", code=3).stdout
    assert "There are missing," in scan_inline(*update, "broken", code=2).stderr


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_a_failure_is_not_tried_more_often_than_is_wanted(
    corpus: Path, scan_inline: Scan, tmp_path: Path, ending: str
) -> None:
    out = tmp_path / f"r.{ending}"
    (corpus / "a.wav").touch()
    update = (corpus, "-o", out, "--update", "--retry-failed", "--max-tries", "3")
    for tries, analysed in enumerate(("13 recordings", "1 recording", "1 recording"), 1):
        assert f"{analysed} analysed" in scan_inline(*update, code=3).stdout
        assert tries_by_file(out) == {"a.wav": tries}
    before = out.read_bytes()
    assert "0 recordings analysed" in scan_inline(*update, code=3).stdout
    assert out.read_bytes() == before
    (corpus / "a.wav").write_bytes(b"no recording")
    assert "1 recording analysed" in scan_inline(*update, code=3).stdout
    assert tries_by_file(out) == {"a.wav": 1}
    scan_inline(corpus, "-o", out, "--update", code=3)
    assert "tries" not in open_table(out).schema.names


def test_a_fault_of_the_machine_is_not_tried_more_often_than_is_wanted(
    corpus: Path, scan_inline: Scan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "r.parquet"
    scan = (corpus, "-o", out, "--max-tries", "2")
    with monkeypatch.context() as patch:
        patch.setattr(OpenFile, "read_at", stale_share)
        for tries in (1, 2):
            assert "12 recordings analysed" in scan_inline(*scan, code=3).stdout
            assert set(tries_by_file(out).values()) == {tries}
    assert "0 recordings analysed" in scan_inline(*scan, code=3).stdout
    assert "12 recordings analysed" in scan_inline(*scan[:3], "--update").stdout


def test_a_run_and_the_one_that_completes_it_are_one_try(
    corpus: Path, scan_inline: Scan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "r.parquet"
    (corpus / "a.wav").touch()
    update = (corpus, "-o", out, "--update", "--retry-failed", "--max-tries", "9")
    scan_inline(*update, code=3)
    for code in (1, 1, 3):
        with monkeypatch.context() as patch:
            if code == 1:
                patch.setattr("batchemo.batch.scan.write_tables", full_disk)
            scan_inline(*update, code=code)
    assert tries_by_file(out) == {"a.wav": 2}


def tries_by_file(path: Path) -> dict[str, int]:
    """Read how often each recording was tried, without those of which it is not known."""
    table = pa.Table.from_batches(open_table(path).batches(["file", "tries"]))
    rows = zip(table["file"].to_pylist(), table["tries"].to_pylist(), strict=True)
    return {file: tries for file, tries in rows if tries is not None}
