"""Commands get along with whatever their standard streams are."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from voices import write_voice

from batchemo.bundles import Bundle

COMMAND = f"{shlex.quote(sys.executable)} -c 'from batchemo.cli import main; main()'"

Shell = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Runs a line of bash in which `batchemo` is our command."""

    def run(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", f'set -o pipefail; batchemo() {{ {COMMAND} "$@"; }}; {line}'],
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, **environment},
            cwd=tmp_path,
        )

    return run


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Six hundred names of one recording: more rows than a pipe takes at once."""
    write_voice(tmp_path / "many" / "000.wav", seconds=0.6)
    for number in range(1, 600):
        os.link(tmp_path / "many" / "000.wav", tmp_path / "many" / f"{number:03d}.wav")
    return tmp_path / "many"


def test_a_reader_that_has_seen_enough_is_a_good_end(
    shell: Shell, many: Path, tiny_bundle: Bundle
) -> None:
    ended = shell(f"batchemo scan {many} -m {tiny_bundle.path} -q -o - | head -n 2")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith('"root","file"')


def test_warnings_that_nobody_reads_end_no_run_as_if_all_were_well(
    shell: Shell, voices: Path, tiny_bundle: Bundle
) -> None:
    line = f"batchemo scan {voices} -m {tiny_bundle.path} -o r.csv 2> >(true)"
    assert shell(line).returncode == 1


def test_streams_of_plain_ascii_will_do(shell: Shell, voices: Path, tiny_bundle: Bundle) -> None:
    model = f"-m {tiny_bundle.path}"
    told = shell(f"batchemo scan {voices} {model} -o r.csv", PYTHONIOENCODING="ascii")
    assert told.returncode == 3
    assert "real time" in told.stdout
    one = voices / "anna" / "one.wav"
    assert shell(f"batchemo predict {one} {model}", PYTHONIOENCODING="ascii").returncode == 0


def test_closed_streams_are_no_reason_to_fail(
    shell: Shell, voices: Path, tiny_bundle: Bundle, tmp_path: Path
) -> None:
    line = f"batchemo scan {voices} -m {tiny_bundle.path} -o r.csv"
    assert shell(f"{line} >&- 2>&- <&-").returncode == 3
    first = (tmp_path / "r.csv").read_bytes()
    assert shell(f"{line} --overwrite").returncode == 3
    assert (tmp_path / "r.csv").read_bytes() == first


@pytest.mark.parametrize("words", ["-o -", "-o r.csv --log-json -"])
def test_nothing_is_written_to_a_closed_output(
    shell: Shell, voices: Path, tiny_bundle: Bundle, words: str
) -> None:
    ended = shell(f"batchemo scan {voices} -m {tiny_bundle.path} {words} >&-")
    assert ended.returncode == 2
    assert "which is closed" in ended.stderr
