"""The same scan every night, over a folder that grows and loses files."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from scan_commands import Scan


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
