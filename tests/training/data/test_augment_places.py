"""Recordings as they might have been made elsewhere: over a phone, in a room, in noise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from batchemo.common.arrays import Float32
from batchemo.training.data.augment_audio import (
    by_phone,
    in_a_room,
    in_noise,
    over_a_line,
)

RATE = 16000
SEEDS = range(6)

Place = Callable[[Float32, int, np.random.Generator], Float32]
anywhere = pytest.mark.parametrize("place", [by_phone, over_a_line, in_a_room, in_noise])


def heard(place: Place, signal: Float32, seed: int, rate: int = RATE) -> Float32:
    return place(signal, rate, np.random.default_rng(seed))


def white(seconds: float = 1.0, rate: int = RATE) -> Float32:
    return np.random.default_rng(0).normal(size=round(seconds * rate)).astype(np.float32)


def level(signal: np.ndarray, low: float, high: float, rate: int = RATE) -> float:
    """The mean power between two frequencies, in decibels."""
    power = np.abs(np.fft.rfft(signal)) ** 2 / len(signal)
    frequencies = np.fft.rfftfreq(len(signal), 1 / rate)
    return float(10 * np.log10(power[(frequencies >= low) & (frequencies < high)].mean()))


@anywhere
@pytest.mark.parametrize("rate", [8000, 16000, 22050])
def test_a_recording_made_elsewhere_is_as_long_as_it_was(place: Place, rate: int) -> None:
    for length in (1, 50, rate):
        signal = white(length / rate, rate)

        copy = heard(place, signal, 0, rate)

        assert copy.shape == signal.shape
        assert copy.dtype == np.float32
        assert np.isfinite(copy).all()


@anywhere
def test_each_place_differs_and_the_same_lot_is_the_same_place(place: Place) -> None:
    signal = white()

    augmentations = [heard(place, signal, seed) for seed in SEEDS]

    assert np.array_equal(augmentations[0], heard(place, signal, 0))
    for number, one in enumerate(augmentations):
        assert not any(np.allclose(one, other, atol=0.01) for other in augmentations[:number])


@anywhere
def test_the_recording_itself_stays_as_it_was(place: Place) -> None:
    signal = white()

    heard(place, signal, 0)

    assert np.array_equal(signal, white())


@anywhere
def test_silence_stays_silent_everywhere(place: Place) -> None:
    assert not heard(place, np.zeros(RATE, np.float32), 0).any()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_phone_lets_the_voice_through_and_little_above_it(seed: int) -> None:
    copy = heard(by_phone, white(4.0), seed)

    voice = level(copy, 500, 2500)
    assert voice == pytest.approx(level(white(4.0), 500, 2500), abs=1)
    assert level(copy, 5500, 8000) < voice - 10


def test_a_phone_without_noise_would_let_nothing_below_150_or_above_4000_hertz_through() -> None:
    """Seen where the noise is least; the ends of the band are steep."""
    ends = [heard(by_phone, white(4.0), seed) for seed in range(40)]

    assert min(level(copy, 5500, 8000) - level(copy, 500, 2500) for copy in ends) < -35
    assert min(level(copy, 20, 60) - level(copy, 500, 2500) for copy in ends) < -12


@pytest.mark.parametrize("seed", SEEDS)
def test_a_line_lets_nothing_pass_outside_its_band_not_even_noise(seed: int) -> None:
    copy = heard(over_a_line, white(4.0), seed)

    voice = level(copy, 600, 2400)
    assert voice == pytest.approx(level(white(4.0), 600, 2400), abs=2)
    assert level(copy, 4300, 8000) < voice - 50
    assert level(copy, 5, 60) < voice - 12


@pytest.mark.parametrize("seed", SEEDS)
def test_in_noise_the_voice_itself_stays_as_it_was(seed: int) -> None:
    voice = white(4.0)

    # Another seed than the voice's own.
    noise = heard(in_noise, voice, seed + 100) - voice

    assert noise.any()
    assert abs(np.corrcoef(voice, noise)[0, 1]) < 0.02


@pytest.mark.parametrize("seed", SEEDS)
def test_a_room_goes_on_sounding_when_the_voice_has_stopped(seed: int) -> None:
    burst = np.zeros(RATE, np.float32)
    burst[1000:5000] = white(0.25)

    copy = heard(in_a_room, burst, seed)

    def loud(start: int, end: int) -> float:
        return float(np.sqrt(np.mean(copy[start:end] ** 2)))

    # Nothing but noise is left at the end; the echoes stand out from it.
    assert loud(5000, 5800) > 1.2 * loud(14000, 16000)
    assert loud(1000, 5000) > loud(5000, 5800)


@pytest.mark.parametrize("seed", SEEDS)
def test_noise_lies_so_far_below_the_voice_as_was_said(seed: int) -> None:
    """Where the voice is silent only the noise is left."""
    burst = np.zeros(4 * RATE, np.float32)
    burst[:RATE] = white()

    for place, least, most in ((in_a_room, 8, 30), (by_phone, 15, 40), (in_noise, 5, 30)):
        copy = heard(place, burst, seed).astype(np.float64)
        below = 10 * np.log10(np.mean(copy**2) / np.mean(copy[2 * RATE :] ** 2))
        assert least - 1 < below < most + 1
