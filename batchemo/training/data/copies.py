"""Copies of a recording with noise, another pitch, another tempo, to learn from beside it.

A copy depends on the recording and on the kind of copy alone, not on the seed of a training, the
order of the recordings or the process: so it is made once, kept, and shared by all folds.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from batchemo.common.arrays import Float32
from batchemo.errors import UsageError
from batchemo.evaluation.conditions import CONDITIONS, Variant
from batchemo.training.data.places import (
    by_phone,
    in_a_room,
    in_noise,
    over_a_line,
)

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


def faster(factor: float) -> Variant:
    """The recording played faster, or slower below 1: tempo and pitch change together.

    >>> faster(2.0)(np.zeros(1000, np.float32), 16000, np.random.default_rng(0)).shape
    (500,)
    """

    def play(signal: Float32, rate: int, random: np.random.Generator) -> Float32:
        import soxr

        played: Float32 = soxr.resample(signal, rate * factor, rate, quality="HQ")
        return played

    return play


def with_speed(elsewhere: Variant) -> Variant:
    """The recording somewhat faster or slower, and then as it might have been made elsewhere."""

    def play(signal: Float32, rate: int, random: np.random.Generator) -> Float32:
        return elsewhere(faster(random.uniform(*SPEEDS))(signal, rate, random), rate, random)

    return play


COPIES: Mapping[str, Variant] = {
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


def check_copies(names: Sequence[str], known: Collection[str] = COPIES) -> None:
    """Raise a UsageError unless each name is a kind that is known, and none stands twice."""
    for name in names:
        if name not in known:
            raise UsageError(f"no copy is called {name!r}; there are: {', '.join(known)}")
    if len(set(names)) < len(names):
        raise UsageError(f"copies {', '.join(names)}: one of them stands there twice")


def make_copy(name: str, signal: Float32, rate: int, digest: str) -> Float32:
    """The copy of that name of the recording with that digest, always the same.

    >>> signal = np.ones(4, np.float32)
    >>> one, other = (make_copy("noise", signal, 16000, digest) for digest in ("5e", "5e"))
    >>> np.array_equal(one, other), np.array_equal(one, signal)
    (True, False)
    """
    random = np.random.default_rng([*f"{name} {digest}".encode()])
    variant = CONDITIONS[name] if name in CONDITIONS else COPIES[name]
    return variant(signal, rate, random)
