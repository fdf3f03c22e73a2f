"""Spectrograms changed on the fly: never the same twice, always of one shape, padding as such."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchemo.common.arrays import Float32
from batchemo.training.data.augment_spectrogram import (
    SpectrogramAugmentation,
    augment_spectrogram,
    is_signal,
    mix_up,
    unpadded_length,
)

UNCHANGED = SpectrogramAugmentation(time_warp=0, band_warp=0, tilt=0, noise_share=0, masks=0)
FLOOR = -2.0


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def spectrogram(frames: int = 70) -> Float32:
    return generator().normal(scale=0.5, size=(frames, 64)).astype(np.float32)


def padding(frames: int) -> Float32:
    return np.full((frames, 64), FLOOR, np.float32)


def test_a_frame_is_signal_if_any_of_its_bands_lies_above_the_floor() -> None:
    frames = padding(4)
    frames[1, 3] = 0.5
    frames[2] = FLOOR + 0.001

    assert is_signal(frames, FLOOR).tolist() == [False, True, False, False]
    assert is_signal(frames, -3.0).all()


def test_the_signal_ends_with_its_last_frame_and_includes_pauses() -> None:
    frames = padding(100)
    frames[:40, 3] = 0.5
    frames[10:20] = FLOOR

    assert unpadded_length(frames, FLOOR) == 40


def test_padding_alone_still_has_one_frame() -> None:
    assert unpadded_length(padding(100), FLOOR) == 1


def test_without_any_change_a_spectrogram_is_only_padded() -> None:
    result = augment_spectrogram(spectrogram(), UNCHANGED, generator())

    assert result.shape == (240, 64)
    np.testing.assert_allclose(result[:70], spectrogram(), atol=1e-6)
    assert (result[70:] == UNCHANGED.floor).all()


def test_a_long_spectrogram_is_cropped_at_random_positions() -> None:
    rising = np.arange(300, dtype=np.float32)[:, None] * np.ones(64, np.float32) / 300

    cropped = [augment_spectrogram(rising, UNCHANGED, generator(seed)) for seed in range(20)]

    starts = {round(float(crop[0, 0]) * 300) for crop in cropped}
    assert len(starts) > 5
    assert all(0 <= start <= 60 for start in starts)
    assert all(np.diff(crop[:, 0]) == pytest.approx(1 / 300, abs=1e-5) for crop in cropped)


def test_padding_has_the_floor_of_the_configuration() -> None:
    result = augment_spectrogram(spectrogram() + 5, replace(UNCHANGED, floor=1.0), generator())

    assert (result[70:] == 1.0).all()
    assert unpadded_length(result, 1.0) == 70


@given(frames=st.integers(1, 400), seed=st.integers(0, 2**32))
def test_every_result_is_finite_and_of_one_shape(frames: int, seed: int) -> None:
    rising = np.linspace(-2, 2, frames * 64, dtype=np.float32).reshape(frames, 64)
    config = SpectrogramAugmentation()

    result = augment_spectrogram(rising, config, generator(seed))

    assert result.shape == (240, 64)
    assert np.isfinite(result).all()
    assert result.min() >= config.floor
    assert unpadded_length(result, config.floor) >= min(240, round(frames / 1.16))


@pytest.mark.parametrize(
    "change", [{"time_warp": 0.15}, {"band_warp": 0.06}, {"tilt": 0.25}, {"masks": 2}]
)
def test_each_kind_of_change_changes_a_spectrogram(change: dict[str, float]) -> None:
    changed = augment_spectrogram(spectrogram(), replace(UNCHANGED, **change), generator(3))

    assert not np.allclose(changed, augment_spectrogram(spectrogram(), UNCHANGED, generator(3)))


def test_a_noise_floor_hides_what_lies_below_it_and_lowers_nothing() -> None:
    quiet = np.full((70, 64), -1.9, np.float32)
    noisy = replace(UNCHANGED, noise_share=1.0, noise_range=(-1.0, -1.0))

    hidden = augment_spectrogram(quiet, noisy, generator())[:70]
    louder = augment_spectrogram(quiet + 3, noisy, generator())[:70]

    assert hidden.mean() == pytest.approx(-1.0, abs=0.1)
    assert louder == pytest.approx(1.1, abs=1e-5)


def test_the_given_spectrogram_is_not_changed_in_place() -> None:
    given_one = spectrogram()

    augment_spectrogram(given_one, SpectrogramAugmentation(noise_share=1.0), generator())

    assert np.array_equal(given_one, spectrogram())


def test_mixup_mixes_targets_as_it_mixes_spectrograms() -> None:
    windows = np.stack([np.full((4, 4), value, np.float32) for value in (0, 1, 2)])
    targets = np.eye(3, dtype=np.float32)

    mixed, mixed_targets = mix_up(windows, targets, generator(2))

    np.testing.assert_allclose(mixed_targets.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(mixed[:, 0, 0], mixed_targets @ [0, 1, 2], atol=1e-6)
    assert (mixed_targets.diagonal() >= 0.5).all(), "at least half of each must stay"
    assert not np.array_equal(mixed_targets, targets)


def test_mixup_mixes_vectors_as_well() -> None:
    vectors = generator().normal(size=(5, 7)).astype(np.float32)

    mixed, mixed_targets = mix_up(vectors, np.eye(5, dtype=np.float32), generator(2))

    np.testing.assert_allclose(mixed, mixed_targets @ vectors, atol=1e-5)
