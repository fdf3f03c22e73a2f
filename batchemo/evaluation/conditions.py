"""Recording conditions: the same recordings as a telephone, a noisy room or a codec gives them.

Models are tested under these conditions and never trained with them: augmentations (see
`batchemo.training.data.augment_audio`) are other transforms. The outcome depends on the recording
and the condition alone. All conditions are computed: no music was played in a room and no child
was recorded, and `CONDITION_DESCRIPTIONS` says so of each.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from batchemo.common.arrays import Float32
from batchemo.errors import BatchemoError, UsageError

SignalTransform: TypeAlias = Callable[[Float32, int, np.random.Generator], Float32]
"""(signal, rate, random) → the changed signal, as long as the given one."""

_MP3_RATE = 44100
_CHILD_PITCH = 2 ** (6 / 12)
_STRETCHED_FRAME = 512
"""Samples below which the phase vocoder of librosa 1.0 gives NaN; recordings are longer."""
_REVERBERATION_SECONDS = 0.6
_PITCHES = 110 * 2 ** (np.arange(24) / 12)
_CHORDS = ((0, 4, 7), (0, 3, 7))
"""A major and a minor triad, in semitones above the root."""


def telephone(signal: Float32, rate: int, random: np.random.Generator) -> Float32:
    """Limit a signal to a fixed line: 300 to 3400 Hz, 8000 samples a second of 8 bits (G.711)."""
    import soxr
    from scipy.signal import butter, sosfilt

    # Lines are driven at a usual level, whatever that of the recording: a low level is another
    # condition. Half of full scale leaves room for what the filter overshoots.
    scale = 2 * float(np.abs(signal).max(initial=0.0)) or 1.0
    narrow = soxr.resample(signal / scale, rate, 8000)
    narrow = sosfilt(butter(4, (300, 3400), "bandpass", fs=8000, output="sos"), narrow)
    received = _mu_law_round_trip(np.clip(narrow, -1, 1)) * scale
    return fit_length(signal, soxr.resample(received, 8000, rate))


def pink_noise(decibels: float) -> SignalTransform:
    """Return a transform that adds pink noise, this many decibels below the speech."""

    def add_noise(signal: Float32, rate: int, random: np.random.Generator) -> Float32:
        noise = np.fft.rfft(random.standard_normal(len(signal)))
        frequencies = np.fft.rfftfreq(len(signal), 1 / rate)
        # Flat below 100 Hz: else most of the power would lie where no speech is.
        pink = np.fft.irfft(noise / np.sqrt(np.maximum(frequencies, 100)), len(signal))
        return _mix_below_speech(signal, pink, rate, decibels)

    return add_noise


def low_level(signal: Float32, rate: int, random: np.random.Generator) -> Float32:
    """Reduce the level by 20 dB and quantise to 16 bits."""
    quiet: Float32 = (np.rint(signal * np.float32(3276.8)) / 32768).astype(np.float32)
    return quiet


def mp3(signal: Float32, rate: int, random: np.random.Generator) -> Float32:
    """Encode as MP3, in mono at 44.1 kHz, and decode again."""
    import soundfile
    import soxr

    if "MP3" not in soundfile.available_formats():
        raise BatchemoError(
            f"the condition mp3 needs a libsndfile that writes MP3 (1.1 or newer), this one is"
            f" {soundfile.__libsndfile_version__}: pip install -U soundfile, or leave mp3 out"
        )
    encoded = io.BytesIO()
    soundfile.write(encoded, soxr.resample(signal, rate, _MP3_RATE), _MP3_RATE, format="MP3")
    encoded.seek(0)
    decoded, _ = soundfile.read(encoded, dtype="float32")
    return fit_length(signal, soxr.resample(decoded, _MP3_RATE, rate))


def background_music(signal: Float32, rate: int, random: np.random.Generator) -> Float32:
    """Add synthetic plucked chords, one a second, 10 dB below the speech."""
    time = np.arange(rate) / rate
    music = []
    for _ in range(len(signal) // rate + 1):
        root, chord = random.integers(12), _CHORDS[random.integers(len(_CHORDS))]
        tones = (
            np.sin(2 * np.pi * harmonic * pitch * time) / harmonic
            for pitch in _PITCHES[root + np.array(chord)]
            for harmonic in range(1, 9)
        )
        music.append(sum(tones) * np.exp(-1.5 * time))
    return _mix_below_speech(signal, np.concatenate(music)[: len(signal)], rate, 10)


def child_voice(signal: Float32, rate: int, random: np.random.Generator) -> Float32:
    """Raise pitch and formants by six semitones, at the same tempo."""
    import soxr

    # Played faster, pitch and formants rise together; stretching restores the tempo alone.
    higher = soxr.resample(signal, rate * _CHILD_PITCH, rate)
    return fit_length(signal, change_tempo(higher, 1 / _CHILD_PITCH))


def change_tempo(signal: Float32, factor: float) -> Float32:
    """Return the signal faster, or slower below 1; the pitch stays."""
    from librosa.effects import time_stretch

    stretched: Float32 = time_stretch(at_least_a_frame(signal), rate=factor)
    return stretched[: max(1, round(len(signal) / factor))]


def at_least_a_frame(signal: Float32) -> Float32:
    """Return the signal, followed by silence if librosa 1.0 would make NaN of it: too short."""
    return np.pad(signal, (0, max(0, _STRETCHED_FRAME - len(signal))))


def reverberation(signal: Float32, rate: int, random: np.random.Generator) -> Float32:
    """Add echoes with as much energy as the direct sound, 60 dB lower after 0.6 s."""
    from scipy.signal import fftconvolve

    time = np.arange(round(_REVERBERATION_SECONDS * rate)) / rate
    impulse_response = random.standard_normal(len(time))
    impulse_response *= 10 ** (-3 * time / _REVERBERATION_SECONDS)
    impulse_response /= np.linalg.norm(impulse_response)
    impulse_response[0] = 1.0
    return fit_length(signal, fftconvolve(signal, impulse_response))


CONDITIONS: Mapping[str, SignalTransform] = {
    "telephone": telephone,
    "noise20": pink_noise(20),
    "noise10": pink_noise(10),
    "noise0": pink_noise(0),
    "level": low_level,
    "mp3": mp3,
    "music": background_music,
    "child": child_voice,
    "reverb": reverberation,
}
"""The recording conditions by name, in the order in which they are reported."""

CONDITION_DESCRIPTIONS: Mapping[str, str] = {
    "telephone": "telephone band (300 to 3400 Hz, 8 kHz, μ-law)",
    "noise20": "pink noise, 20 dB below the speech",
    "noise10": "pink noise, 10 dB below the speech",
    "noise0": "pink noise, as loud as the speech",
    "level": "20 dB quieter, 16 bits",
    "mp3": "MP3, mono, 44.1 kHz, about 50 kbit/s (VBR)",
    "music": "synthetic chords, 10 dB below the speech",
    "child": "the same voices six semitones up: a synthetic stand-in, no child was recorded",
    "reverb": "synthetic reverberation: 0.6 s of echoes as strong as the voice",
}
"""What each condition does to the signal, for readers of the figures."""


def check_conditions(names: Sequence[str]) -> None:
    """Raise a UsageError unless each name is a condition."""
    for name in names:
        if name not in CONDITIONS:
            raise UsageError(f"no condition is called {name!r}; there are: {', '.join(CONDITIONS)}")


def fit_length(signal: Float32, changed: npt.NDArray[np.floating]) -> Float32:
    """Cut a changed signal to the length of the original, or pad it with zeros.

    >>> fit_length(np.zeros(3, np.float32), np.ones(2)).tolist()
    [1.0, 1.0, 0.0]
    """
    fitted = np.zeros(len(signal), np.float32)
    kept = changed[: len(signal)]
    fitted[: len(kept)] = kept
    return fitted


def _mix_below_speech(
    signal: Float32, other: npt.NDArray[np.float64], rate: int, decibels: float
) -> Float32:
    """Add another sound at a level relative to the speech in the signal."""
    power = float(np.mean(other**2)) or 1.0
    gain = np.sqrt(_speech_power(signal, rate) / power) * 10 ** (-decibels / 20)
    mixed: Float32 = (signal + gain * other).astype(np.float32)
    return mixed


def _speech_power(signal: Float32, rate: int) -> float:
    """Return the mean power of the frames of 20 ms within 30 dB of the loudest.

    Pauses are left out: else a recording with more of them would get less noise.
    """
    frame = max(1, min(len(signal), rate // 50))
    frames = signal[: len(signal) // frame * frame].reshape(-1, frame)
    powers = np.mean(np.square(frames, dtype=np.float64), axis=1)
    return float(powers[powers >= 1e-3 * powers.max()].mean())


def _mu_law_round_trip(narrow: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Encode in eight bits by the μ-law and decode again."""
    encoded = np.sign(narrow) * np.log1p(255 * np.abs(narrow)) / np.log(256)
    encoded = np.rint(encoded * 127) / 127
    decoded: npt.NDArray[np.float64] = (
        np.sign(encoded) * np.expm1(np.abs(encoded) * np.log(256)) / 255
    )
    return decoded
