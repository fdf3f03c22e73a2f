"""Augmented copies of recordings: noise, pitch, tempo, speed, rooms, telephones.

Everything that is random about a copy is drawn from its name and the recording's digest, so that
it is the same in every process and on every machine.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from batchemo.common.arrays import Float32, Float64
from batchemo.errors import UsageError
from batchemo.evaluation.conditions import (
    CONDITIONS,
    SignalTransform,
    at_least_a_frame,
    change_tempo,
    fit_length,
)

VERSION = 1
"""Counts the changes of what the transforms give; another one makes stored features invalid."""

ORIGINAL = "original"
"""The variant of a recording to which nothing was done."""

MAX_NOISE_SHARE = 0.035
"""The highest standard deviation of the noise, as a share of the signal's peak."""
MAX_SEMITONES = 2.0
"""How far the pitch is shifted at most, up or down."""
TEMPO_RANGE = (0.8, 1.2)
"""The slowest and the fastest tempo; the recording's own is 1."""
_SPEED_RANGE = (0.92, 1.08)
"""How far the speed changes where another transform follows."""
_LINE_RATE = 8000


def add_noise(signal: Float32, rate: int, random: np.random.Generator) -> Float32:
    """Add white noise at a random level; never clipped, as nothing after it is limited to 1."""
    level = MAX_NOISE_SHARE * random.uniform() * float(np.abs(signal).max(initial=0.0))
    noise = random.standard_normal(len(signal), dtype=np.float32)
    noisy: Float32 = signal + np.float32(level) * noise
    return noisy


def shift_pitch(signal: Float32, rate: int, random: np.random.Generator) -> Float32:
    """Shift the pitch up or down; the length stays."""
    from librosa.effects import pitch_shift

    semitones = random.uniform(-MAX_SEMITONES, MAX_SEMITONES)
    shifted: Float32 = pitch_shift(at_least_a_frame(signal), sr=rate, n_steps=semitones)
    return shifted[: len(signal)]


def stretch_time(signal: Float32, rate: int, random: np.random.Generator) -> Float32:
    """Change the tempo; the pitch stays."""
    return change_tempo(signal, random.uniform(*TEMPO_RANGE))


def stretch_and_shift(signal: Float32, rate: int, random: np.random.Generator) -> Float32:
    """Change the tempo and then the pitch."""
    return shift_pitch(stretch_time(signal, rate, random), rate, random)


def change_speed(factor: float) -> SignalTransform:
    """Return a transform that plays a signal faster, or slower below 1: tempo and pitch change.

    >>> change_speed(2.0)(np.zeros(1000, np.float32), 16000, np.random.default_rng(0)).shape
    (500,)
    """

    def resample(signal: Float32, rate: int, random: np.random.Generator) -> Float32:
        import soxr

        resampled: Float32 = soxr.resample(signal, rate * factor, rate, quality="HQ")
        return resampled

    return resample


def with_random_speed(transform: SignalTransform) -> SignalTransform:
    """Return a transform that slightly changes the speed first, so that copies differ more."""

    def change_and_transform(signal: Float32, rate: int, random: np.random.Generator) -> Float32:
        faster = change_speed(random.uniform(*_SPEED_RANGE))(signal, rate, random)
        return transform(faster, rate, random)

    return change_and_transform


def simulate_room(signal: Float32, rate: int, random: np.random.Generator) -> Float32:
    """Add the echoes of a room, the pass band of a microphone, and noise."""
    from scipy.signal import butter, fftconvolve, sosfilt

    # Noise that decays by 60 dB in `decay` seconds is a fair model of a room's late echoes.
    decay = random.uniform(0.1, 0.5)
    time = np.arange(round(decay * rate)) / rate
    response = random.normal(size=len(time)) * 10 ** (-3 * time / decay)
    response *= random.uniform(0.2, 0.8) / np.linalg.norm(response)
    response[0] = 1
    echoing = fftconvolve(signal, response)[: len(signal)]
    low, high = random.uniform(40, 300), random.uniform(0.4, 0.95) * rate / 2
    filtered = sosfilt(butter(1, [low, high], "bandpass", fs=rate, output="sos"), echoing)
    return _add_coloured_noise(filtered, 8, 30, random)


