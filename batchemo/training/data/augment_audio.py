"""Augmented copies of a recording: noise, pitch, tempo, rooms, telephones."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from batchemo.common.arrays import Float32, Float64
from batchemo.errors import UsageError
from batchemo.evaluation.conditions import CONDITIONS, SignalTransform, fit_length

_LINE_RATE = 8000


def in_a_room(signal: Float32, rate: int, random: np.random.Generator) -> Float32:
    """The recording in some room, through some microphone, with some noise."""
    from scipy.signal import butter, fftconvolve, sosfilt

    decay = random.uniform(0.1, 0.5)
    time = np.arange(round(decay * rate)) / rate
    echoes = random.normal(size=len(time)) * 10 ** (-3 * time / decay)
    echoes *= random.uniform(0.2, 0.8) / np.linalg.norm(echoes)
    echoes[0] = 1
    heard = fftconvolve(signal, echoes)[: len(signal)]
    low, high = random.uniform(40, 300), random.uniform(0.4, 0.95) * rate / 2
    heard = sosfilt(butter(1, [low, high], "bandpass", fs=rate, output="sos"), heard)
    return _with_noise(heard, 8, 30, random)


def by_phone(signal: Float32, rate: int, random: np.random.Generator) -> Float32:
    """The recording through a narrow band with steep ends, with little noise."""
    from scipy.signal import butter, sosfilt

    low, high = random.uniform(150, 400), min(random.uniform(2800, 4000), 0.45 * rate)
    heard = sosfilt(butter(4, [low, high], "bandpass", fs=rate, output="sos"), signal)
    return _with_noise(heard, 15, 40, random)


def over_a_line(signal: Float32, rate: int, random: np.random.Generator) -> Float32:
    """The recording, noise and all, through a line that lets nothing pass outside its band."""
    import soxr
    from scipy.signal import butter, sosfilt

    heard = _with_noise(signal.astype(np.float64), 10, 40, random)
    low, high = random.uniform(150, 400), random.uniform(2800, 3800)
    # Nothing is left of a signal that is shorter than one sample of the line.
    narrow = soxr.resample(np.pad(heard, (0, rate // 100)), rate, _LINE_RATE)
    steep = butter(random.integers(2, 6), [low, high], "bandpass", fs=_LINE_RATE, output="sos")
    return fit_length(signal, soxr.resample(sosfilt(steep, narrow), _LINE_RATE, rate))


def in_noise(signal: Float32, rate: int, random: np.random.Generator) -> Float32:
    """The recording in noise, some of it loud."""
    return _with_noise(signal.astype(np.float64), 5, 30, random)


def _with_noise(heard: Float64, least: float, most: float, random: np.random.Generator) -> Float32:
    """What is heard, with noise that lies so many decibels below it, drawn evenly."""
    loudness = np.sqrt(np.mean(heard**2))
    noise = _coloured_noise(len(heard), random)
    heard = heard + noise * loudness * 10 ** (-random.uniform(least, most) / 20)
    return heard.astype(np.float32)


def _coloured_noise(length: int, random: np.random.Generator) -> Float64:
    """Noise of unit power, between white and brown."""
    spectrum = np.fft.rfft(random.normal(size=length))
    spectrum /= np.maximum(1, np.arange(len(spectrum))) ** random.uniform(0, 1)
    noise = np.fft.irfft(spectrum, length)
    coloured: Float64 = noise / np.sqrt(np.mean(noise**2))
    return coloured


VERSION = 1
"""Counts the changes of what the copies are."""

ORIGINAL = "original"
"""What stands in a copy's place where the recording is as it is."""

NOISE_SHARE = 0.035
"""The most that the noise's standard deviation is, as a share of the signal's peak."""
MOST_SEMITONES = 2.0
"""How far the pitch moves at most, up or down."""
RATES = (0.8, 1.2)
"""The slowest and the fastest tempo; the recording's own is 1."""

