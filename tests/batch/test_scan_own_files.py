"""A scan whose output lies among the recordings: its own files are no recordings, nor is a link
under their names followed.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from fault_steps import STEPS
from scan_commands import Scan, StartScan, finish

from batchemo.batch.chunk_store import store_folder
from batchemo.common.files import unfinished_path

EVERYTHING = ("--hidden", "--ext", "any", "-q", "-j", "1")


@pytest.mark.process
@pytest.mark.parametrize(
    "step",
    ["before fsync .r.parquet.unfinished", "before fsync .000000001.chunk.arrow.unfinished"],
    ids=["table", "chunk"],
)
def test_what_a_killed_scan_left_is_not_taken_for_recordings(
    start_scan: StartScan, scan_inline: Scan, corpus: Path, tmp_path: Path, step: str
) -> None:
    expected, output = tmp_path / "expected.parquet", corpus / "r.parquet"
    tables = ("--segments", corpus / "windows.parquet", "--summary", corpus / "summary.csv")
    scan_inline(corpus, "-o", expected, *EVERYTHING)
    store = tmp_path / "store"
    store.mkdir()

    killed = start_scan(
        *(corpus, "-o", output, *tables, *EVERYTHING),
        PYTHONPATH=f"{STEPS}:{os.environ.get('PYTHONPATH', '')}",
        BATCHEMO_FAULT=f"kill@{step}",
        BATCHEMO_FAULT_FOLDER=str(corpus),
        BATCHEMO_FAULT_STORE=str(store),
    )
    finish(killed, code=-signal.SIGKILL)
    assert list(corpus.glob("**/*.unfinished"))
    other = tmp_path / "other.parquet"
    scan_inline(corpus, "-o", other, *EVERYTHING)
    scan_inline(corpus, "-o", output, *tables, *EVERYTHING)

    for table in (other, output):
        assert pq.read_table(table).equals(pq.read_table(expected))
    assert not list(corpus.glob("**/*.unfinished"))


def test_links_under_the_names_of_temporary_files_are_not_followed(
    scan_inline: Scan, corpus: Path, tmp_path: Path
) -> None:
    precious = tmp_path / "precious"
    precious.write_text("content")
    output = tmp_path / "r.parquet"
    store = store_folder(output)
    store.mkdir()
    for name in ("000000000.chunk.arrow", "naming.json"):
        unfinished_path(store / name).symlink_to(precious)
    unfinished_path(output).symlink_to(precious)

    scan_inline(corpus, "-o", output, "-q")

    assert precious.read_text() == "content"
    assert not output.is_symlink()
    assert pq.read_table(output).num_rows == 12
