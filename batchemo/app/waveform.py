"""The waveform of a recording, reduced to what can be drawn: a minimum and a maximum per bin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from batchemo.app.spectrogram import Spectrogram, SpectrogramAccumulator
from batchemo.audio.decode import mix, open_decoder
from batchemo.audio.file import open_audio
from batchemo.common.arrays import Float32

MAX_BINS = 1_000
"""The chart is less than a thousand pixels wide: more bins would not be visible."""
_FIRST_BIN_SAMPLES = 64


@dataclass(frozen=True, slots=True, eq=False)
class Waveform:
    """The lowest and the highest sample of each bin of a recording."""

    bin_seconds: float
    """The length of one bin; the last one may be shorter."""
    minima: Float32
    maxima: Float32

    @property
    def seconds(self) -> float:
        """The length of all bins: that of the recording, but for a part of the last bin."""
        return len(self.minima) * self.bin_seconds


def read_pictures(path: str) -> tuple[Waveform, Spectrogram | None]:
    """Decode a recording from end to end; return its waveform and spectrogram, in bounded memory.

    Raises `Failure` for a recording that cannot be decoded: call it after a successful analysis.
    """
    with open_audio(path) as file:
        decoder = open_decoder(file)
        try:
            waveform = WaveformAccumulator()
            spectrogram = SpectrogramAccumulator(decoder.sample_rate)
            for frames in decoder.blocks():
                samples = mix(frames)
                waveform.update(samples)
                spectrogram.update(samples)
        finally:
            decoder.close()
    return waveform.waveform(decoder.sample_rate), spectrogram.spectrogram()


class WaveformAccumulator:
    """Accumulates the minima and maxima of a stream of samples.

    The length of the stream is unknown until its end, because headers cannot be trusted. So bins
    start small, and whenever there are too many, neighbours are merged in pairs.
    """

    def __init__(self) -> None:
        self._bin_samples = _FIRST_BIN_SAMPLES
        self._remainder = np.zeros(0, np.float32)
        self._minima = np.zeros(0, np.float32)
        self._maxima = np.zeros(0, np.float32)

    def update(self, samples: Float32) -> None:
        """Add the next samples of the recording."""
        samples = np.concatenate([self._remainder, samples])
        complete = len(samples) - len(samples) % self._bin_samples
        self._append(samples[:complete].reshape(-1, self._bin_samples))
        # A copy, since a view would keep the whole block alive.
        self._remainder = samples[complete:].copy()
        while len(self._minima) > 2 * MAX_BINS:
            self._merge_pairs()

    def waveform(self, sample_rate: int) -> Waveform:
        """Return the waveform of all samples; call it once, at the end."""
        while len(self._minima) > MAX_BINS:
            self._merge_pairs()
        if len(self._remainder):
            self._append(self._remainder[None])
            self._remainder = self._remainder[:0]
        return Waveform(self._bin_samples / sample_rate, self._minima, self._maxima)

    def _append(self, bins: Float32) -> None:
        self._minima = np.concatenate([self._minima, bins.min(axis=1)])
        self._maxima = np.concatenate([self._maxima, bins.max(axis=1)])

    def _merge_pairs(self) -> None:
        """Double the bin length.

        Of an odd number of bins the last one counts as a whole bin, so that later samples are drawn
        up to half a bin too late. Over all merges this is less than one bin, which is not visible.
        """
        self._bin_samples *= 2
        firsts = np.arange(0, len(self._minima), 2)
        self._minima = np.minimum.reduceat(self._minima, firsts)
        self._maxima = np.maximum.reduceat(self._maxima, firsts)
