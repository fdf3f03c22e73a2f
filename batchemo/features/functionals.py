"""Statistics over a window of what speech is like from moment to moment: one vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from batchemo.common.arrays import Bool, Float32
from batchemo.features import prosody, statistics, timbre
from batchemo.features.f0 import (
    REFERENCE_HZ,
    PowerFrames,
    PitchTrack,
    track_pitch,
)
from batchemo.features.mel import cosines, decibels, mel_bands
from batchemo.features.spectrum import LOUDEST, Spectrum

_VOICED = ("mean", "spread")
_PEAK = 0.1
"""Seconds that set what is audible: longer than a click."""
_LOUD_SHARE = 0.25
_FAINTEST = -60.0
# Less than this part of a signal's offset is nothing but the rounding of its subtraction.
_ROUNDING = 1e-5


@dataclass(frozen=True, slots=True)
class Functionals:
    """Statistics of level, voicing, cepstra and timbre, of harmonics, melody and rhythm.

    Over the frames within `sound_db` of the loudest 0.1 s; nothing tells how loud the window is.
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
        if not 0 < self.lowest_pitch < self.highest_pitch:
            raise ValueError("lowest_pitch must lie above 0 and below highest_pitch")

    def shape(self, rate: int, window: float) -> tuple[int, ...]:
        """The columns."""
        return (len(self.names()),)

    def names(self) -> tuple[str, ...]:
        """The columns: a track and a statistic of it; then melody and rhythm."""
        tracks = ("level", "voicing", *self._cepstra(), *timbre.NAMES)
        heights = tuple(f"harmonic_{number}" for number in range(1, timbre.HARMONICS + 1))
        return (
            *(f"{track}_{name}" for name in (*statistics.NAMES, "voiced") for track in tracks),
            *(f"{track}_{name}" for name in _VOICED for track in heights),
            *prosody.INTONATION_NAMES,
            *prosody.RHYTHM_NAMES,
        )

    def compute(self, samples: Float32, rate: int, window: float) -> Float32:
        """The vector, (columns,); all 0 where there is no sound at all."""
        full_scale = _at_full_scale(samples)
        if full_scale is None:
            return np.zeros(self.shape(rate, window), np.float32)
        sound = self._sound(full_scale, rate)
        where = sound.voice.voiced if sound.voice.voiced.any() else sound.audible
        columns = [
            statistics.statistics(sound.tracks, sound.audible).ravel(),
            sound.tracks[where].mean(axis=0),
            _harmonics(sound),
            prosody.intonation(sound.voice, sound.level),
            prosody.rhythm(sound.voice.voiced, sound.level, rate / self.hop),
        ]
        return np.concatenate(columns).astype(np.float32)

    def _cepstra(self) -> tuple[str, ...]:
        return tuple(f"cepstrum_{number}" for number in range(1, self.n_cepstra + 1))

    def _sound(self, samples: Float32, rate: int) -> _Sound:
        spectrum = Spectrum(
            samples, rate=rate, n_fft=self.n_fft, hop=self.hop, win_length=self.win_length
        )
        heard = (spectrum.frequencies >= self.fmin).astype(np.float32)
        level = decibels(spectrum.power @ heard, range_db=None)
        threshold = _loudest(level, round(_PEAK * rate / self.hop)) - self.sound_db
        ends = np.flatnonzero(level > threshold)[[0, -1]]
        span = slice(ends[0], ends[1] + 1)

        frames = PowerFrames(spectrum.power[span] * heard, rate, self.win_length)
        audible = level[span] > threshold
        voice = track_pitch(frames, audible, self.lowest_pitch, self.highest_pitch)
        mel = mel_bands(spectrum.power[span], rate, self.n_mels, self.fmin, self.fmax)
        cepstra = decibels(mel) @ cosines(self.n_mels, self.n_cepstra + 1)[:, 1:]
        loudest = _loudest(level[span], round(_LOUD_SHARE * len(audible)))
        level = np.maximum(level[span] - loudest, _FAINTEST)
        single = np.stack([level, voice.strength], axis=1)
        tracks = np.concatenate([single, cepstra, timbre.timbre(frames.power, rate)], axis=1)
        return _Sound(frames, audible, level, voice, tracks)


@dataclass(frozen=True, slots=True)
class _Sound:
    """A window from its first audible frame to its last."""

    frames: PowerFrames
    audible: Bool
    level: Float32
    """In dB, 0 in the mean over the loudest quarter of the frames."""
    voice: PitchTrack
    tracks: Float32
    """All that is told of every audible frame, (frames, tracks)."""


def _harmonics(sound: _Sound) -> Float32:
    """The mean and the spread of each harmonic over the frames with a voice; 0 without any."""
    voiced = sound.voice.voiced
    if not voiced.any():
        return np.zeros(len(_VOICED) * timbre.HARMONICS, np.float32)
    hertz = np.float32(REFERENCE_HZ) * np.exp2(sound.voice.pitch[voiced] / 12)
    bin_width = sound.frames.rate / sound.frames.n_fft
    heights = timbre.harmonics(sound.frames.power[voiced], hertz, bin_width)
    return np.concatenate(statistics.mean_and_spread(heights))


def _at_full_scale(samples: Float32) -> Float32 | None:
    """The samples without their offset, the largest 1; nothing if they are all the same."""
    held = np.clip(samples, -LOUDEST, LOUDEST, dtype=np.float32)
    centred: Float32 = held - held.mean()
    peak = float(np.abs(centred).max())
    if peak <= _ROUNDING * float(np.abs(held).max()):
        return None
    centred /= np.float32(peak)
    return centred


def _loudest(level: Float32, frames: int) -> float:
    """The mean level of that many frames, at least one: the loudest."""
    return float(np.sort(level)[-max(1, frames) :].mean())
