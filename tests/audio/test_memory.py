"""Memory does not grow with the duration or the channels of a recording."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from voices import voice

# ru_maxrss only grows, so the short recording is read first.
READ = """
import resource, sys
from batchemo.audio import WindowConfig, read_windows
for path in sys.argv[1:]:
    with read_windows(path, WindowConfig(rate=16000, window=3.0, hop=1.5)) as reader:
        count = sum(1 for window in reader)
    print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
RATE = 8_000

pytestmark = pytest.mark.process


def growth(folder: Path, minutes: int) -> tuple[int, float]:
    """Return the number of windows of a recording, and the MB it needs beyond one of 20 s."""
    piece = voice(10.0, RATE)
    for name, pieces in (("short.wav", 2), ("long.wav", minutes * 6)):
        with soundfile.SoundFile(folder / name, "w", RATE, 1, "PCM_16") as file:
            for _ in range(pieces):
                file.write(piece)
    command = [sys.executable, "-c", READ, str(folder / "short.wav"), str(folder / "long.wav")]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return int(printed[2]), (int(printed[3]) - int(printed[1])) / 1024


def test_half_an_hour_needs_no_more_than_a_few_blocks(tmp_path: Path) -> None:
    windows, megabytes = growth(tmp_path, 30)
    assert windows == 30 * 60 / 1.5 - 1
    assert megabytes < 24


@pytest.mark.slow
def test_three_hours_need_no_more_than_a_few_blocks(tmp_path: Path) -> None:
    windows, megabytes = growth(tmp_path, 180)
    assert windows == 180 * 60 / 1.5 - 1
    assert megabytes < 24


def test_many_channels_need_no_more_than_a_few_blocks(tmp_path: Path) -> None:
    frames = np.repeat(voice(5.0, RATE)[:, np.newaxis], 64, axis=1)
    soundfile.write(tmp_path / "one.wav", frames[:, 0], RATE)
    soundfile.write(tmp_path / "many.wav", np.tile(frames, (4, 1)), RATE)
    command = [sys.executable, "-c", READ, str(tmp_path / "one.wav"), str(tmp_path / "many.wav")]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert (int(printed[3]) - int(printed[1])) / 1024 < 24
