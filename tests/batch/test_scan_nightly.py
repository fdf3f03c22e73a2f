"""The same scan every night, over a folder that grows and loses files."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from scan_commands import Scan, reasons_by_file

from batchemo.audio.file import OpenFile


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_only_rows_without_their_segments_are_computed_again(
    corpus: Path, scan_inline: Scan, tmp_path: Path, ending: str
) -> None:
    out, segments = tmp_path / f"r.{ending}", tmp_path / f"s.{ending}"
    scan_inline(corpus, "-o", out)
    (corpus / "anna" / "take 00.wav").unlink()
    update = (corpus, "-o", out, "--update", "--segments", segments)
    assert "11 recordings analysed" in scan_inline(*update).stdout
    first = out.read_bytes(), segments.read_bytes()
    for _ in range(2):
        assert "0 recordings analysed" in scan_inline(*update).stdout
        assert (out.read_bytes(), segments.read_bytes()) == first


def test_segments_of_another_table_are_not_trusted(
    corpus: Path, scan_inline: Scan, tmp_path: Path
) -> None:
    out, segments = tmp_path / "r.parquet", tmp_path / "s.parquet"
    tables = ("-o", out, "--segments", segments)
    scan_inline(corpus, *tables)
    whole = segments.read_bytes()
    rows = pq.read_table(segments)
    pq.write_table(rows.take(list(range(rows.num_rows))[::-1]), segments)
    assert "12 recordings analysed" in scan_inline(corpus, *tables, "--update").stdout
    assert segments.read_bytes() == whole


def test_a_fault_of_the_machine_is_tried_again_by_the_next_update(
    corpus: Path, scan_inline: Scan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, healthy = tmp_path / "r.parquet", tmp_path / "healthy.parquet"
    scan_inline(corpus, "-o", healthy)
    with monkeypatch.context() as patch:
        patch.setattr(OpenFile, "read_at", _stale_share)
        scan_inline(corpus, "-o", out, code=3)
    assert set(reasons_by_file(out).values()) == {"unreadable"}
    # The same command again changes no table: it is the update that may.
    scan_inline(corpus, "-o", out, code=3)
    assert "12 recordings analysed" in scan_inline(corpus, "-o", out, "--update").stdout
    assert out.read_bytes() == healthy.read_bytes()


def _stale_share(file: OpenFile, offset: int, count: int) -> bytes:
    raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
