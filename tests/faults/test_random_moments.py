"""Kills at moments that nobody chose, by a seed; the same command then ends in the same bytes."""

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
from scan_commands import COMMAND, Scan

from batchemo.bundles import Bundle

pytestmark = pytest.mark.faults

SEED = 20261121
TRIALS = 24
ASKED_TO_STOP = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
NAMES = ("r.parquet", "windows.parquet", "summary.csv")


class Scene:
    """The same scan over and over, each time into a new folder."""

    def __init__(self, corpus: Path, model: Path, place: Path) -> None:
        self.corpus, self.model = corpus, model
        self.hit, self.passing = place / "hit", place / "passing"
        self.passing.mkdir()
        for index in range(12, 150):
            shutil.copy(corpus / "anna" / "take 01.wav", corpus / "ben" / f"copy {index}.wav")
        began = time.monotonic()
        self.clear()
        assert self.start().wait() == 0
        self.lasts = time.monotonic() - began
        self.calm = self.tables()

    def clear(self) -> None:
        shutil.rmtree(self.hit, ignore_errors=True)
        self.hit.mkdir()

    def start(self) -> subprocess.Popen[bytes]:
        files, segments, summary = (str(self.hit / name) for name in NAMES)
        words = ["scan", "-m", str(self.model), str(self.corpus), "-j", "2", "-q", "-o", files]
        return subprocess.Popen(
            [*COMMAND, *words, "--segments", segments, "--summary", summary],
            stderr=subprocess.DEVNULL,
            env={**os.environ, "TMPDIR": str(self.passing)},
        )

    def tables(self) -> list[bytes]:
        return [(self.hit / name).read_bytes() for name in NAMES]

    def recover(self) -> None:
        assert self.start().wait(timeout=300) == 0
        assert self.tables() == self.calm
        assert sorted(os.listdir(self.hit)) == sorted(NAMES)
        assert os.listdir(self.passing) == []


@pytest.fixture
def scene(corpus: Path, tiny_bundle: Bundle, tmp_path: Path) -> Scene:
    return Scene(corpus, tiny_bundle.path, tmp_path)


def children(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def test_signals_to_the_parent(scene: Scene, figures: Counter[str]) -> None:
    chance = random.Random(SEED)
    for _ in range(TRIALS):
        scene.clear()
        process = scene.start()
        time.sleep(chance.uniform(0, 1.1 * scene.lasts))
        family = children(process)
        process.send_signal(chance.choice([signal.SIGKILL, *ASKED_TO_STOP]))
        process.wait(timeout=60)
        _, alive = psutil.wait_procs(family, timeout=10)
        assert not alive, "a worker outlived its parent"
        figures["signals to the parent at random moments"] += 1
        scene.recover()


def test_kills_of_the_whole_family_at_once(scene: Scene, figures: Counter[str]) -> None:
    chance = random.Random(SEED + 1)
    for _ in range(TRIALS // 2):
        scene.clear()
        process = scene.start()
        time.sleep(chance.uniform(0, 1.1 * scene.lasts))
        for each in [*children(process), process]:
            try:
                each.kill()
            except psutil.NoSuchProcess:
                continue
        process.wait(timeout=60)
        figures["kills of all processes at once"] += 1
        scene.recover()
        assert not list(Path("/dev/shm").glob(f"sem.loky-{process.pid}-*"))


def test_kills_of_workers_in_a_run_that_goes_on(scene: Scene, figures: Counter[str]) -> None:
    chance = random.Random(SEED + 2)
    for _ in range(TRIALS // 2):
        scene.clear()
        process = scene.start()
        kills = chance.randrange(1, 4)
        for _ in range(kills):
            time.sleep(chance.uniform(0.1, scene.lasts / 2))
            family = children(process)
            if family:
                chance.choice(family).kill()
                figures["kills of workers or helpers in a run that went on"] += 1
        code = process.wait(timeout=300)
        # Three workers that die before they begin on anything end a run; it says so.
        assert code in (0, 1)
        figures["runs that came through such kills by themselves"] += code == 0
        scene.recover()


def test_runs_that_want_the_same_output(
    scene: Scene, scan: Scan, tmp_path: Path, figures: Counter[str]
) -> None:
    chance = random.Random(SEED + 3)
    for _ in range(TRIALS // 4):
        scene.clear()
        several = [scene.start() for _ in range(3)]
        time.sleep(chance.uniform(0, scene.lasts))
        chance.choice(several).kill()
        codes = [process.wait(timeout=300) for process in several]
        # 4: another held the output. 2: another had just finished it.
        assert set(codes) <= {0, 2, 4, -signal.SIGKILL}
        figures["runs that wanted the same output at once"] += 3
        scene.recover()
