"""What a copy is: the recording with noise, at another pitch, tempo or speed; always the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchemo.errors import UsageError
from batchemo.training.data.augment_audio import (
    AUGMENTATIONS,
    MOST_SEMITONES,
    NOISE_SHARE,
    RATES,
    augment_recording,
    check_augmentations,
)

RATE = 22050
DIGESTS = tuple(f"{number:064x}" for number in range(5))


def tone(frequency: float = 440.0, seconds: float = 1.0) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    return (0.5 * np.sin(2 * np.pi * frequency * time)).astype(np.float32)


def loudest_frequency(signal: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(signal * np.hanning(len(signal)), 4 * len(signal)))
    return float(spectrum.argmax()) * RATE / (4 * len(signal))


def drawn(name: str, digest: str, low: float, high: float) -> float:
    """The first number that the copy's own generator gives in that range."""
    return np.random.default_rng([*f"{name} {digest}".encode()]).uniform(low, high)


@pytest.mark.parametrize("digest", DIGESTS)
def test_noise_lowers_the_ratio_of_signal_to_noise_to_the_level_that_is_drawn(digest: str) -> None:
    signal = tone()

    noise = augment_recording("noise", signal, RATE, digest) - signal

    expected = NOISE_SHARE * drawn("noise", digest, 0, 1) * np.abs(signal).max()
    assert noise.std() == pytest.approx(expected, rel=0.05)
    assert abs(noise.mean()) < 3 * expected / np.sqrt(len(signal))
    spectrum = np.abs(np.fft.rfft(noise)) ** 2
    assert spectrum[: len(spectrum) // 2].sum() == pytest.approx(spectrum.sum() / 2, rel=0.1)


def test_noise_does_not_clip_a_loud_recording() -> None:
    signal = 2 * tone()

    assert max(np.abs(augment_recording("noise", signal, RATE, d)).max() for d in DIGESTS) > 1


@pytest.mark.parametrize("digest", DIGESTS)
def test_pitch_moves_a_tone_by_the_semitones_that_are_drawn_and_keeps_the_length(
    digest: str,
) -> None:
    signal = tone(440)

    copy = augment_recording("pitch", signal, RATE, digest)

    semitones = drawn("pitch", digest, -MOST_SEMITONES, MOST_SEMITONES)
    assert copy.shape == signal.shape
    assert loudest_frequency(copy) == pytest.approx(440 * 2 ** (semitones / 12), rel=0.01)


@pytest.mark.parametrize("digest", DIGESTS)
def test_stretch_changes_the_length_by_the_rate_that_is_drawn_and_keeps_the_pitch(
    digest: str,
) -> None:
    signal = tone(440)

    copy = augment_recording("stretch", signal, RATE, digest)

    assert len(copy) == round(len(signal) / drawn("stretch", digest, *RATES))
    assert loudest_frequency(copy) == pytest.approx(440, rel=0.01)


def test_stretch_and_pitch_changes_both() -> None:
    signal = tone(440)

    augmentations = [augment_recording("stretch-pitch", signal, RATE, digest) for digest in DIGESTS]

    assert len({len(copy) for copy in augmentations}) == len(DIGESTS)
    for copy, digest in zip(augmentations, DIGESTS, strict=True):
        random = np.random.default_rng([*f"stretch-pitch {digest}".encode()])
        rate, semitones = random.uniform(*RATES), random.uniform(-MOST_SEMITONES, MOST_SEMITONES)
        assert len(copy) == round(len(signal) / rate)
        assert loudest_frequency(copy) == pytest.approx(440 * 2 ** (semitones / 12), rel=0.01)


@pytest.mark.parametrize("percent", [90, 95, 105, 110])
def test_at_another_speed_length_and_pitch_change_together(percent: int) -> None:
    signal = tone(440)

    copy = augment_recording(f"speed-{percent}", signal, RATE, DIGESTS[0])

    assert copy.dtype == np.float32
    assert len(copy) == pytest.approx(len(signal) * 100 / percent, abs=1)
    assert loudest_frequency(copy) == pytest.approx(440 * percent / 100, rel=0.005)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_a_copy_depends_on_the_recording_and_on_nothing_else(name: str) -> None:
    signal = tone()
    np.random.seed(1)
    one = augment_recording(name, signal, RATE, DIGESTS[0])
    np.random.seed(2)
    augment_recording(name, signal, RATE, DIGESTS[1])

    again = augment_recording(name, signal, RATE, DIGESTS[0])
    other = augment_recording(name, signal, RATE, DIGESTS[1])

    assert np.array_equal(one, again)
    # Nothing is drawn for another speed.
    assert np.array_equal(one, other) == name.startswith("speed-")
    assert np.array_equal(signal, tone())


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_copies_of_silence_are_silent(name: str) -> None:
    copy = augment_recording(name, np.zeros(RATE // 2, np.float32), RATE, DIGESTS[0])

    assert len(copy) >= RATE // 3
    assert not copy.any()


@pytest.mark.filterwarnings("ignore:n_fft=.* is too large")
@settings(max_examples=20)
@given(length=st.integers(1, 3000), name=st.sampled_from(sorted(AUGMENTATIONS)))
def test_a_very_short_recording_has_copies_too(length: int, name: str) -> None:
    copy = augment_recording(name, tone()[:length], RATE, DIGESTS[0])

    assert copy.dtype == np.float32
    assert 0.8 * length - 1 <= len(copy) <= 1.25 * length + 1
    assert np.isfinite(copy).all()


def test_copies_that_do_not_exist_are_refused_with_those_that_do() -> None:
    check_augmentations(tuple(AUGMENTATIONS))
    with pytest.raises(UsageError, match=r"'echo'; there are: noise, pitch, stretch, stretch-"):
        check_augmentations(("noise", "echo"))
    with pytest.raises(UsageError, match="twice"):
        check_augmentations(("noise", "noise"))
