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
from scan_commands import COMMAND, Scan

from batchemo.bundles import Bundle
from batchemo.common.text import for_display, from_text
from batchemo.tables.read import open_table

pytestmark = pytest.mark.faults

SEED = 20261121


def test_disks_of_many_sizes(
    corpus: Path, scan: Scan, tiny_bundle: Bundle, tmp_path: Path, figures: Counter[str]
) -> None:
    scan(corpus, "-o", tmp_path / "calm.parquet", "-j", "1")
    disk = tmp_path / "disk"
    disk.mkdir()
    out = disk / "r.parquet"
    words = [*COMMAND, "scan", "-m", str(tiny_bundle.path), str(corpus), "-o", str(out), "-j", "1"]
    for pages in range(1, 12):
        mount = ["mount", "-t", "tmpfs", "-o", f"size={4 * pages}k", "none", str(disk)]
        if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
            pytest.skip("only who may mount can have a disk that is full")
        try:
            code = subprocess.run(words, capture_output=True, timeout=300).returncode
            assert code in (0, 1)
            figures["disks that were full"] += code == 1
            subprocess.run(["mount", "-o", "remount,size=1m", str(disk)], check=True)
            scan(corpus, "-o", out, "-j", "1")
            assert out.read_bytes() == (tmp_path / "calm.parquet").read_bytes()
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
    chance = random.Random(SEED)
    folder = tmp_path / "names"
    folder.mkdir()
    allowed = [byte for byte in range(1, 256) if byte != ord("/")]
    made = set()
    while len(made) < 2000:
        length = chance.randrange(1, 60)
        few = chance.sample(allowed, 20)
        name = bytes(chance.choice(few) for _ in range(length)) + b".wav"
        if not name.startswith(b"."):
            made.add(name)
    for name in made:
        open(os.fsencode(folder) + b"/" + name, "w").close()
    for ending in ("parquet", "csv"):
        out = tmp_path / f"r.{ending}"
        ended = scan(folder, "-o", out, code=3)
        # Harmless is also what Unicode has not given out yet, which is not printable.
        said = (ended.stdout + ended.stderr).split("\n")
        assert said == list(map(for_display, said))
        found = [file for batch in open_table(out).batches() for file in batch["file"].to_pylist()]
        assert [os.fsencode(from_text(file)) for file in found] == sorted(made)
        assert "2,000 kept" in scan(folder, "-o", out, "--update", code=3).stdout
    figures["names of random bytes"] = len(made)
