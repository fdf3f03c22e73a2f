"""Kills at random moments, by a seed; the same command then ends in the same bytes."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest
from scan_commands import StartScan, descendants

pytestmark = [pytest.mark.faults, pytest.mark.process]

SEED = 20261121
TRIALS = 24
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
NAMES = ("r.parquet", "windows.parquet", "summary.csv")


class RepeatedScan:
    """The same scan again and again, each time into an empty folder."""

    def __init__(self, corpus: Path, start_scan: StartScan, folder: Path) -> None:
        self.corpus, self.start_scan = corpus, start_scan
        self.output, self.temporary = folder / "output", folder / "temporary"
        self.temporary.mkdir()
        for index in range(12, 150):
            shutil.copy(corpus / "anna" / "take 01.wav", corpus / "ben" / f"copy {index}.wav")
        began = time.monotonic()
        self.clear()
        self.finish(self.start())
        self.duration = time.monotonic() - began
        self.expected = self.tables()

    def clear(self) -> None:
        shutil.rmtree(self.output, ignore_errors=True)
        self.output.mkdir()

    def start(self) -> subprocess.Popen[str]:
        recordings, segments, summary = (self.output / name for name in NAMES)
        tables = ("-o", recordings, "--segments", segments, "--summary", summary)
        return self.start_scan(self.corpus, *tables, "-j", "2", "-q", TMPDIR=str(self.temporary))

    @staticmethod
    def finish(process: subprocess.Popen[str]) -> int:
        process.communicate(timeout=300)
        return process.returncode

    def tables(self) -> list[bytes]:
        return [(self.output / name).read_bytes() for name in NAMES]

    def recover(self) -> None:
        """Run the same command once more, and check that nothing is missing or left over."""
        assert self.finish(self.start()) == 0
        assert self.tables() == self.expected
        assert sorted(os.listdir(self.output)) == sorted(NAMES)
        assert os.listdir(self.temporary) == []


@pytest.fixture
def repeated(corpus: Path, start_scan: StartScan, tmp_path: Path) -> RepeatedScan:
    return RepeatedScan(corpus, start_scan, tmp_path)


def test_signals_to_the_parent(repeated: RepeatedScan, figures: Counter[str]) -> None:
    rng = random.Random(SEED)
    for _ in range(TRIALS):
        repeated.clear()
        process = repeated.start()
        time.sleep(rng.uniform(0, 1.1 * repeated.duration))
        children = descendants(process)
        process.send_signal(rng.choice([signal.SIGKILL, *STOP_SIGNALS]))
        _, printed = process.communicate(timeout=300)
        assert "resource_tracker" not in printed
        _, alive = psutil.wait_procs(children, timeout=10)
        assert not alive, "a worker outlived its parent"
        assert not list(Path("/dev/shm").glob(f"sem.loky-{process.pid}-*"))
        figures["signals to the parent at random moments"] += 1
        repeated.recover()


def test_kills_of_all_processes_at_once(repeated: RepeatedScan, figures: Counter[str]) -> None:
    rng = random.Random(SEED + 1)
    for _ in range(TRIALS // 2):
        repeated.clear()
        process = repeated.start()
        time.sleep(rng.uniform(0, 1.1 * repeated.duration))
        for child in descendants(process):
            try:
                child.kill()
            except psutil.NoSuchProcess:
                continue
        process.kill()
        repeated.finish(process)
        figures["kills of all processes at once"] += 1
        repeated.recover()
        assert not list(Path("/dev/shm").glob(f"sem.loky-{process.pid}-*"))


def test_kills_of_workers_in_a_run_that_continues(
    repeated: RepeatedScan, figures: Counter[str]
) -> None:
    rng = random.Random(SEED + 2)
    for _ in range(TRIALS // 2):
        repeated.clear()
        process = repeated.start()
        for _ in range(rng.randrange(1, 4)):
            time.sleep(rng.uniform(0.1, repeated.duration / 2))
            children = descendants(process)
            if children:
                rng.choice(children).kill()
                figures["kills of workers or helpers in a run that continued"] += 1
        code = repeated.finish(process)
        # Workers that die three times in a row before they begin end a run, with a message.
        assert code in (0, 1)
        figures["runs that completed by themselves after such kills"] += code == 0
        repeated.recover()


def test_runs_with_the_same_output_at_once(repeated: RepeatedScan, figures: Counter[str]) -> None:
    rng = random.Random(SEED + 3)
    for _ in range(TRIALS // 4):
        repeated.clear()
        processes = [repeated.start() for _ in range(3)]
        time.sleep(rng.uniform(0, repeated.duration))
        rng.choice(processes).kill()
        codes = [repeated.finish(process) for process in processes]
        # 4: another held the output. 2: another had just finished it.
        assert set(codes) <= {0, 2, 4, -signal.SIGKILL}
        figures["runs with the same output at once"] += 3
        repeated.recover()
