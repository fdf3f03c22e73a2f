"""Whatever dies, the rest is done; and the same command run again ends in the same bytes."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest
from scan_commands import COMMAND, Scan, environment, wait_until
from voices import write_voice

from batchemo.bundles import Bundle


def statuses(path: Path) -> dict[str, str | None]:
    table = pq.read_table(path, columns=["file", "reason"])
    return dict(zip(table["file"].to_pylist(), table["reason"].to_pylist(), strict=True))


def good_rows(path: Path) -> list[dict[str, object]]:
    rows = pq.read_table(path).to_pylist()
    return [row for row in rows if row["status"] == "ok"]


@pytest.mark.parametrize("harm", ["kill", "segfault"])
def test_a_recording_that_kills_its_worker_is_named_and_hurts_no_other(
    corpus: Path, scan: Scan, tmp_path: Path, harm: str
) -> None:
    scan(corpus, "-o", tmp_path / "clean.parquet")
    write_voice(corpus / "anna" / f"take 03 {harm}.wav")
    scan(corpus, "-o", tmp_path / "r.parquet", "-j", "2", code=3, poison=True)
    reasons = statuses(tmp_path / "r.parquet")
    assert reasons.pop(f"anna/take 03 {harm}.wav") == "worker_died"
    assert set(reasons.values()) == {None}
    assert good_rows(tmp_path / "r.parquet") == good_rows(tmp_path / "clean.parquet")


@pytest.mark.parametrize("count", [3, pytest.param(10, marks=pytest.mark.faults)])
def test_poisoned_recordings_are_all_named(
    corpus: Path, scan: Scan, tmp_path: Path, count: int
) -> None:
    for index in range(count):
        write_voice(corpus / "ben" / f"kill {index}.wav")
    scan(corpus, "-o", tmp_path / "r.parquet", "-j", "2", code=3, poison=True)
    reasons = list(statuses(tmp_path / "r.parquet").values())
    assert reasons.count("worker_died") == count
    assert reasons.count(None) == 12


def test_a_worker_that_dies_once_costs_nothing(corpus: Path, scan: Scan, tmp_path: Path) -> None:
    scan(corpus, "-o", tmp_path / "clean.parquet")
    victim = corpus / "anna" / "once-kill.wav"
    write_voice(victim)
    scan(corpus, "-o", tmp_path / "r.parquet", poison=True)
    assert set(statuses(tmp_path / "r.parquet").values()) == {None}
    assert Path(f"{victim}.seen").exists()


def test_a_recording_that_hangs_is_given_up_after_the_timeout(
    corpus: Path, scan: Scan, tmp_path: Path
) -> None:
    write_voice(corpus / "anna" / "hang.wav")
    began = time.monotonic()
    scan(corpus, "-o", tmp_path / "r.parquet", "--timeout", "2s", code=3, poison=True)
    assert time.monotonic() - began < 30
    reasons = statuses(tmp_path / "r.parquet")
    assert reasons.pop("anna/hang.wav") == "timeout"
    assert set(reasons.values()) == {None}


def test_a_recording_too_large_for_memory_is_a_row(
    corpus: Path, scan: Scan, tmp_path: Path
) -> None:
    write_voice(corpus / "anna" / "memory.wav")
    scan(corpus, "-o", tmp_path / "r.parquet", code=3, poison=True)
    assert statuses(tmp_path / "r.parquet")["anna/memory.wav"] == "out_of_memory"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_the_same_command_after_a_kill_ends_in_the_same_bytes(
    corpus: Path, scan: Scan, tmp_path: Path, tiny_bundle: Bundle, number: signal.Signals
) -> None:
    for index in range(12, 150):
        shutil.copy(corpus / "anna" / "take 01.wav", corpus / "ben" / f"copy {index}.wav")
    names = ("r.parquet", "windows.parquet", "summary.csv")
    options = ["-o", names[0], "--segments", names[1], "--summary", names[2], "-j", "2"]
    calm, hit = tmp_path / "calm", tmp_path / "hit"
    calm.mkdir()
    hit.mkdir()

    def words(folder: Path) -> list[str]:
        return [str(folder / word) if "." in word else word for word in options]

    scan(corpus, *words(calm))
    command = [*COMMAND, "scan", "-m", str(tiny_bundle.path), str(corpus), *words(hit)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env=environment(poison=False))
    parts = hit / "r.parquet.parts"
    wait_until(lambda: bool(list(parts.glob("*.part.arrow"))))
    children = psutil.Process(process.pid).children(recursive=True)
    time.sleep(random.uniform(0, 0.3))
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode in (-number, 128 + number, 0)
    gone, alive = psutil.wait_procs(children, timeout=5)
    assert not alive, "a worker outlived its parent"
    if parts.exists():  # else the signal came after all was done
        scan(corpus, *words(hit))
    for name in names:
        assert (hit / name).read_bytes() == (calm / name).read_bytes()
    assert sorted(os.listdir(hit)) == sorted(names)


LongScan = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def long_scan(corpus: Path, tmp_path: Path, tiny_bundle: Bundle) -> Iterator[LongScan]:
    """Start a scan of 150 recordings, and wait until its first part is there."""
    started: list[subprocess.Popen[bytes]] = []
    for index in range(12, 150):
        shutil.copy(corpus / "anna" / "take 01.wav", corpus / "ben" / f"copy {index}.wav")

    def start(*words: str, **changes: str) -> subprocess.Popen[bytes]:
        out = tmp_path / "r.parquet"
        command = [*COMMAND, "scan", "-m", str(tiny_bundle.path), str(corpus), "-o", str(out), "-q"]
        environ = {**os.environ, **changes}
        process = subprocess.Popen([*command, "-j", "2", *words], env=environ)
        started.append(process)
        parts = tmp_path / "r.parquet.parts"
        wait_until(lambda: bool(list(parts.glob("*.part.arrow"))))
        return process

    yield start
    for process in started:  # Those of a test that failed.
        process.kill()
        process.wait()


def family(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def workers_of(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    return [each for each in family(process) if "LokyProcess" in " ".join(each.cmdline())]


def test_a_worker_that_is_stopped_is_given_up_as_one_that_hangs(
    corpus: Path, tmp_path: Path, tiny_bundle: Bundle
) -> None:
    held = write_voice(corpus / "anna" / "wait.wav")
    out = tmp_path / "r.parquet"
    words = ["scan", "-m", str(tiny_bundle.path), str(corpus), "-o", str(out), "-j", "1", "-q"]
    process = subprocess.Popen([*COMMAND, *words, "--timeout", "2s"], env=environment(poison=True))
    wait_until(Path(f"{held}.seen").exists)
    workers_of(process)[0].suspend()
    Path(f"{held}.go").touch()
    assert process.wait(timeout=300) == 3
    reasons = statuses(out)
    assert reasons.pop("anna/wait.wav") == "timeout"
    assert set(reasons.values()) == {None}


def test_a_run_that_is_suspended_loses_nothing_by_it(
    corpus: Path, tmp_path: Path, tiny_bundle: Bundle
) -> None:
    first = write_voice(corpus / "anna" / "wait.wav")
    words = ["scan", "-m", str(tiny_bundle.path), str(corpus), "-o", str(tmp_path / "r.parquet")]
    process = subprocess.Popen(
        [*COMMAND, *words, "--timeout", "5s", "-q"], env=environment(poison=True)
    )
    # Suspended while the parent has seen for a while that a worker has a recording in its hands.
    wait_until(Path(f"{first}.seen").exists)
    time.sleep(1.2)
    everyone = [*family(process), psutil.Process(process.pid)]
    for each in everyone:
        each.suspend()
    time.sleep(5)
    for each in everyone:
        each.resume()
    time.sleep(0.6)
    Path(f"{first}.go").touch()
    assert process.wait(timeout=300) == 0
    assert set(statuses(tmp_path / "r.parquet").values()) == {None}


def test_all_processes_killed_at_once_leave_nothing_for_longer_than_the_next_run(
    long_scan: LongScan, corpus: Path, scan: Scan, tmp_path: Path
) -> None:
    passing = tmp_path / "passing"
    passing.mkdir()
    process = long_scan(TMPDIR=str(passing))
    for each in [*family(process), psutil.Process(process.pid)]:
        each.kill()
    process.wait()
    assert os.listdir(passing)
    scan(corpus, "-o", tmp_path / "r.parquet", TMPDIR=str(passing))
    assert os.listdir(passing) == []
    assert not list(Path("/dev/shm").glob(f"sem.loky-{process.pid}-*"))
    assert not (tmp_path / "r.parquet.parts").exists()


def test_a_worker_that_hangs_for_ever_does_not_outlive_a_parent_that_is_killed(
    corpus: Path, tmp_path: Path, tiny_bundle: Bundle
) -> None:
    shutil.copy(corpus / "anna" / "take 00.wav", corpus / "anna" / "hang.wav")
    words = ["scan", "-m", str(tiny_bundle.path), str(corpus), "-o", str(tmp_path / "r.parquet")]
    process = subprocess.Popen([*COMMAND, *words, "-q"], env=environment(poison=True))
    wait_until((corpus / "anna" / "hang.wav.hangs").exists)
    everyone = family(process)
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(everyone, timeout=10)
    assert not alive


def test_workers_that_cannot_even_start_end_the_run_with_a_reason(
    corpus: Path, scan: Scan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "soxr.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    monkeypatch.setenv("PYTHONPATH", str(broken))
    ended = scan(corpus, "-o", tmp_path / "r.parquet", code=1)
    assert "before they begin to work" in ended.stderr
    assert not (tmp_path / "r.parquet").exists()


def test_a_machine_without_room_for_workers_is_told_in_words(
    corpus: Path, tmp_path: Path, tiny_bundle: Bundle
) -> None:
    words = ["scan", "-m", str(tiny_bundle.path), str(corpus), "-o", str(tmp_path / "r.parquet")]
    ended = subprocess.run(
        ["bash", "-c", 'ulimit -n 16; exec "$@"', "bash", *COMMAND, *words],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 1
    assert "worker processes cannot be started: Too many open files" in ended.stderr
    assert sorted(os.listdir(tmp_path)) == ["bundles", "corpus"]
