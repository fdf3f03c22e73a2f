"""Whatever dies, all other recordings are analysed, and the same command again resumes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest
from scan_commands import (
    PausedRecording,
    Scan,
    StartScan,
    descendants,
    finish,
    reasons_by_file,
    wait_for_chunk,
    wait_until,
)
from voices import write_voice

pytestmark = pytest.mark.process


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "r.parquet"


@pytest.fixture
def large_corpus(corpus: Path) -> Path:
    """150 recordings, so that a scan of them goes on for a while after its first chunk."""
    for index in range(12, 150):
        shutil.copy(corpus / "anna" / "take 01.wav", corpus / "ben" / f"copy {index}.wav")
    return corpus


def good_rows(table: Path) -> list[dict[str, object]]:
    return [row for row in pq.read_table(table).to_pylist() if row["status"] == "ok"]


def workers_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    family = descendants(process)
    return [member for member in family if "LokyProcess" in " ".join(member.cmdline())]


@pytest.mark.parametrize(
    "names",
    [
        ["segfault"],
        ["kill 1", "kill 2"],
        pytest.param([f"kill {n}" for n in range(10)], marks=pytest.mark.faults),
    ],
    ids=len,
)
def test_recordings_that_kill_their_workers_are_named_and_change_no_other_row(
    corpus: Path, scan: Scan, scan_inline: Scan, tmp_path: Path, out: Path, names: list[str]
) -> None:
    scan_inline(corpus, "-o", tmp_path / "clean.parquet")
    for name in names:
        write_voice(corpus / "anna" / f"take 03 {name}.wav")
    scan(corpus, "-o", out, "-j", "2", code=3, poison=True)
    failed = {file: reason for file, reason in reasons_by_file(out).items() if reason}
    assert failed == {f"anna/take 03 {name}.wav": "worker_died" for name in names}
    assert good_rows(out) == good_rows(tmp_path / "clean.parquet")


def test_a_worker_that_dies_once_fails_no_recording(corpus: Path, scan: Scan, out: Path) -> None:
    recording = write_voice(corpus / "anna" / "once-kill.wav")
    scan(corpus / "anna", "-o", out, "-j", "1", poison=True)
    assert set(reasons_by_file(out).values()) == {None}
    assert Path(f"{recording}.seen").exists(), "a worker has died"


def test_a_recording_that_hangs_is_given_up_after_the_timeout(
    corpus: Path, scan: Scan, out: Path
) -> None:
    write_voice(corpus / "anna" / "hang.wav")
    began = time.monotonic()
    scan(corpus / "anna", "-o", out, "-j", "1", "--timeout", "2s", code=3, poison=True)
    assert time.monotonic() - began < 30
    reasons = reasons_by_file(out)
    assert reasons.pop("hang.wav") == "timeout"
    assert set(reasons.values()) == {None}


def test_a_worker_that_is_stopped_is_given_up_like_one_that_hangs(
    corpus: Path, start_scan: StartScan, out: Path
) -> None:
    paused = PausedRecording.write(corpus / "anna")
    words = (corpus / "anna", "-o", out, "-j", "1", "-q", "--timeout", "2s")
    process = start_scan(*words, poison=True)
    paused.wait()
    workers_of(process)[0].suspend()
    paused.release()
    finish(process, code=3)
    reasons = reasons_by_file(out)
    assert reasons.pop("wait.wav") == "timeout"
    assert set(reasons.values()) == {None}


def test_a_recording_too_large_for_memory_is_a_row(corpus: Path, scan: Scan, out: Path) -> None:
    write_voice(corpus / "anna" / "memory.wav")
    scan(corpus / "anna", "-o", out, "-j", "1", code=3, poison=True)
    assert reasons_by_file(out)["memory.wav"] == "out_of_memory"


@pytest.mark.parametrize(
    ("number", "delay"),
    [
        (signal.SIGKILL, 0.0),
        (signal.SIGTERM, 0.05),
        (signal.SIGINT, 0.1),
        (signal.SIGHUP, 0.2),
    ],
)
def test_the_same_command_after_a_signal_ends_in_the_same_bytes(
    large_corpus: Path,
    start_scan: StartScan,
    scan_inline: Scan,
    tmp_path: Path,
    number: signal.Signals,
    delay: float,
) -> None:
    names = ("r.parquet", "windows.parquet", "summary.csv")
    expected, actual = tmp_path / "expected", tmp_path / "actual"

    def words(folder: Path) -> list[str | Path]:
        folder.mkdir(exist_ok=True)
        recordings, segments, summary = (folder / name for name in names)
        tables = ["-o", recordings, "--segments", segments, "--summary", summary]
        return [large_corpus, *tables, "-j", "2"]

    scan_inline(*words(expected))
    process = start_scan(*words(actual))
    wait_for_chunk(actual / "r.parquet")
    children = descendants(process)
    time.sleep(delay)
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode in (-number, 128 + number, 0)
    _, alive = psutil.wait_procs(children, timeout=5)
    assert not alive, "a worker outlived its parent"
    scan_inline(*words(actual))
    for name in names:
        assert (actual / name).read_bytes() == (expected / name).read_bytes()
    assert sorted(os.listdir(actual)) == sorted(names)


def test_a_run_that_is_suspended_fails_no_recording(
    corpus: Path, start_scan: StartScan, out: Path
) -> None:
    paused = PausedRecording.write(corpus / "anna")
    words = (corpus / "anna", "-o", out, "-j", "1", "-q", "--timeout", "5s")
    process = start_scan(*words, poison=True)
    # Suspended after the parent has seen for a while that a worker has a recording in hand.
    paused.wait()
    time.sleep(1.2)
    processes = [*descendants(process), psutil.Process(process.pid)]
    for member in processes:
        member.suspend()
    time.sleep(5)
    for member in processes:
        member.resume()
    time.sleep(0.6)
    paused.release()
    finish(process)
    assert set(reasons_by_file(out).values()) == {None}


def test_what_processes_that_were_all_killed_at_once_left_is_removed_by_the_next_run(
    large_corpus: Path, start_scan: StartScan, scan: Scan, tmp_path: Path, out: Path
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    words = (large_corpus, "-o", out, "-q", "-j", "2")
    process = start_scan(*words, TMPDIR=str(temporary))
    wait_for_chunk(out)
    for member in [*descendants(process), psutil.Process(process.pid)]:
        member.kill()
    process.wait()
    assert os.listdir(temporary)
    scan(*words, TMPDIR=str(temporary))
    assert os.listdir(temporary) == []
    assert not list(Path("/dev/shm").glob(f"sem.loky-{process.pid}-*"))
    assert not (tmp_path / "r.parquet.chunks").exists()


def test_a_worker_that_hangs_for_ever_ends_with_a_parent_that_is_killed(
    corpus: Path, start_scan: StartScan, out: Path
) -> None:
    hangs = write_voice(corpus / "anna" / "hang.wav")
    process = start_scan(corpus / "anna", "-o", out, "-j", "1", "-q", poison=True)
    wait_until(Path(f"{hangs}.hangs").exists)
    children = descendants(process)
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(children, timeout=10)
    for child in alive:
        child.kill()
    assert not alive


def test_workers_that_cannot_even_start_end_the_run_with_a_reason(
    corpus: Path, scan: Scan, tmp_path: Path, out: Path
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "soxr.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    ended = scan(corpus, "-o", out, "-j", "1", code=1, PYTHONPATH=str(broken))
    assert "before they begin to work" in ended.stderr
    assert not out.exists()


def test_too_few_open_files_for_workers_are_reported(
    corpus: Path, start_scan: StartScan, tmp_path: Path, out: Path
) -> None:
    def allow_few_open_files() -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))

    ended = finish(start_scan(corpus, "-o", out, before=allow_few_open_files), code=1)
    assert "worker processes cannot be started: Too many open files" in ended.stderr
    assert sorted(os.listdir(tmp_path)) == ["bundles", "corpus"]
