"""Augmented copies: what each transform does to a signal, and that it is always the same."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchemo.common.arrays import Float32
from batchemo.errors import UsageError
from batchemo.training.data.augment_audio import (
    AUGMENTATIONS,
    MAX_NOISE_SHARE,
    MAX_SEMITONES,
    TEMPO_RANGE,
    add_coloured_noise,
    augment_recording,
    check_augmentations,
    simulate_line,
    simulate_phone,
    simulate_room,
)

RATE = 22050
DIGESTS = tuple(f"{number:064x}" for number in range(5))


def tone(frequency: float = 440.0, seconds: float = 1.0) -> Float32:
    time = np.arange(round(seconds * RATE)) / RATE
    return (0.5 * np.sin(2 * np.pi * frequency * time)).astype(np.float32)


def loudest_frequency(signal: Float32) -> float:
    spectrum = np.abs(np.fft.rfft(signal * np.hanning(len(signal)), 4 * len(signal)))
    return float(spectrum.argmax()) * RATE / (4 * len(signal))


def drawn(name: str, digest: str, low: float, high: float) -> float:
    """Return the first number that the transform draws in that range."""
    return np.random.default_rng([*f"{name} {digest}".encode()]).uniform(low, high)


@pytest.mark.parametrize("digest", DIGESTS)
def test_noise_has_the_level_that_is_drawn(digest: str) -> None:
    signal = tone()

    noise = augment_recording("noise", signal, RATE, digest) - signal

    expected = MAX_NOISE_SHARE * drawn("noise", digest, 0, 1) * np.abs(signal).max()
    assert noise.std() == pytest.approx(expected, rel=0.05)
    assert abs(noise.mean()) < 3 * expected / np.sqrt(len(signal))
    spectrum = np.abs(np.fft.rfft(noise)) ** 2
    assert spectrum[: len(spectrum) // 2].sum() == pytest.approx(spectrum.sum() / 2, rel=0.1)


def test_noise_does_not_clip_a_loud_recording() -> None:
    signal = 2 * tone()

    assert max(np.abs(augment_recording("noise", signal, RATE, d)).max() for d in DIGESTS) > 1


@pytest.mark.parametrize("digest", DIGESTS)
def test_pitch_shifts_a_tone_by_the_semitones_that_are_drawn_and_keeps_the_length(
    digest: str,
) -> None:
    signal = tone(440)

    shifted = augment_recording("pitch", signal, RATE, digest)

    semitones = drawn("pitch", digest, -MAX_SEMITONES, MAX_SEMITONES)
    assert shifted.shape == signal.shape
    assert loudest_frequency(shifted) == pytest.approx(440 * 2 ** (semitones / 12), rel=0.01)


@pytest.mark.parametrize("digest", DIGESTS)
def test_stretch_changes_the_length_by_the_tempo_that_is_drawn_and_keeps_the_pitch(
    digest: str,
) -> None:
    signal = tone(440)

    stretched = augment_recording("stretch", signal, RATE, digest)

    assert len(stretched) == round(len(signal) / drawn("stretch", digest, *TEMPO_RANGE))
    assert loudest_frequency(stretched) == pytest.approx(440, rel=0.01)


def test_stretch_pitch_changes_both() -> None:
    signal = tone(440)

    changed = {
        digest: augment_recording("stretch-pitch", signal, RATE, digest) for digest in DIGESTS
    }

    assert len({len(copy) for copy in changed.values()}) == len(DIGESTS)
    for digest, copy in changed.items():
        random = np.random.default_rng([*f"stretch-pitch {digest}".encode()])
        tempo, semitones = (
            random.uniform(*TEMPO_RANGE),
            random.uniform(-MAX_SEMITONES, MAX_SEMITONES),
        )
        assert len(copy) == round(len(signal) / tempo)
        assert loudest_frequency(copy) == pytest.approx(440 * 2 ** (semitones / 12), rel=0.01)


@pytest.mark.parametrize("percent", [90, 95, 105, 110])
def test_speed_changes_length_and_pitch_together(percent: int) -> None:
    signal = tone(440)

    copy = augment_recording(f"speed-{percent}", signal, RATE, DIGESTS[0])

    assert copy.dtype == np.float32
    assert len(copy) == pytest.approx(len(signal) * 100 / percent, abs=1)
    assert loudest_frequency(copy) == pytest.approx(440 * percent / 100, rel=0.005)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_an_augmentation_depends_on_the_recording_and_on_nothing_else(name: str) -> None:
    signal = tone()
    np.random.seed(1)
    first = augment_recording(name, signal, RATE, DIGESTS[0])
    np.random.seed(2)
    augment_recording(name, signal, RATE, DIGESTS[1])

    again = augment_recording(name, signal, RATE, DIGESTS[0])
    other = augment_recording(name, signal, RATE, DIGESTS[1])

    assert np.array_equal(first, again)
    # Nothing is drawn for another speed.
    assert np.array_equal(first, other) == name.startswith("speed-")
    assert np.array_equal(signal, tone())


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_silence_stays_silent(name: str) -> None:
    copy = augment_recording(name, np.zeros(RATE // 2, np.float32), RATE, DIGESTS[0])

    assert len(copy) >= RATE // 3
    assert not copy.any()


@pytest.mark.filterwarnings("ignore:n_fft=.* is too large")
@settings(max_examples=20)
@given(length=st.integers(1, 3000), name=st.sampled_from(sorted(AUGMENTATIONS)))
def test_very_short_recordings_can_be_augmented(length: int, name: str) -> None:
    copy = augment_recording(name, tone()[:length], RATE, DIGESTS[0])

    assert copy.dtype == np.float32
    assert 0.8 * length - 1 <= len(copy) <= 1.25 * length + 1
    assert np.isfinite(copy).all()


def test_unknown_augmentations_are_refused_with_those_that_exist() -> None:
    check_augmentations(tuple(AUGMENTATIONS))
    with pytest.raises(UsageError, match=r"'echo'; there are: noise, pitch, stretch, stretch-"):
        check_augmentations(("noise", "echo"))
    with pytest.raises(UsageError, match="twice"):
        check_augmentations(("noise", "noise"))


# Channels: rooms, telephones and noise.

CHANNEL_RATE = 16000
SEEDS = range(6)

Transform = Callable[[Float32, int, np.random.Generator], Float32]
each_channel = pytest.mark.parametrize(
    "transform", [simulate_phone, simulate_line, simulate_room, add_coloured_noise]
)


def apply(transform: Transform, signal: Float32, seed: int, rate: int = CHANNEL_RATE) -> Float32:
    return transform(signal, rate, np.random.default_rng(seed))


def white(seconds: float = 1.0, rate: int = CHANNEL_RATE) -> Float32:
    return np.random.default_rng(0).normal(size=round(seconds * rate)).astype(np.float32)


def level(signal: Float32, low: float, high: float, rate: int = CHANNEL_RATE) -> float:
    """Return the mean power between two frequencies, in decibels."""
    power = np.abs(np.fft.rfft(signal)) ** 2 / len(signal)
    frequencies = np.fft.rfftfreq(len(signal), 1 / rate)
    return float(10 * np.log10(power[(frequencies >= low) & (frequencies < high)].mean()))


@each_channel
@pytest.mark.parametrize("rate", [8000, 16000, 22050])
def test_a_channel_keeps_the_length(transform: Transform, rate: int) -> None:
    for length in (1, 50, rate):
        signal = white(length / rate, rate)

        copy = apply(transform, signal, 0, rate)

        assert copy.shape == signal.shape
        assert copy.dtype == np.float32
        assert np.isfinite(copy).all()


@each_channel
def test_a_channel_is_the_same_for_the_same_seed_and_differs_for_others(
    transform: Transform,
) -> None:
    copies = [apply(transform, white(), seed) for seed in SEEDS]

    assert np.array_equal(copies[0], apply(transform, white(), 0))
    for number, copy in enumerate(copies):
        assert not any(np.allclose(copy, other, atol=0.01) for other in copies[:number])


@each_channel
def test_a_channel_changes_nothing_in_place_and_keeps_silence(transform: Transform) -> None:
    signal = white()

    apply(transform, signal, 0)

    assert np.array_equal(signal, white())
    assert not apply(transform, np.zeros(CHANNEL_RATE, np.float32), 0).any()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_phone_passes_the_voice_and_little_above_it(seed: int) -> None:
    copy = apply(simulate_phone, white(4.0), seed)

    voice = level(copy, 500, 2500)
    assert voice == pytest.approx(level(white(4.0), 500, 2500), abs=1)
    assert level(copy, 5500, 8000) < voice - 10


def test_a_phones_band_has_steep_edges_where_its_noise_does_not_hide_them() -> None:
    copies = [apply(simulate_phone, white(4.0), seed) for seed in range(40)]

    assert min(level(copy, 5500, 8000) - level(copy, 500, 2500) for copy in copies) < -35
    assert min(level(copy, 20, 60) - level(copy, 500, 2500) for copy in copies) < -12


@pytest.mark.parametrize("seed", SEEDS)
def test_a_line_passes_nothing_outside_its_band_not_even_noise(seed: int) -> None:
    copy = apply(simulate_line, white(4.0), seed)

    voice = level(copy, 600, 2400)
    assert voice == pytest.approx(level(white(4.0), 600, 2400), abs=2)
    assert level(copy, 4300, 8000) < voice - 50
    assert level(copy, 5, 60) < voice - 12


@pytest.mark.parametrize("seed", SEEDS)
def test_coloured_noise_is_added_to_an_unchanged_voice(seed: int) -> None:
    voice = white(4.0)

    # Another seed than that of the voice.
    noise = apply(add_coloured_noise, voice, seed + 100) - voice

    assert noise.any()
    assert abs(np.corrcoef(voice, noise)[0, 1]) < 0.02


@pytest.mark.parametrize("seed", SEEDS)
def test_a_room_goes_on_sounding_when_the_voice_has_stopped(seed: int) -> None:
    burst = np.zeros(CHANNEL_RATE, np.float32)
    burst[1000:5000] = white(0.25)

    copy = apply(simulate_room, burst, seed)

    def rms(start: int, end: int) -> float:
        return float(np.sqrt(np.mean(copy[start:end] ** 2)))

    # Only noise is left at the end; the echoes are louder.
    assert rms(5000, 5800) > 1.2 * rms(14000, 16000)
    assert rms(1000, 5000) > rms(5000, 5800)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("transform", "lowest", "highest"),
    [(simulate_room, 8, 30), (simulate_phone, 15, 40), (add_coloured_noise, 5, 30)],
)
def test_noise_lies_within_its_range_below_the_voice(
    transform: Transform, lowest: float, highest: float, seed: int
) -> None:
    """Measured where the voice is silent, so that only noise is left."""
    burst = np.zeros(4 * CHANNEL_RATE, np.float32)
    burst[:CHANNEL_RATE] = white()

    copy = apply(transform, burst, seed).astype(np.float64)

    ratio = 10 * np.log10(np.mean(copy**2) / np.mean(copy[2 * CHANNEL_RATE :] ** 2))
    assert lowest - 1 < ratio < highest + 1
