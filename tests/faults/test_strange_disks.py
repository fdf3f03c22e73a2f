"""Disks of many sizes that fill up, and folders and names of any kind."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from scan_commands import SECONDS, Scan, StartScan

from batchemo.common.text import for_display, from_text
from batchemo.tables.read import open_table

pytestmark = [pytest.mark.faults, pytest.mark.process]

SEED = 20261121


def test_disks_of_many_sizes(
    corpus: Path,
    start_scan: StartScan,
    scan_inline: Scan,
    tmp_path: Path,
    figures: Counter[str],
) -> None:
    expected = tmp_path / "expected.parquet"
    scan_inline(corpus, "-o", expected)
    disk = tmp_path / "disk"
    disk.mkdir()
    out = disk / "r.parquet"
    for pages in range(1, 12):
        mount = ["mount", "-t", "tmpfs", "-o", f"size={4 * pages}k", "none", str(disk)]
        if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
            pytest.skip("a small disk can only be made by a user who may mount one")
        try:
            process = start_scan(corpus, "-o", out, "-j", "1")
            process.communicate(timeout=SECONDS)
            assert process.returncode in (0, 1)
            figures["disks that were full"] += process.returncode == 1
            subprocess.run(["mount", "-o", "remount,size=1m", str(disk)], check=True)
            scan_inline(corpus, "-o", out)
            assert out.read_bytes() == expected.read_bytes()
            assert os.listdir(disk) == ["r.parquet"]
        finally:
            subprocess.run(["umount", str(disk)], check=True)


def test_fifty_thousand_files_in_one_folder(
    scan: Scan, corpus: Path, tmp_path: Path, figures: Counter[str]
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    (tmp_path / "empty.wav").touch()
    for number in range(50_000):
        os.link(tmp_path / "empty.wav", folder / f"{number:05d}.wav")
    shutil.copy(corpus / "anna" / "take 00.wav", folder / "25000 voice.wav")
    scan(folder, "-o", tmp_path / "r.parquet", "-q", code=3)
    table = pq.read_table(tmp_path / "r.parquet", columns=["file", "status"])
    assert table["file"].to_pylist() == sorted(os.listdir(folder))
    assert table["status"].to_pylist().count("ok") == 1
    figures["files in one folder"] = 50_001


def test_names_of_any_bytes(scan: Scan, tmp_path: Path, figures: Counter[str]) -> None:
    rng = random.Random(SEED)
    folder = tmp_path / "names"
    folder.mkdir()
    allowed = [byte for byte in range(1, 256) if byte != ord("/")]
    names: set[bytes] = set()
    while len(names) < 2000:
        length = rng.randrange(1, 60)
        few = rng.sample(allowed, 20)
        name = bytes(rng.choice(few) for _ in range(length)) + b".wav"
        if not name.startswith(b"."):
            names.add(name)
    for name in names:
        open(os.fsencode(folder) + b"/" + name, "w").close()
    for ending in ("parquet", "csv"):
        out = tmp_path / f"r.{ending}"
        ended = scan(folder, "-o", out, code=3)
        # Not `isprintable`: characters that Unicode has not assigned yet do no harm.
        lines = (ended.stdout + ended.stderr).split("\n")
        assert lines == list(map(for_display, lines))
        files = [file for batch in open_table(out).batches() for file in batch["file"].to_pylist()]
        assert [os.fsencode(from_text(file)) for file in files] == sorted(names)
        assert "2,000 unchanged" in scan(folder, "-o", out, "--update", code=3).stdout
    figures["names of random bytes"] = len(names)
