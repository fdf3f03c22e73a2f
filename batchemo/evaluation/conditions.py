"""Recordings as other places, lines and machines would give them: what a net is tested under.

No net learns from these. Like a copy to learn from (see `copies`), a recording under a condition
depends on the recording and the condition alone. All of it is made: no music was played in a room
and no child was asked, and each condition says so in `TOLD`.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from batchemo.common.arrays import Float32
from batchemo.errors import BatchemoError, UsageError

_MP3_RATE = 44100
_CHILD = 2 ** (6 / 12)
_HALL_SECONDS = 0.6
_PITCHES = 110 * 2 ** (np.arange(24) / 12)
_CHORDS = ((0, 4, 7), (0, 3, 7))


def telephone(signal: Float32, rate: int, random: np.random.Generator) -> Float32:
    """What a fixed line leaves: 300 to 3400 Hz, 8000 samples a second, eight bits each (G.711)."""
    import soxr
    from scipy.signal import butter, sosfilt

    # As loud as lines are driven; the level itself is another condition.
    loudest = 2 * float(np.abs(signal).max(initial=0.0)) or 1.0
    narrow = soxr.resample(signal / loudest, rate, 8000)
    narrow = sosfilt(butter(4, (300, 3400), "bandpass", fs=8000, output="sos"), narrow)
    sent = _through_mu_law(np.clip(narrow, -1, 1)) * loudest
    return fit_length(signal, soxr.resample(sent, 8000, rate))


def pink_noise(decibels: float) -> SignalTransform:
    """Pink noise, flat below 100 Hz, at so many decibels under the speech."""

    def hear(signal: Float32, rate: int, random: np.random.Generator) -> Float32:
        noise = np.fft.rfft(random.standard_normal(len(signal)))
        frequencies = np.fft.rfftfreq(len(signal), 1 / rate)
        pink = np.fft.irfft(noise / np.sqrt(np.maximum(frequencies, 100)), len(signal))
        return _below(signal, pink, rate, decibels)

    return hear


def quieter(signal: Float32, rate: int, random: np.random.Generator) -> Float32:
    """A tenth of the amplitude, in steps of 16 bits."""
    quiet: Float32 = (np.rint(signal * np.float32(3276.8)) / 32768).astype(np.float32)
    return quiet


def mp3(signal: Float32, rate: int, random: np.random.Generator) -> Float32:
    """Coded as MP3, in mono at 44.1 kHz, and decoded again."""
    import soundfile
    import soxr

    if "MP3" not in soundfile.available_formats():
        raise BatchemoError(
            f"the condition mp3 needs a libsndfile that writes MP3 (1.1 or newer), this one is"
            f" {soundfile.__libsndfile_version__}: pip install -U soundfile, or leave mp3 out"
        )
    coded = io.BytesIO()
    played = soxr.resample(signal, rate, _MP3_RATE)
    soundfile.write(coded, played, _MP3_RATE, format="MP3")
    coded.seek(0)
    decoded, _ = soundfile.read(coded, dtype="float32")
    return fit_length(signal, soxr.resample(decoded, _MP3_RATE, rate))


def background_music(signal: Float32, rate: int, random: np.random.Generator) -> Float32:
    """A bed of plucked chords, one a second, 10 dB under the speech."""
    time = np.arange(rate) / rate
    bed = []
    for _ in range(len(signal) // rate + 1):
        root, chord = random.integers(12), _CHORDS[random.integers(len(_CHORDS))]
        tones = (
            np.sin(2 * np.pi * harmonic * pitch * time) / harmonic
            for pitch in _PITCHES[root + np.array(chord)]
            for harmonic in range(1, 9)
        )
        bed.append(sum(tones) * np.exp(-1.5 * time))
    return _below(signal, np.concatenate(bed)[: len(signal)], rate, 10)


def raised_voice(signal: Float32, rate: int, random: np.random.Generator) -> Float32:
    """Pitch and formants six semitones up, at the same tempo."""
    import soxr
    from librosa.effects import time_stretch

    higher = soxr.resample(signal, rate * _CHILD, rate)
    return fit_length(signal, time_stretch(higher, rate=1 / _CHILD))


def reverberation(signal: Float32, rate: int, random: np.random.Generator) -> Float32:
    """Echoes with as much energy as what comes straight, 60 dB lower after 0.6 s."""
    from scipy.signal import fftconvolve

    time = np.arange(round(_HALL_SECONDS * rate)) / rate
    echoes = random.standard_normal(len(time)) * 10 ** (-3 * time / _HALL_SECONDS)
    echoes /= np.linalg.norm(echoes)
    echoes[0] = 1.0
    return fit_length(signal, fftconvolve(signal, echoes))


CONDITIONS: Mapping[str, SignalTransform] = {
    "telephone": telephone,
    "noise20": pink_noise(20),
    "noise10": pink_noise(10),
    "noise0": pink_noise(0),
    "level": quieter,
    "mp3": mp3,
    "music": background_music,
    "child": raised_voice,
    "reverb": reverberation,
}
"""How recordings are heard otherwise, by name."""

CONDITION_DESCRIPTIONS: Mapping[str, str] = {
    "telephone": "telephone band (300 to 3400 Hz, 8 kHz, μ-law)",
    "noise20": "pink noise, 20 dB under the speech",
    "noise10": "pink noise, 10 dB under the speech",
    "noise0": "pink noise, as loud as the speech",
    "level": "20 dB quieter, 16 bits",
    "mp3": "MP3, mono, 44.1 kHz, about 50 kbit/s (VBR)",
    "music": "made chords, 10 dB under the speech",
    "child": "the same voices six semitones up: a made stand-in for a child, no child was heard",
    "reverb": "a made hall: 0.6 s of echoes as strong as the voice",
}
"""What was done under each condition, for those who read the figures."""


def check_conditions(names: Sequence[str]) -> None:
    """Raise a UsageError unless each name is a condition."""
    for name in names:
        if name not in CONDITIONS:
            raise UsageError(f"no condition is called {name!r}; there are: {', '.join(CONDITIONS)}")


def _below(signal: Float32, other: npt.NDArray[np.float64], rate: int, decibels: float) -> Float32:
    """The signal with another sound, so many decibels under the speech."""
    power = float(np.mean(other**2)) or 1.0
    gain = np.sqrt(_speech_power(signal, rate) / power) * 10 ** (-decibels / 20)
    mixed: Float32 = (signal + gain * other).astype(np.float32)
    return mixed


def _speech_power(signal: Float32, rate: int) -> float:
    """The mean power where somebody speaks: within 30 dB of the loudest 20 ms."""
    frame = max(1, min(len(signal), rate // 50))
    frames = signal[: len(signal) // frame * frame].reshape(-1, frame)
    powers = np.mean(np.square(frames, dtype=np.float64), axis=1)
    return float(powers[powers >= 1e-3 * powers.max()].mean())


def _through_mu_law(narrow: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Coded in eight bits and decoded."""
    coded = np.sign(narrow) * np.log1p(255 * np.abs(narrow)) / np.log(256)
    coded = np.rint(coded * 127) / 127
    decoded: npt.NDArray[np.float64] = np.sign(coded) * np.expm1(np.abs(coded) * np.log(256)) / 255
    return decoded


SignalTransform: TypeAlias = Callable[[Float32, int, np.random.Generator], Float32]
"""(signal, rate, random) → the signal as it might have been recorded otherwise."""


def fit_length(signal: Float32, changed: npt.NDArray[np.floating]) -> Float32:
    """What was made of a signal, cut or padded to its length.

    >>> fit_length(np.zeros(3, np.float32), np.ones(2)).tolist()
    [1.0, 1.0, 0.0]
    """
    whole = np.zeros(len(signal), np.float32)
    heard = changed[: len(signal)]
    whole[: len(heard)] = heard
    return whole
