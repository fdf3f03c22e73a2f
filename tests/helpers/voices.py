"""Synthetic speech, so that the tests need no recordings."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray


def voice(seconds: float = 1.5, rate: int = 16000, *, seed: int = 0) -> NDArray[np.float64]:
    """Make a signal that resembles speech: a gliding buzz with changing formants, in syllables."""
    return _voice(seconds, rate, seed).copy()


# The same few voices are made for hundreds of tests, and making one takes longer than scanning it.
@lru_cache(maxsize=512)
def _voice(seconds: float, rate: int, seed: int) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    count = int(seconds * rate)
    time = np.arange(count) / rate
    pitch = 130 + 25 * np.sin(2 * np.pi * rng.uniform(0.4, 0.9) * time + seed)
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    formants = [(rng.uniform(300, 800), rng.uniform(1000, 2200)) for _ in range(6)]
    syllable = (time * 4).astype(int)
    signal = np.zeros(count)
    for harmonic in range(1, int(0.45 * rate / 160)):
        first = np.array([f[0] for f in formants])[syllable % 6]
        second = np.array([f[1] for f in formants])[syllable % 6]
        frequency = harmonic * pitch
        gain = np.exp(-(((frequency - first) / 150) ** 2)) + 0.5 * np.exp(
            -(((frequency - second) / 200) ** 2)
        )
        signal += gain * np.sin(harmonic * phase)
    envelope = np.clip(np.sin(np.pi * ((time * 4) % 1)), 0, None) ** 0.7
    signal *= envelope * (rng.random(syllable.max() + 1) > 0.15)[syllable]
    return 0.3 * signal / max(np.abs(signal).max(), 1e-9)


def write_voice(path: Path, *, seconds: float = 1.5, rate: int = 16000, seed: int = 0) -> Path:
    """Write a synthetic voice as a 16-bit WAV, and create its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, voice(seconds, rate, seed=seed), rate, subtype="PCM_16")
    return path
