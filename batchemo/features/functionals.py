"""Statistics over a window of level, voicing, timbre and prosody: one vector of 267 numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from batchemo.common.arrays import Bool, Float32
from batchemo.features import limits, prosody, statistics, timbre
from batchemo.features.f0 import REFERENCE_HZ, PitchTrack, PowerFrames, track_pitch
from batchemo.features.mel import dct_matrix, decibels, mel_bands
from batchemo.features.spectrum import MAX_AMPLITUDE, Spectrum

_HARMONIC_STATISTICS = ("mean", "spread")
_PEAK_SECONDS = 0.1
"""How much of the loudest signal sets what is audible: longer than a click."""
_LOUD_SHARE = 0.25
"""The share of the frames, the loudest, whose mean level is 0 dB."""
_MIN_LEVEL_DB = -60.0
_LOWEST_HZ = 10.0
"""Below any voice; the periods of lower frequencies are longer than windows."""
# A signal that varies by less than this part of its constant offset is the rounding error of
# subtracting that offset in single precision, not sound.
_ROUNDING = 1e-5


@dataclass(frozen=True, slots=True)
class Functionals:
    """Statistics of level, voicing, cepstra and timbre, of harmonics, intonation and rhythm.

    Over the frames within `sound_db` of the loudest 0.1 s. The values do not depend on how loud
    the window is.
    """

    kind: ClassVar[str] = "functionals"
    version: ClassVar[int] = 1

    n_mels: int = 26
    n_cepstra: int = 8
    fmin: float = 50.0
    fmax: float = 8000.0
    n_fft: int = 1024
    win_length: int = 640
    hop: int = 160
    sound_db: float = 30.0
    lowest_pitch: float = 60.0
    highest_pitch: float = 500.0

    def __post_init__(self) -> None:
        if not (64 <= self.win_length <= self.n_fft and self.n_fft % 2 == 0 and self.hop > 0):
            raise ValueError("win_length must lie in 64 … n_fft, n_fft be even, hop above 0")
        if not 0 < self.n_cepstra < self.n_mels:
            raise ValueError(f"n_cepstra={self.n_cepstra} must lie in 1 … n_mels-1")
        if not (0 <= self.fmin < self.fmax and self.sound_db > 0):
            raise ValueError("fmin must lie below fmax, and sound_db above 0")
        if not _LOWEST_HZ < self.lowest_pitch < self.highest_pitch:
            raise ValueError(f"lowest_pitch must lie above {_LOWEST_HZ:g}, below highest_pitch")
        limits.check_transform(self.n_fft, self.hop, self.n_mels)
        limits.check_hertz("fmax", self.fmax)
        limits.check_hertz("highest_pitch", self.highest_pitch)

    def shape(self, rate: int, window: float) -> tuple[int, ...]:
        """Return (columns,)."""
        return (len(self.names()),)

    def spectrum_shape(self, rate: int, window: float) -> tuple[int, int]:
        """Return (frames, bins) of the spectrum of a window."""
        return round(window * rate) // self.hop + 1, self.n_fft // 2 + 1

    def names(self) -> tuple[str, ...]:
        """Return the column names: a track and a statistic of it; then intonation and rhythm."""
        cepstra = (f"cepstrum_{number}" for number in range(1, self.n_cepstra + 1))
        tracks = ("level", "voicing", *cepstra, *timbre.NAMES)
        harmonics = tuple(f"harmonic_{number}" for number in range(1, timbre.N_HARMONICS + 1))
        return (
            *(f"{track}_{name}" for name in (*statistics.NAMES, "voiced") for track in tracks),
            *(f"{track}_{name}" for name in _HARMONIC_STATISTICS for track in harmonics),
            *prosody.INTONATION_NAMES,
            *prosody.RHYTHM_NAMES,
        )

    def compute(self, samples: Float32, rate: int, window: float) -> Float32:
        """Return the vector, (columns,); all 0 where there is no sound."""
        normalised = _normalise(samples)
        if normalised is None:
            return np.zeros(self.shape(rate, window), np.float32)
        sound = self._analyse(normalised, rate)
        # Without a voice, as in whispering, the audible frames stand for the voiced ones.
        voiced = sound.voice.voiced if sound.voice.voiced.any() else sound.audible
        columns = [
            statistics.statistics(sound.tracks, sound.audible).ravel(),
            sound.tracks[voiced].mean(axis=0),
            _harmonic_statistics(sound),
            prosody.intonation(sound.voice, sound.level),
            prosody.rhythm(sound.voice.voiced, sound.level, rate / self.hop),
        ]
        return np.concatenate(columns).astype(np.float32)

    def _analyse(self, samples: Float32, rate: int) -> _Sound:
        spectrum = Spectrum(
            samples, rate=rate, n_fft=self.n_fft, hop=self.hop, win_length=self.win_length
        )
        # Bins below fmin hold hum and the rest of an offset: they must not make a frame audible.
        in_band = (spectrum.frequencies >= self.fmin).astype(np.float32)
        level = decibels(spectrum.power @ in_band, range_db=None)
        threshold = _mean_of_loudest(level, round(_PEAK_SECONDS * rate / self.hop)) - self.sound_db
        first, last = np.flatnonzero(level > threshold)[[0, -1]]
        span = slice(first, last + 1)

        frames = PowerFrames(spectrum.power[span] * in_band, rate, self.win_length)
        audible = level[span] > threshold
        voice = track_pitch(frames, audible, self.lowest_pitch, self.highest_pitch)
        mel = mel_bands(spectrum.power[span], rate, self.n_mels, self.fmin, self.fmax)
        # The cepstrum of order 0 is the level, which is a track already.
        cepstra = decibels(mel) @ dct_matrix(self.n_mels, self.n_cepstra + 1)[:, 1:]
        loudest = _mean_of_loudest(level[span], round(_LOUD_SHARE * len(audible)))
        level = np.maximum(level[span] - loudest, _MIN_LEVEL_DB)
        single = np.stack([level, voice.strength], axis=1)
        tracks = np.concatenate([single, cepstra, timbre.timbre(frames.power, rate)], axis=1)
        return _Sound(frames, audible, level, voice, tracks)


@dataclass(frozen=True, slots=True)
class _Sound:
    """A window from its first audible frame to its last."""

    frames: PowerFrames
    audible: Bool
    level: Float32
    """In dB, with mean 0 over the loudest quarter of the frames."""
    voice: PitchTrack
    tracks: Float32
    """Level, voicing, cepstra and timbre of each frame, (frames, tracks)."""


def _harmonic_statistics(sound: _Sound) -> Float32:
    """Return mean and spread of each harmonic over the voiced frames; 0 without any."""
    voiced = sound.voice.voiced
    if not voiced.any():
        return np.zeros(len(_HARMONIC_STATISTICS) * timbre.N_HARMONICS, np.float32)
    hertz = np.float32(REFERENCE_HZ) * np.exp2(sound.voice.pitch[voiced] / 12)
    bin_width = sound.frames.rate / sound.frames.n_fft
    levels = timbre.harmonics(sound.frames.power[voiced], hertz, bin_width)
    return np.concatenate(statistics.mean_and_spread(levels))


def _normalise(samples: Float32) -> Float32 | None:
    """Return the samples without their offset, scaled to a maximum of 1; None if all are equal."""
    clipped = np.clip(samples, -MAX_AMPLITUDE, MAX_AMPLITUDE, dtype=np.float32)
    centred: Float32 = clipped - clipped.mean()
    peak = float(np.abs(centred).max())
    if peak <= _ROUNDING * float(np.abs(clipped).max()):
        return None
    centred /= np.float32(peak)
    return centred


def _mean_of_loudest(level: Float32, frames: int) -> float:
    """Return the mean level of the loudest frames, of one at least."""
    return float(np.sort(level)[-max(1, frames) :].mean())
