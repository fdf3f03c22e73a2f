"""What is gathered to learn from: a scan's windows, copies, reasons, and a cache that holds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from signals import voice, write_voice

from batchemo.audio import ListenOptions, listen
from batchemo.errors import UsageError
from batchemo.features import extract, get_recipe
from batchemo.training.cache import open_cache
from batchemo.training.copies import make_copy
from batchemo.training.corpora import Example
from batchemo.training.corpora.digest import signal_digest
from batchemo.training.items import Gathered, Hearing, gather_items
from batchemo.training.pictures import Windows, hear_whole

RECIPE = get_recipe("mfcc40")
WINDOWS = Windows(seconds=1.0, hop=0.5)


def example(path: Path) -> Example:
    return Example(path, "made", "1", "female", "sad", "normal", digest=signal_digest(path))


@pytest.fixture
def voices(tmp_path: Path) -> tuple[Example, ...]:
    return tuple(
        example(write_voice(tmp_path / f"{n}.wav", seconds=1.2 + 0.4 * n, seed=n)) for n in range(3)
    )


@pytest.fixture
def beep(tmp_path: Path) -> Example:
    path = tmp_path / "beep.wav"
    soundfile.write(path, 0.3 * np.sin(np.arange(24000) / 9), 16000)
    return example(path)


def hear(one: Example, cache: Path, *copies: str) -> dict[str, np.ndarray]:
    """What comes of one recording, without another process."""
    hearing = Hearing(RECIPE, WINDOWS, copies, open_cache(cache, RECIPE, WINDOWS))
    assert hearing.hear(one) == ""
    return {item.copy: item.windows for item in hearing.items(one)}


def told(gathered: Gathered) -> list[tuple[str, str]]:
    return [(item.example.path.stem, item.copy) for item in gathered.items]


def test_the_windows_of_the_original_are_those_that_a_scan_hears(
    voices: tuple[Example, ...], tmp_path: Path
) -> None:
    options = ListenOptions(rate=RECIPE.rate, window=WINDOWS.seconds, hop=WINDOWS.hop)
    for one in voices:
        with listen(str(one.path), options) as heard:
            scanned = [extract(RECIPE, w.samples, WINDOWS.seconds) for w in heard if w.speech]

        windows = hear(one, tmp_path / "cache", "original")["original"]

        assert windows.dtype == np.float32
        assert np.array_equal(windows, np.stack(scanned))


def test_windows_without_speech_are_no_part_of_an_item(tmp_path: Path) -> None:
    path = tmp_path / "pause.wav"
    soundfile.write(path, np.concatenate([voice(1.0), np.zeros(16000 * 4), voice(1.0)]), 16000)

    heard = hear(example(path), tmp_path / "cache", "original", "pitch")

    assert 2 <= len(heard["original"]) <= 6 < len(range(0, 11))
    assert 2 <= len(heard["pitch"]) <= 6


def test_a_copy_is_made_of_the_whole_signal_and_then_cut_as_a_scan_would(
    voices: tuple[Example, ...], tmp_path: Path
) -> None:
    one = voices[2]
    changed = make_copy("stretch", hear_whole(one, RECIPE.rate), RECIPE.rate, one.digest)
    path = tmp_path / "changed.wav"
    soundfile.write(path, changed, RECIPE.rate, subtype="FLOAT")

    copy = hear(one, tmp_path / "cache", "stretch")["stretch"]

    assert np.array_equal(copy, hear(example(path), tmp_path / "cache", "original")["original"])
