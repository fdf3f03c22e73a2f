"""The log-mel picture of the speech in a window, freed of silence around it and of its level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from batchemo.common.arrays import Float32
from batchemo.features.mel import FAINTEST, decibels, mel_bands
from batchemo.features.spectrum import Spectrum


@dataclass(frozen=True, slots=True)
class SpeechLogMel:
    """Log-mels of the speech in a window, from its first loud frame to its last, then padding.

    Loud is what lies within `trim_db` of the window's loudest frame, heard from `fmin` to `fmax`.
    One number a window sets the level: 0 dB is the mean over the loudest quarter of the frames,
    each frame counted by its strongest band. Then floor_db … 0 is scaled to -2 … 2. Padding and
    digital silence lie at the floor.
    """

    kind: ClassVar[str] = "speech-log-mel"
    version: ClassVar[int] = 1

    n_mels: int = 64
    fmin: float = 50.0
    fmax: float = 8000.0
    n_fft: int = 512
    win_length: int = 400
    hop: int = 160
    trim_db: float = 35.0
    margin: float = 0.1
    """Seconds kept before and after the loud frames."""
    floor_db: float = -80.0

    def __post_init__(self) -> None:
        if not (0 < self.win_length <= self.n_fft and self.n_fft % 2 == 0 and self.hop > 0):
            raise ValueError("win_length must lie in 1 … n_fft, n_fft be even, hop above 0")
        if not (0 <= self.fmin < self.fmax and self.n_mels > 0):
            raise ValueError("fmin must lie below fmax, and n_mels above 0")
        if not (self.trim_db > 0 and self.margin >= 0 and self.floor_db < 0):
            raise ValueError("trim_db must lie above 0, floor_db below, margin no less than 0")

    def shape(self, rate: int, window: float) -> tuple[int, ...]:
        """Frames, padding included, and bands."""
        return round(window * rate / self.hop) + 1, self.n_mels

    def names(self) -> tuple[str, ...]:
        """The bands."""
        return tuple(f"mel_{band}" for band in range(self.n_mels))

    def compute(self, samples: Float32, rate: int, window: float) -> Float32:
        """The picture, (frames, n_mels)."""
        spectrum = Spectrum(
            samples, rate=rate, n_fft=self.n_fft, hop=self.hop, win_length=self.win_length
        )
        loud = spectrum.power[self._loud(spectrum)]
        mel = mel_bands(loud, rate, self.n_mels, self.fmin, self.fmax)
        picture = np.full(self.shape(rate, window), self.floor_db, dtype=np.float32)
        if mel.max() > FAINTEST:
            heard = _levelled(decibels(mel, range_db=None))[: len(picture)]
            np.maximum(heard, self.floor_db, out=picture[: len(heard)])
        middle = self.floor_db / 2
        return (picture - middle) / (-middle / 2)

    def _loud(self, spectrum: Spectrum) -> slice:
        """The frames from the first loud one to the last, margins included."""
        heard = (spectrum.frequencies >= self.fmin) & (spectrum.frequencies <= self.fmax)
        energy = spectrum.power @ heard.astype(np.float32)
        loud = np.flatnonzero(energy >= energy.max() * 10 ** (-self.trim_db / 10))
        margin = round(self.margin * spectrum.rate / self.hop)
        return slice(max(0, loud[0] - margin), loud[-1] + margin + 1)


def _levelled(level: Float32) -> Float32:
    """Decibels that are 0 in the mean over the loudest quarter of the frames' maxima."""
    loudest_first = np.sort(level.max(axis=1))[::-1]
    quarter = (len(loudest_first) + 3) // 4
    shifted: Float32 = level - loudest_first[:quarter].mean()
    return shifted
