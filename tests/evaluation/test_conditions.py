"""Each condition does what its description says, always the same, and is no augmentation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from voices import voice

from batchemo.evaluation.conditions import CONDITION_DESCRIPTIONS, CONDITIONS
from batchemo.training.data.augment_audio import AUGMENTATIONS

RATE = 16000


@pytest.fixture(scope="module")
def signal() -> np.ndarray:
    """Two seconds of a made voice between pauses, and as quiet as recordings are."""
    spoken = 0.2 * voice(2.0, rate=RATE)
    pause = np.zeros(RATE // 2)
    return np.concatenate([pause, spoken, pause]).astype(np.float32)


def under(name: str, signal: np.ndarray, seed: int = 0, rate: int = RATE) -> np.ndarray:
    return CONDITIONS[name](signal, rate, np.random.default_rng(seed))


def power(signal: np.ndarray, low: float = 0, high: float = RATE / 2) -> float:
    """The power between two frequencies."""
    spectrum = np.abs(np.fft.rfft(signal.astype(np.float64))) ** 2
    frequencies = np.fft.rfftfreq(len(signal), 1 / RATE)
    return float(spectrum[(low <= frequencies) & (frequencies < high)].sum())


def decibels(one: float, other: float) -> float:
    return float(10 * np.log10(one / other))


@pytest.mark.parametrize("name", CONDITIONS)
@pytest.mark.parametrize("rate", [16000, 22050])
def test_a_condition_keeps_the_length_and_depends_on_nothing_but_the_draw(
    name: str, rate: int, signal: np.ndarray
) -> None:
    before = signal.copy()

    first, again = under(name, signal, 1, rate), under(name, signal, 1, rate)

    assert first.dtype == np.float32
    assert first.shape == signal.shape
    assert np.isfinite(first).all()
    assert np.array_equal(first, again)
    assert np.array_equal(signal, before)
    assert not np.array_equal(first, signal)


def test_every_condition_is_described_and_none_is_an_augmentation() -> None:
    assert list(CONDITION_DESCRIPTIONS) == list(CONDITIONS)
    assert not set(CONDITIONS) & set(AUGMENTATIONS)


@pytest.mark.parametrize("name", CONDITIONS)
def test_silence_stays_silent(name: str) -> None:
    assert np.abs(under(name, np.zeros(RATE, np.float32))).max() < 1e-6


@pytest.mark.filterwarnings("ignore:n_fft=.* is too large")
@settings(max_examples=20, deadline=None)
@given(length=st.integers(1, 4000), name=st.sampled_from(sorted(CONDITIONS)))
def test_very_short_recordings_can_be_changed_too(length: int, name: str) -> None:
    signal = np.sin(np.arange(length, dtype=np.float32) / 10)

    changed = under(name, signal)

    assert changed.shape == (length,)
    assert np.isfinite(changed).all()


@pytest.mark.parametrize(("name", "ratio"), [("noise20", 20), ("noise10", 10), ("noise0", 0)])
def test_the_level_of_noise_is_relative_to_the_speech_without_the_pauses(
    name: str, ratio: float, signal: np.ndarray
) -> None:
    noise = under(name, signal) - signal

    spoken = signal[RATE // 2 : -RATE // 2]
    assert decibels(np.mean(spoken**2), np.mean(noise**2)) == pytest.approx(ratio, abs=1.5)


def test_noise_is_pink(signal: np.ndarray) -> None:
    noise = under("noise10", signal) - signal

    octaves = [power(noise, low, 2 * low) for low in (200, 400, 800, 1600, 3200)]
    assert np.ptp(10 * np.log10(octaves)) < 3, "every octave has as much of it"


def test_a_telephone_leaves_nothing_outside_its_band(signal: np.ndarray) -> None:
    noisy = signal + 0.01 * np.random.default_rng(0).standard_normal(len(signal))

    received = under("telephone", noisy.astype(np.float32))

    assert decibels(power(received, 4200), power(noisy, 4200)) < -30
    assert decibels(power(received, 20, 100), power(noisy, 20, 100)) < -15
    assert abs(decibels(power(received, 600, 3000), power(noisy, 600, 3000))) < 1.5


def test_a_telephone_changes_the_signal_alike_at_any_level(signal: np.ndarray) -> None:
    np.testing.assert_allclose(
        under("telephone", 4 * signal), 4 * under("telephone", signal), atol=1e-4
    )


def test_a_lower_level_is_a_tenth_in_steps_of_16_bits(signal: np.ndarray) -> None:
    quiet = under("level", signal)

    np.testing.assert_allclose(quiet, signal / 10, atol=0.5 / 32768 + 1e-9)
    assert np.array_equal(quiet * 32768, np.rint(quiet * 32768))


def test_mp3_is_nearly_the_same_and_not_delayed(signal: np.ndarray) -> None:
    decoded = under("mp3", signal)

    lost = np.mean((decoded - signal) ** 2) / np.mean(signal**2)
    assert 1e-6 < lost < 0.05


def test_music_lies_10_db_below_the_speech_and_changes_by_recording(signal: np.ndarray) -> None:
    one, other = (under("music", signal, seed) - signal for seed in (1, 2))

    spoken = signal[RATE // 2 : -RATE // 2]
    assert decibels(np.mean(spoken**2), np.mean(one**2)) == pytest.approx(10, abs=1.5)
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.9


def test_the_child_voice_is_half_an_octave_higher_at_the_same_tempo() -> None:
    time = np.arange(2 * RATE) / RATE
    tone = np.where(time < 1, 0.5 * np.sin(2 * np.pi * 300 * time), 0).astype(np.float32)

    higher = under("child", tone)

    spectrum = np.abs(np.fft.rfft(higher))
    assert spectrum.argmax() / 2 == pytest.approx(300 * 2**0.5, rel=0.01)
    assert np.abs(higher[: RATE - 2000]).mean() > 20 * np.abs(higher[RATE + 2000 :]).mean()


def test_reverberation_is_as_strong_as_the_direct_sound_and_goes_on_when_it_ends() -> None:
    click = np.zeros(RATE, np.float32)
    click[100] = 0.5

    echoes = under("reverb", click) - click

    assert np.abs(echoes[:100]).max() < 1e-6
    assert np.sum(echoes**2) == pytest.approx(0.25, rel=0.05)
    early, late = echoes[101 : 101 + RATE // 10], echoes[RATE // 2 : RATE // 2 + RATE // 10]
    assert decibels(np.mean(early**2), np.mean(late**2)) == pytest.approx(49, abs=4)
