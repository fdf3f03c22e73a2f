"""Two runs on the same outputs at once: one analyses, the other waits or is refused."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest
from scan_commands import PausedRecording, Scan, StartScan, finish, wait_until

from batchemo.common import locks

pytestmark = pytest.mark.process


def test_a_second_run_is_refused_or_waits_and_finds_its_tables_finished(
    corpus: Path, start_scan: StartScan, scan_inline: Scan, tmp_path: Path
) -> None:
    paused = PausedRecording.write(corpus / "anna", "a wait")
    out = tmp_path / "r.parquet"
    first = start_scan(corpus, "-o", out, "-q", "-j", "1", poison=True)
    paused.wait()
    refused = scan_inline(corpus, "-o", out, code=4)
    assert f"process {first.pid} on" in refused.stderr
    skipped = scan_inline(corpus, "-o", out, "--if-locked", "skip")
    assert f"skipped: {out}.chunks: process {first.pid} on" in skipped.stderr

    second = start_scan(corpus, "-o", out, "--if-locked", "wait")
    process = psutil.Process(second.pid)
    wait_until(
        lambda: any(Path(file.path).name == locks.LOCK_NAME for file in process.open_files())
    )
    paused.release()
    finish(first)
    assert "0 recordings analysed, 13 unchanged" in finish(second).stdout
    assert sorted(os.listdir(tmp_path)) == ["bundles", "corpus", "r.parquet"]


def test_two_runs_cannot_write_the_same_segments_table(
    corpus: Path, start_scan: StartScan, scan_inline: Scan, tmp_path: Path
) -> None:
    paused = PausedRecording.write(corpus / "anna", "a wait")
    segments = tmp_path / "s.parquet"
    words = (corpus, "-o", tmp_path / "a.parquet", "--segments", segments)
    first = start_scan(*words, "-q", "-j", "1", poison=True)
    paused.wait()
    refused = scan_inline(corpus, "-o", tmp_path / "b.parquet", "--segments", segments, code=4)
    assert "s.parquet.chunks" in refused.stderr
    assert "is writing this output" in refused.stderr
    paused.release()
    finish(first)
    assert not list(tmp_path.glob("*.chunks"))