def simulate_phone(signal: Float32, rate: int, random: np.random.Generator) -> Float32:
    """Limit the signal to a narrow band with steep edges, and add a little noise to it."""
    from scipy.signal import butter, sosfilt

    low, high = random.uniform(150, 400), min(random.uniform(2800, 4000), 0.45 * rate)
    narrow = sosfilt(butter(4, [low, high], "bandpass", fs=rate, output="sos"), signal)
    return _add_coloured_noise(narrow, 15, 40, random)


def simulate_line(signal: Float32, rate: int, random: np.random.Generator) -> Float32:
    """Add noise, and then limit both to the band of a telephone line of 8 kHz."""
    import soxr
    from scipy.signal import butter, sosfilt

    noisy = _add_coloured_noise(signal.astype(np.float64), 10, 40, random)
    low, high = random.uniform(150, 400), random.uniform(2800, 3800)
    # Padded: nothing would be left of a signal that is shorter than one sample of the line.
    narrow = soxr.resample(np.pad(noisy, (0, rate // 100)), rate, _LINE_RATE)
    band = butter(random.integers(2, 6), [low, high], "bandpass", fs=_LINE_RATE, output="sos")
    return fit_length(signal, soxr.resample(sosfilt(band, narrow), _LINE_RATE, rate))


def add_coloured_noise(signal: Float32, rate: int, random: np.random.Generator) -> Float32:
    """Add noise between white and brown, some of it loud."""
    return _add_coloured_noise(signal.astype(np.float64), 5, 30, random)


def _add_coloured_noise(
    signal: Float64, lowest: float, highest: float, random: np.random.Generator
) -> Float32:
    """Add noise at a random ratio of signal to noise between two levels in decibels."""
    level = np.sqrt(np.mean(signal**2))
    noise = _coloured_noise(len(signal), random)
    noisy: Float64 = signal + noise * level * 10 ** (-random.uniform(lowest, highest) / 20)
    return noisy.astype(np.float32)


def _coloured_noise(length: int, random: np.random.Generator) -> Float64:
    """Return noise of unit power whose spectrum falls between white and brown."""
    spectrum = np.fft.rfft(random.normal(size=length))
    spectrum /= np.maximum(1, np.arange(len(spectrum))) ** random.uniform(0, 1)
    noise = np.fft.irfft(spectrum, length)
    coloured: Float64 = noise / np.sqrt(np.mean(noise**2))
    return coloured


AUGMENTATIONS: Mapping[str, SignalTransform] = {
    "noise": add_noise,
    "pitch": shift_pitch,
    "stretch": stretch_time,
    "stretch-pitch": stretch_and_shift,
    "speed-90": change_speed(0.9),
    "speed-95": change_speed(0.95),
    "speed-105": change_speed(1.05),
    "speed-110": change_speed(1.1),
    "room": simulate_room,
    "phone": simulate_phone,
    "phone-2": with_random_speed(simulate_phone),
    "phone-3": with_random_speed(simulate_phone),
    "line": with_random_speed(simulate_line),
    "line-2": with_random_speed(simulate_line),
    "noisy": with_random_speed(add_coloured_noise),
    "noisy-2": with_random_speed(add_coloured_noise),
}
"""The augmentations by name. Those with a number draw other random numbers, by their names."""


def check_augmentations(names: Sequence[str], known: Collection[str] = AUGMENTATIONS) -> None:
    """Raise a UsageError unless each name is a known augmentation, and none is there twice."""
    for name in names:
        if name not in known:
            raise UsageError(f"no augmentation is called {name!r}; there are: {', '.join(known)}")
    if len(set(names)) < len(names):
        raise UsageError(f"augmentations {', '.join(names)}: one of them is named twice")


def augment_recording(name: str, signal: Float32, rate: int, digest: str) -> Float32:
    """Return the signal of a recording with that digest under an augmentation or condition.

    >>> signal = np.ones(4, np.float32)
    >>> first, second = (augment_recording("noise", signal, 16000, "5e") for _ in range(2))
    >>> np.array_equal(first, second), np.array_equal(first, signal)
    (True, False)
    """
    random = np.random.default_rng([*f"{name} {digest}".encode()])
    transform = CONDITIONS[name] if name in CONDITIONS else AUGMENTATIONS[name]
    return transform(signal, rate, random)
