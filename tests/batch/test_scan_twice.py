"""Two runs of one command at once: one does the work, the other waits and finds it done."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import psutil
from scan_commands import COMMAND, Scan, environment, wait_until
from voices import write_voice

from batchemo.bundles import Bundle
from batchemo.common import locks


def test_who_has_waited_for_the_same_tables_finds_them_finished(
    corpus: Path, scan: Scan, tmp_path: Path, tiny_bundle: Bundle
) -> None:
    first_of_all = write_voice(corpus / "anna" / "a wait.wav")
    out = tmp_path / "r.parquet"
    command = [*COMMAND, "scan", "-m", str(tiny_bundle.path), str(corpus), "-o", str(out)]
    one = subprocess.Popen([*command, "-q"], env=environment(poison=True))
    wait_until(Path(f"{first_of_all}.seen").exists)
    ended = scan(corpus, "-o", out, code=4)
    assert f"process {one.pid} on" in ended.stderr
    other = subprocess.Popen([*command, "--if-locked", "wait"], stdout=subprocess.PIPE, text=True)
    waiting = psutil.Process(other.pid)
    wait_until(lambda: any(Path(file.path).name == locks.NAME for file in waiting.open_files()))
    Path(f"{first_of_all}.go").touch()
    assert one.wait(timeout=300) == 0
    told, _ = other.communicate(timeout=300)
    assert (other.returncode, "0 recordings analysed, 13 kept" in told) == (0, True)
    assert sorted(os.listdir(tmp_path)) == ["bundles", "corpus", "r.parquet"]
