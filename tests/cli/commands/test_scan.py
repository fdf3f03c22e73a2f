"""`batchemo scan`: wrong usage, messages, and what it shows on a terminal."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
from command_line import Completed, RunCommand
from terminal import run_on_terminal, without_escapes
from voices import voice, write_voice

from batchemo.bundles import Bundle

Scan = Callable[..., Completed]


@pytest.fixture
def scan(batchemo: RunCommand, voices: Path, tiny_bundle: Bundle, tmp_path: Path) -> Scan:
    """Scan the voices into r.parquet, with more arguments."""

    def run(*args: object) -> Completed:
        out = tmp_path / "r.parquet"
        return batchemo("scan", voices, "-m", tiny_bundle.path, "-j", "1", "-o", out, *args)

    return run


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["-m", "nope"], "there is no such model"),
        (["-m", "/"], "holds no bundle.json"),
        (["--batch-size", "4097"], "1<=x<=4096"),
        (["-j", "1025"], "at most 1024"),
        (["-j", "9" * 5000], "neither a number"),
        (["--timeout", "1001d"], "at most 1000d"),
        (["--min-age", "9" * 400], "at most 1000d"),
        (["--channel", "left"], "write mix, or a number"),
        (["--channel", "-1"], "write mix, or a number"),
        (["--channel", "\u0663"], "write mix, or a number"),
        (["-0"], "give that option too"),
        (["--base", "/"], "give --files-from or --manifest too"),
    ],
)
def test_wrong_usage_is_exit_code_2(
    scan: Scan, tmp_path: Path, args: list[str], message: str
) -> None:
    ran = scan(*args)
    assert ran.code == 2
    assert message in ran.err
    assert not (tmp_path / "r.parquet").exists()


def test_missing_output_is_wrong_usage(batchemo: RunCommand, voices: Path) -> None:
    ran = batchemo("scan", voices)
    assert ran.code == 2
    assert "add -o results.parquet" in ran.err


def test_damaged_bundle_is_a_failure_and_not_wrong_usage(scan: Scan, tiny_bundle: Bundle) -> None:
    (tiny_bundle.path / "bundle.json").write_text("{")
    assert scan().code == 1


@pytest.mark.parametrize("command", ["scan", "features"])
def test_finding_no_recordings_is_an_error_with_the_extensions_that_were_seen(
    batchemo: RunCommand, tiny_bundle: Bundle, tmp_path: Path, command: str
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.flac").touch()
    how = ["-m", tiny_bundle.path] if command == "scan" else ["--feature-set", "mfcc40"]

    def run(*args: object) -> Completed:
        output = ("--overwrite", "-o", tmp_path / "r.csv")
        return batchemo(command, tmp_path / "in", *how, *output, *args)

    ran = run("--ext", "wav,mp3")
    assert ran.code == 1
    assert "no recordings were found, but 1 .flac (--ext audio includes them" in ran.err
    assert "no recordings were found" in run("-q", "--ext", "wav").err
    assert "no recordings were found" not in run().err


def test_dry_run_stops_at_the_limit_of_the_scan(scan: Scan) -> None:
    assert scan("--limit", "2").code == 0
    output = scan("--update", "--limit", "1", "--dry-run").out
    assert "new       1 recording" in output
    assert "unchanged 2 recordings" in output
    assert "stopped at --limit" in output


def test_too_short_recordings_are_reported_with_enough_digits(
    batchemo: RunCommand, tiny_bundle: Bundle, tmp_path: Path
) -> None:
    write_voice(tmp_path / "a.wav", seconds=3999 / 16000, rate=16000)
    output = batchemo("predict", tmp_path / "a.wav", "-m", tiny_bundle.path).out
    assert "0.249938 s; the least is 0.25 s" in output


@pytest.mark.process
def test_terminal_shows_recordings_speed_and_failures(
    voices: Path, tiny_bundle: Bundle, tmp_path: Path
) -> None:
    write_voice(tmp_path / "in" / "good.wav")
    (tmp_path / "in" / "bad\x1b[31m.wav").touch()
    args = ["scan", tmp_path / "in", "-m", tiny_bundle.path, "-o", tmp_path / "r.parquet"]
    plain = without_escapes(run_on_terminal(args))
    assert "1 recording analysed, 1 failed" in plain
    assert "emotion" in plain
    assert "█" in plain
    assert "× real time" in plain
    assert "took" in plain
    assert "bad\\x1b[31m.wav: empty" in plain


@pytest.mark.process
@pytest.mark.parametrize("command", ["scan", "predict", "features"])
def test_terminal_shows_the_position_in_a_long_recording(
    tiny_bundle: Bundle, tmp_path: Path, command: str
) -> None:
    path = tmp_path / "interview.wav"
    # 4,800 windows take more than two seconds, and the first position is shown after one.
    soundfile.write(path, np.tile(voice(), 400), 16000)
    what = ["--feature-set", "mfcc40"] if command == "features" else ["-m", tiny_bundle.path]
    output = [] if command == "predict" else ["-o", tmp_path / "r.parquet"]
    plain = without_escapes(run_on_terminal([command, path, "--hop", 0.125, *what, *output]))
    positions = re.findall(r"(\d:\d\d:\d\d) of 0:10:00  interview\.wav", plain)
    assert positions
    assert positions == sorted(positions)


@pytest.mark.process
@pytest.mark.parametrize("command", ["scan", "predict"])
def test_narrow_terminal_shows_text_without_bars(
    voices: Path, tiny_bundle: Bundle, tmp_path: Path, command: str
) -> None:
    args = [command, voices / "anna" / "one.wav", "-m", tiny_bundle.path]
    args += ["-o", tmp_path / "r.parquet"] if command == "scan" else []
    output = run_on_terminal(args, columns=40, errors=False)
    assert "█" not in output
    assert any(f"{label} " in output for label in tiny_bundle.labels)
    assert all(len(line) <= 40 for line in output.splitlines() if "0." in line)


@pytest.mark.process
def test_ascii_terminal_gets_no_traceback(
    voices: Path, tiny_bundle: Bundle, tmp_path: Path
) -> None:
    args = ["scan", voices, "-m", tiny_bundle.path, "-o", tmp_path / "r.parquet"]
    output = run_on_terminal(args, errors=False, PYTHONIOENCODING="ascii")
    assert "Traceback" not in output
    assert "took" in output
    assert pq.read_metadata(tmp_path / "r.parquet").num_rows == 5
