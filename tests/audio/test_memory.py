"""A long recording needs no more memory than a short one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from voices import voice

# ru_maxrss only grows, so the short recording is heard first.
HEAR = """
import resource, sys
from batchemo.audio import ListenOptions, listen
for path in sys.argv[1:]:
    with listen(path, ListenOptions(rate=16000, window=3.0, hop=1.5)) as heard:
        count = sum(1 for window in heard)
    print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
RATE = 8_000


def growth(folder: Path, minutes: int) -> tuple[int, float]:
    """How many windows a recording of that length has, and how many MB it needs beyond 20 s."""
    piece = voice(10.0, RATE)
    for name, pieces in (("short.wav", 2), ("long.wav", minutes * 6)):
        with soundfile.SoundFile(folder / name, "w", RATE, 1, "PCM_16") as file:
            for _ in range(pieces):
                file.write(piece)
    command = [sys.executable, "-c", HEAR, str(folder / "short.wav"), str(folder / "long.wav")]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return int(said[2]), (int(said[3]) - int(said[1])) / 1024


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
    spoken = np.repeat(voice(5.0, RATE)[:, np.newaxis], 64, axis=1)
    soundfile.write(tmp_path / "one.wav", spoken[:, 0], RATE)
    soundfile.write(tmp_path / "many.wav", np.tile(spoken, (4, 1)), RATE)
    command = [sys.executable, "-c", HEAR, str(tmp_path / "one.wav"), str(tmp_path / "many.wav")]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert (int(said[3]) - int(said[1])) / 1024 < 24
