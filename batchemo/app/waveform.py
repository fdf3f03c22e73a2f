"""The outline of a waveform: the lowest and the highest sample of each short stretch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from batchemo.audio.decode import Decoder, mix
from batchemo.audio.file import open_audio
from batchemo.common.arrays import Float32

MOST = 1_000
"""Stretches that an outline has at most; more cannot be seen."""
_FIRST_STRETCH = 64


@dataclass(frozen=True, slots=True, eq=False)
class Waveform:
    """What is drawn of a waveform."""

    seconds: float
    """The length of one stretch; the last may be shorter."""
    lows: Float32
    highs: Float32


def read_waveform(path: str) -> Waveform:
    """Read a recording from end to end for its outline, in bounded memory.

    The recording must have been heard already: what is wrong with it raises `Failure`.
    """
    with open_audio(path) as file:
        decoder = Decoder(file)
        try:
            pen = _Pen()
            for frames in decoder.blocks():
                pen.hear(mix(frames))
        finally:
            decoder.close()
    return pen.waveform(decoder.sample_rate)


class _Pen:
    """Draws stretches of samples; when there are too many, it joins them two by two."""

    def __init__(self) -> None:
        self._stretch = _FIRST_STRETCH
        self._rest = np.zeros(0, np.float32)
        self._lows = np.zeros(0, np.float32)
        self._highs = np.zeros(0, np.float32)

    def hear(self, samples: Float32) -> None:
        samples = np.concatenate([self._rest, samples])
        whole = len(samples) - len(samples) % self._stretch
        self._draw(samples[:whole].reshape(-1, self._stretch))
        self._rest = samples[whole:].copy()
        while len(self._lows) > 2 * MOST:
            self._join()

    def waveform(self, rate: int) -> Waveform:
        while len(self._lows) > MOST:
            self._join()
        if len(self._rest):
            self._draw(self._rest[None])
            self._rest = self._rest[:0]
        return Waveform(self._stretch / rate, self._lows, self._highs)

    def _draw(self, stretches: Float32) -> None:
        self._lows = np.concatenate([self._lows, stretches.min(axis=1)])
        self._highs = np.concatenate([self._highs, stretches.max(axis=1)])

    def _join(self) -> None:
        """Double the stretch. An odd one at the end stays as it is: what it shifts is not seen."""
        self._stretch *= 2
        firsts = np.arange(0, len(self._lows), 2)
        self._lows = np.minimum.reduceat(self._lows, firsts)
        self._highs = np.maximum.reduceat(self._highs, firsts)
