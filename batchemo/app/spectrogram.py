"""The spectrogram of a recording, reduced to what can be drawn: power by time and frequency."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from batchemo.common.arrays import Float32
from batchemo.common.fft import rfft

MAX_COLUMNS = 800
"""The chart is less than a thousand pixels wide."""
ROWS = 128
TOP = 8_000.0
"""The highest frequency that is drawn, in Hz: what is above it says little of a voice."""
RANGE = 70.0
"""What is this much quieter than the loudest point, in dB, is drawn as silence."""
_WINDOW = 0.032
"""Seconds of each transform: tells apart the harmonics of a voice."""


@dataclass(frozen=True, slots=True, eq=False)
class Spectrogram:
    """How loud each frequency is over time."""

    seconds: float
    top: float
    """The highest frequency, in Hz."""
    levels: NDArray[np.uint8]
    """(frequencies, columns), the lowest frequency first; 255 is the loudest point, 0 silence."""


class SpectrogramAccumulator:
    """Accumulates the powers of a stream of samples, in bounded memory.

    As of the waveform, columns start short, and are merged in pairs when there are too many.
    """

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._size = 2 ** max(5, round(np.log2(_WINDOW * sample_rate)))
        self._hann = np.hanning(self._size).astype(np.float32)
        self._bins = max(1, min(self._size // 2, int(TOP * self._size / sample_rate)))
        self._powers = np.zeros((0, self._bins), np.float32)
        self._merged = 1
        """Transforms in each column."""
        self._rest = np.zeros(0, np.float32)
        self._pending = np.zeros((0, self._bins), np.float32)

    def update(self, samples: Float32) -> None:
        """Add the next samples of the recording."""
        samples = np.concatenate([self._rest, samples])
        count = len(samples) // self._size
        frames = samples[: count * self._size].reshape(count, self._size)
        self._rest = samples[count * self._size :].copy()
        if not count:
            return
        transform = rfft(np.clip(frames, -1e3, 1e3) * self._hann)[:, : self._bins]
        powers = transform.real**2 + transform.imag**2
        pending = np.concatenate([self._pending, powers])
        whole = len(pending) // self._merged * self._merged
        self._add(pending[:whole])
        self._pending = pending[whole:].copy()
        while len(self._powers) > MAX_COLUMNS:
            self._merge_pairs()

    def spectrogram(self) -> Spectrogram | None:
        """Return the spectrogram of all samples; None of less than one transform."""
        if not len(self._powers):
            return None
        rows = min(ROWS, self._bins)
        firsts = np.linspace(0, self._bins, rows + 1).astype(int)[:-1]
        power = np.maximum.reduceat(self._powers, firsts, axis=1)
        decibels = 10 * np.log10(np.maximum(power, 1e-12))
        shares = np.clip(1 + (decibels - decibels.max()) / RANGE, 0, 1)
        return Spectrogram(
            len(self._powers) * self._merged * self._size / self._rate,
            self._bins * self._rate / self._size,
            np.round(255 * shares).astype(np.uint8).T,
        )

    def _add(self, powers: Float32) -> None:
        columns = powers.reshape(-1, self._merged, self._bins).mean(axis=1)
        self._powers = np.concatenate([self._powers, columns])

    def _merge_pairs(self) -> None:
        """Double what each column holds; of an odd number, the last one waits for its pair."""
        whole = len(self._powers) // 2 * 2
        odd = np.repeat(self._powers[whole:], self._merged, axis=0)
        self._powers = self._powers[:whole].reshape(-1, 2, self._bins).mean(axis=1)
        self._merged *= 2
        self._pending = np.concatenate([odd, self._pending])
