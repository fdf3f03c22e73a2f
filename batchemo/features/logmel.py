"""The log-mel spectrogram of the speech in a window, without surrounding silence or loudness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from batchemo.common.arrays import Bool, Float32
from batchemo.features import limits
from batchemo.features.mel import MIN_POWER, decibels, mel_bands
from batchemo.features.spectrum import Spectrum, frame_energies

_ROUNDING = 1.01
"""More than single precision can be wrong by in a sum over a frame."""


@dataclass(frozen=True, slots=True)
class SpeechLogMel:
    """Log-mels of the speech in a window, from its first loud frame to its last, then padding.

    A frame is loud within `trim_db` of the window's loudest frame, by its energy from `fmin` to
    `fmax`. One number for each window sets the level: 0 dB is the mean over the loudest quarter
    of the frames, each frame counted by its strongest band. Then floor_db … 0 is scaled to
    -2 … 2. Padding and digital silence lie at the floor.
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
        limits.check_transform(self.n_fft, self.hop, self.n_mels)
        limits.check_seconds("margin", self.margin)
        limits.check_hertz("fmax", self.fmax)

    def shape(self, rate: int, window: float) -> tuple[int, ...]:
        """Return (frames with padding, bands)."""
        return round(window * rate / self.hop) + 1, self.n_mels

    def spectrum_shape(self, rate: int, window: float) -> tuple[int, int]:
        """Return (frames, bins) of the spectrum of a window."""
        return round(window * rate) // self.hop + 1, self.n_fft // 2 + 1

    def names(self) -> tuple[str, ...]:
        """Return the names of the mel bands."""
        return tuple(f"mel_{band}" for band in range(self.n_mels))

    def compute(self, samples: Float32, rate: int, window: float) -> Float32:
        """Return the log-mel spectrogram, (frames, n_mels)."""
        spectrum = Spectrum(
            samples, rate=rate, n_fft=self.n_fft, hop=self.hop, win_length=self.win_length
        )
        power = spectrum.power_of(self._candidates(spectrum))
        speech = power[self._speech(spectrum, power)]
        mel = mel_bands(speech, rate, self.n_mels, self.fmin, self.fmax)
        logmel = np.full(self.shape(rate, window), self.floor_db, dtype=np.float32)
        # Without any band above the minimum, normalising would lift silence to 0 dB.
        if mel.max() > MIN_POWER:
            # `range_db=None`: the floor is relative to the normalised level, not to the maximum.
            level = _normalise_level(decibels(mel, range_db=None))[: len(logmel)]
            np.maximum(level, self.floor_db, out=logmel[: len(level)])
        middle = self.floor_db / 2
        logmel -= middle
        logmel /= -middle / 2
        return logmel

    def _candidates(self, spectrum: Spectrum) -> slice:
        """Return frames that hold all loud ones and their margins, at a fraction of a transform.

        The others, silence before and after the speech, need not be transformed.
        """
        upper = frame_energies(spectrum) * (self.n_fft * _ROUNDING)
        loudest = int(upper.argmax())
        # The energy of the loudest frame is at least that of this one.
        lower = self._energies(spectrum, spectrum.power_of(slice(loudest, loudest + 1)))[0]
        return self._with_margins(spectrum, upper >= lower * self._loud_share)

    def _speech(self, spectrum: Spectrum, power: Float32) -> slice:
        """Return the frames from the first loud one to the last, margins included."""
        energy = self._energies(spectrum, power)
        return self._with_margins(spectrum, energy >= energy.max() * self._loud_share)

    def _energies(self, spectrum: Spectrum, power: Float32) -> Float32:
        # Only the bins that the filters cover: a constant offset or hum below `fmin` would make
        # every frame loud, and nothing would be trimmed.
        in_band = (spectrum.frequencies >= self.fmin) & (spectrum.frequencies <= self.fmax)
        energies: Float32 = power @ in_band.astype(np.float32)
        return energies

    @property
    def _loud_share(self) -> float:
        return float(10 ** (-self.trim_db / 10))

    def _with_margins(self, spectrum: Spectrum, is_loud: Bool) -> slice:
        loud = np.flatnonzero(is_loud)
        margin = round(self.margin * spectrum.rate / self.hop)
        return slice(max(0, int(loud[0]) - margin), int(loud[-1]) + margin + 1)


def _normalise_level(level: Float32) -> Float32:
    """Shift decibels so that the loudest quarter of the frames' maxima has the mean 0.

    A mean over many frames, because a click or a single shouted vowel sets the maximum alone.
    """
    loudest_first = np.sort(level.max(axis=1))[::-1]
    quarter = (len(loudest_first) + 3) // 4
    normalised: Float32 = level - loudest_first[:quarter].mean()
    return normalised
