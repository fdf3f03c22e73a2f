"""The log for machines harms no other file, and tells how a run ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import pytest
from voices import write_voice

from batchemo.bundles import Bundle

RowRange = Callable[..., object]


@pytest.fixture
def scan(batchemo: Callable[..., object], voices: Path, tiny_bundle: Bundle) -> RowRange:
    """Runs `batchemo scan` over the voices, with more words."""

    def run(*words: object) -> object:
        return batchemo("scan", voices, "-m", tiny_bundle.path, "-j", "1", *words)

    return run


def events(log: Path) -> list[str]:
    return [json.loads(line)["event"] for line in log.read_text().splitlines()]


def test_runs_are_appended_and_a_refused_one_leaves_the_log_alone(scan, tmp_path):
    out, log = tmp_path / "r.csv", tmp_path / "log.jsonl"
    scan("-o", out, "--log-json", log)
    once = events(log)
    assert (once[0], once[-1]) == ("started", "finished")
    assert scan("-o", out, "--log-json", log, "--hop", "1").code == 2
    assert events(log) == once
    scan("-o", out, "--log-json", log, "--overwrite")
    assert events(log) == 2 * once


@pytest.mark.parametrize("option", ["-o", "--segments", "--summary"])
def test_a_log_is_no_output_by_whatever_name(scan, tmp_path, option):
    (tmp_path / "link").symlink_to(tmp_path)
    words = [] if option == "-o" else ["-o", tmp_path / "r.csv"]
    ran = scan(*words, option, tmp_path / "x.csv", "--log-json", tmp_path / "link" / "x.csv")
    assert ran.code == 2
    assert "is an output of this command" in ran.err


def test_a_log_takes_the_place_of_no_other_file(scan, voices, tmp_path):
    own = Path(copytree(voices, tmp_path / "own")) / "anna" / "one.wav"
    before = own.read_bytes()
    ran = scan("-o", tmp_path / "r.csv", "--log-json", own)
    assert (ran.code, own.read_bytes()) == (2, before)
    assert "exists and is no log of batchemo's" in ran.err
    assert not (tmp_path / "r.csv").exists()


@pytest.mark.parametrize(("log", "said"), [("gone/log", "no such folder"), (".", "is a folder")])
def test_a_log_has_a_folder_to_lie_in(scan, tmp_path, log, said):
    ran = scan("-o", tmp_path / "r.csv", "--log-json", tmp_path / log)
    assert ran.code == 2
    assert said in ran.err


def test_a_dry_run_is_told_in_a_line(scan, tmp_path):
    ran = scan("--dry-run", "--limit", "2", "--log-json", "-")
    line = json.loads(ran.out)
    assert (line["event"], line["limited"]) == ("previewed", True)
    assert (line["new"]["files"], len(line["new"]["examples"])) == (2, 2)
    assert "stopped at the limit" in ran.err
    assert scan("--dry-run", "-q").out == ""


def test_a_signal_is_the_last_line(tiny_bundle, tmp_path):
    for seed in range(6):
        write_voice(tmp_path / "in" / f"{seed}.wav", seconds=1.0, seed=seed)
    log, source = tmp_path / "log.jsonl", tmp_path / "list"
    os.mkfifo(source)
    words = ["scan", "--files-from", source, "-m", tiny_bundle.path, "-o", tmp_path / "r.csv"]
    process = subprocess.Popen(
        [sys.executable, "-c", "from batchemo.cli import main; main()"]
        + [str(word) for word in [*words, "-j", "1", "--log-json", log]]
    )
    # A list that does not end: the run waits for more when the signal comes.
    with source.open("w") as stream:
        print(*(tmp_path / "in").iterdir(), sep="\n", file=stream, flush=True)
        deadline = time.monotonic() + 30
        while not log.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 128 + signal.SIGTERM
    last = json.loads(log.read_text().splitlines()[-1])
    assert (last["event"], last["signal"]) == ("stopped", "SIGTERM")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is full")
def test_a_log_that_cannot_be_written_is_named(scan, tmp_path):
    ended = scan("-o", tmp_path / "r.csv", "--log-json", "/dev/full")
    assert ended.code == 1
    assert "/dev/full: No space left on device" in ended.err
