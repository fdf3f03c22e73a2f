"""What the tests of the commands need: a way to run them, and sounds that pass for speech."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

from batchemo.cli.entry import run

RATE = 16_000


def babble(seconds: float, *, seed: int = 0, rate: int = RATE) -> np.ndarray:
    """A sound whose spectrum moves as that of speech does: harmonics under two moving peaks."""
    chance = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    syllables = np.arange(0.0, seconds + 0.4, 0.2)

    def wander(low: float, high: float) -> np.ndarray:
        return np.interp(time, syllables, chance.uniform(low, high, len(syllables)))

    pitch, first, second = wander(100, 160), wander(250, 900), wander(900, 1800)
    turns = np.cumsum(pitch) / rate
    sound = np.zeros(len(time))
    for harmonic in range(1, 25):
        place = harmonic * pitch
        peaks = [np.exp(-(((place - peak) / 150) ** 2)) for peak in (first, second)]
        sound += sum(peaks) * np.sin(2 * np.pi * harmonic * turns)
    return (0.2 * sound * wander(0.3, 1.0)).astype(np.float32)


def write_babble(path: Path, seconds: float = 2.0, *, seed: int = 0, rate: int = RATE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, babble(seconds, seed=seed, rate=rate), rate)
    return path


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


@pytest.fixture
def batchemo(capfd: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Runs a command in this process: `batchemo("show", path)`."""

    def call(*args: object) -> Ran:
        capfd.readouterr()
        code = run([str(arg) for arg in args])
        return Ran(code, *capfd.readouterr())

    return call


@pytest.fixture
def batchemo_process() -> Callable[..., Ran]:
    """Runs a command in a process of its own, with more environment where asked."""

    def call(*args: object, **environment: str) -> Ran:
        done = subprocess.run(
            [sys.executable, "-c", "from batchemo.cli import main; main()", *map(str, args)],
            capture_output=True,
            text=True,
            env={**os.environ, **environment},
            timeout=60,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture(scope="session")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder: two speakers with two recordings each, and one file that is no recording."""
    folder = tmp_path_factory.mktemp("voices")
    for seed, name in enumerate(("anna/one", "anna/two", "bert/one", "bert/two")):
        write_babble(folder / f"{name}.wav", 1.0 + seed, seed=seed)
    (folder / "bert" / "broken.wav").write_text("not a recording\n")
    return folder