SPEEDS = (0.92, 1.08)


def add_noise(signal: Float32, rate: int, random: np.random.Generator) -> Float32:
    """The recording with white noise; how much is drawn evenly up to the most. Never clipped."""
    level = NOISE_SHARE * random.uniform() * float(np.abs(signal).max(initial=0.0))
    noise = random.standard_normal(len(signal), dtype=np.float32)
    noisy: Float32 = signal + np.float32(level) * noise
    return noisy


def shift_pitch(signal: Float32, rate: int, random: np.random.Generator) -> Float32:
    """The recording as a higher or lower voice speaks it, just as long."""
    from librosa.effects import pitch_shift

    semitones = random.uniform(-MOST_SEMITONES, MOST_SEMITONES)
    shifted: Float32 = pitch_shift(signal, sr=rate, n_steps=semitones)
    return shifted


def stretch_time(signal: Float32, rate: int, random: np.random.Generator) -> Float32:
    """The recording spoken faster or slower, at the same pitch."""
    from librosa.effects import time_stretch

    stretched: Float32 = time_stretch(signal, rate=random.uniform(*RATES))
    return stretched


def stretch_and_shift(signal: Float32, rate: int, random: np.random.Generator) -> Float32:
    """The recording spoken faster or slower, and then by a higher or lower voice."""
    return shift_pitch(stretch_time(signal, rate, random), rate, random)


def faster(factor: float) -> SignalTransform:
    """The recording played faster, or slower below 1: tempo and pitch change together.

    >>> faster(2.0)(np.zeros(1000, np.float32), 16000, np.random.default_rng(0)).shape
    (500,)
    """

    def play(signal: Float32, rate: int, random: np.random.Generator) -> Float32:
        import soxr

        played: Float32 = soxr.resample(signal, rate * factor, rate, quality="HQ")
        return played

    return play


def with_speed(elsewhere: SignalTransform) -> SignalTransform:
    """The recording somewhat faster or slower, and then as it might have been made elsewhere."""

    def play(signal: Float32, rate: int, random: np.random.Generator) -> Float32:
        return elsewhere(faster(random.uniform(*SPEEDS))(signal, rate, random), rate, random)

    return play


AUGMENTATIONS: Mapping[str, SignalTransform] = {
    "noise": add_noise,
    "pitch": shift_pitch,
    "stretch": stretch_time,
    "stretch-pitch": stretch_and_shift,
    "speed-90": faster(0.9),
    "speed-95": faster(0.95),
    "speed-105": faster(1.05),
    "speed-110": faster(1.1),
    "room": in_a_room,
    "phone": by_phone,
    "phone-2": with_speed(by_phone),
    "phone-3": with_speed(by_phone),
    "line": with_speed(over_a_line),
    "line-2": with_speed(over_a_line),
    "noisy": with_speed(in_noise),
    "noisy-2": with_speed(in_noise),
}
"""The kinds of copies by name."""


def check_augmentations(names: Sequence[str], known: Collection[str] = AUGMENTATIONS) -> None:
    """Raise a UsageError unless each name is a kind that is known, and none stands twice."""
    for name in names:
        if name not in known:
            raise UsageError(f"no copy is called {name!r}; there are: {', '.join(known)}")
    if len(set(names)) < len(names):
        raise UsageError(f"copies {', '.join(names)}: one of them stands there twice")


def augment_recording(name: str, signal: Float32, rate: int, digest: str) -> Float32:
    """The copy of that name of the recording with that digest, always the same.

    >>> signal = np.ones(4, np.float32)
    >>> one, other = (make_copy("noise", signal, 16000, digest) for digest in ("5e", "5e"))
    >>> np.array_equal(one, other), np.array_equal(one, signal)
    (True, False)
    """
    random = np.random.default_rng([*f"{name} {digest}".encode()])
    variant = CONDITIONS[name] if name in CONDITIONS else AUGMENTATIONS[name]
    return variant(signal, rate, random)
