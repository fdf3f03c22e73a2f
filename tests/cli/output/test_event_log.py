"""The event log never overwrites another file, and says how a run ended."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from shutil import copytree

import pytest
from command_line import COMMAND, Completed, RunCommand
from voices import write_voice

from batchemo import __version__
from batchemo.batch.chunk_store import store_folder
from batchemo.batch.events import Progressed
from batchemo.bundles import Bundle
from batchemo.cli.output.event_log import JsonLog
from batchemo.common import locks
from batchemo.workers.heartbeat import RecordingPosition

Scan = Callable[..., Completed]


@pytest.fixture
def scan(batchemo: RunCommand, voices: Path, tiny_bundle: Bundle) -> Scan:
    """Run `batchemo scan` on the voices, with more arguments."""

    def run(*args: object) -> Completed:
        return batchemo("scan", voices, "-m", tiny_bundle.path, "-j", "1", *args)

    return run


def event_names(log: Path) -> list[str]:
    return [json.loads(line)["event"] for line in log.read_text().splitlines()]


def test_events_are_named_and_dated(scan: Scan, tmp_path: Path) -> None:
    scan("-o", tmp_path / "r.csv", "--log-json", tmp_path / "log.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    names = [line["event"] for line in lines]
    assert (names[0], names[-2], names[-1]) == ("started", "progress", "finished")
    assert all(datetime.strptime(line["time"], "%Y-%m-%dT%H:%M:%S.%fZ") for line in lines)
    assert {len(line["time"]) for line in lines} == {len("2026-01-01T00:00:00.000Z")}
    (identity,) = {(line["run"], line["host"], line["pid"], line["version"]) for line in lines}
    assert identity[1:] == (socket.gethostname(), os.getpid(), __version__)
    (failure,) = [line for line in lines if line["event"] == "recording_failed"]
    assert failure["reason"] == "not_audio"
    progress, finished = lines[-2:]
    assert (progress["done"], progress["failed"], progress["found"]) == (5, 1, 5)
    assert (finished["analysed"], finished["failed"], finished["exit_code"]) == (5, 1, 3)
    assert sum(finished["emotions"].values()) == 4
    assert finished["reasons"] == {"not_audio": 1}


def test_positions_in_long_recordings_are_logged_every_30_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    path = tmp_path / "log.jsonl"
    with JsonLog(str(path)) as log:
        for second in range(75):
            now = 1000.0 + second
            position = RecordingPosition("/data", "a.wav", 44, 60.0 * second, 7200.0)
            # After 40 seconds a chunk of other recordings is done, which is logged at once.
            done = int(second >= 40)
            log(Progressed(done, 0, 2, 0, True, 0.0, 44 * done, 88, (position,)))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["positions"][0]["position"] for line in lines] == [1800.0, 2400.0, 4200.0]
    assert lines[0]["event"] == "progress"
    expected = {"root": "/data", "file": "a.wav", "size": 44, "position": 1800.0}
    assert lines[0]["positions"] == [{**expected, "duration": 7200.0}]


def test_runs_are_appended_and_a_refused_run_writes_nothing(scan: Scan, tmp_path: Path) -> None:
    out, log = tmp_path / "r.csv", tmp_path / "log.jsonl"
    scan("-o", out, "--log-json", log)
    once = event_names(log)
    assert (once[0], once[-1]) == ("started", "finished")
    assert scan("-o", out, "--log-json", log, "--hop", "1").code == 2
    assert event_names(log) == once
    scan("-o", out, "--log-json", log, "--overwrite")
    assert event_names(log) == 2 * once


@pytest.mark.parametrize("option", ["-o", "--segments", "--summary"])
def test_log_cannot_be_an_output_even_through_a_link(
    scan: Scan, tmp_path: Path, option: str
) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    args = [] if option == "-o" else ["-o", tmp_path / "r.csv"]
    ran = scan(*args, option, tmp_path / "x.csv", "--log-json", tmp_path / "link" / "x.csv")
    assert ran.code == 2
    assert "is an output of this command" in ran.err


def test_log_cannot_be_an_existing_file_of_another_kind(
    scan: Scan, voices: Path, tmp_path: Path
) -> None:
    recording = Path(copytree(voices, tmp_path / "own")) / "anna" / "one.wav"
    before = recording.read_bytes()
    ran = scan("-o", tmp_path / "r.csv", "--log-json", recording)
    assert (ran.code, recording.read_bytes()) == (2, before)
    assert "exists and is not a log of batchemo" in ran.err
    assert not (tmp_path / "r.csv").exists()


@pytest.mark.parametrize(
    ("log", "message"), [("gone/log", "there is no such folder"), (".", "is a folder")]
)
def test_log_needs_an_existing_folder(scan: Scan, tmp_path: Path, log: str, message: str) -> None:
    ran = scan("-o", tmp_path / "r.csv", "--log-json", tmp_path / log)
    assert ran.code == 2
    assert message in ran.err


def test_dry_run_is_one_event(scan: Scan) -> None:
    ran = scan("--dry-run", "--limit", "2", "--log-json", "-")
    line = json.loads(ran.out)
    assert (line["event"], line["limited"]) == ("dry_run", True)
    assert (line["new"]["files"], len(line["new"]["examples"])) == (2, 2)
    assert "stopped at --limit" in ran.err
    assert scan("--dry-run", "-q").out == ""


def test_a_run_that_is_skipped_or_refused_says_so(scan: Scan, tmp_path: Path) -> None:
    out, log = tmp_path / "r.csv", tmp_path / "log.jsonl"
    with locks.hold(store_folder(out), wait=False):
        assert scan("-o", out, "--log-json", log, "--if-locked", "skip").code == 0
        assert scan("-o", out, "--log-json", log).code == 4
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["locked", "locked"]
    assert f"process {os.getpid()} on" in lines[0]["message"]
    assert lines[0]["run"] != lines[1]["run"]


def test_an_error_is_the_last_event(
    batchemo: RunCommand, tiny_bundle: Bundle, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    log = tmp_path / "log.jsonl"
    source = ("scan", tmp_path / "in", "-m", tiny_bundle.path, "-o", tmp_path / "r.csv")
    assert batchemo(*source, "--log-json", log).code == 1
    last = json.loads(log.read_text().splitlines()[-1])
    assert (last["event"], last["exit_code"]) == ("error", 1)
    assert "no recordings were found" in last["message"]


@pytest.mark.process
def test_signal_is_the_last_event(tiny_bundle: Bundle, tmp_path: Path) -> None:
    for seed in range(6):
        write_voice(tmp_path / "in" / f"{seed}.wav", seconds=1.0, seed=seed)
    log, source = tmp_path / "log.jsonl", tmp_path / "list"
    os.mkfifo(source)
    args = ["scan", "--files-from", source, "-m", tiny_bundle.path, "-o", tmp_path / "r.csv"]
    process = subprocess.Popen(
        [*COMMAND, *(str(arg) for arg in [*args, "-j", "1", "--log-json", log])]
    )
    # The list is never closed: the run waits for more names when the signal comes.
    # Opened for both, so that this does not wait for ever for a process that has died.
    with os.fdopen(os.open(source, os.O_RDWR), "w") as stream:
        print(*(tmp_path / "in").iterdir(), sep="\n", file=stream, flush=True)
        deadline = time.monotonic() + 30
        while not log.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 128 + signal.SIGTERM
    last = json.loads(log.read_text().splitlines()[-1])
    assert (last["event"], last["signal"]) == ("stopped", "SIGTERM")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full exists only on Linux")
def test_log_that_cannot_be_written_is_named(scan: Scan, tmp_path: Path) -> None:
    ran = scan("-o", tmp_path / "r.csv", "--log-json", "/dev/full")
    assert ran.code == 1
    assert "/dev/full: No space left on device" in ran.err
