"""Pictures changed on the fly: never the same twice, always of one shape, still pictures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchemo.training.data.augment_spectrogram import (
    Augmentation,
    change_picture,
    mix_up,
    sound_length,
)

LEFT_ALONE = Augmentation(time_warp=0, band_warp=0, tilt=0, noise_share=0, masks=0, frames=240)


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def picture(frames: int = 70) -> np.ndarray:
    return random().normal(scale=0.5, size=(frames, 64)).astype(np.float32)


def test_without_any_change_a_picture_is_only_padded() -> None:
    whole = change_picture(picture(), LEFT_ALONE, random())

    assert whole.shape == (240, 64)
    np.testing.assert_allclose(whole[:70], picture(), atol=1e-6)
    assert (whole[70:] == LEFT_ALONE.floor).all()


def test_a_long_picture_is_cropped_anywhere() -> None:
    long = np.arange(300, dtype=np.float32)[:, None] * np.ones(64, np.float32) / 300

    cropped = [change_picture(long, LEFT_ALONE, random(seed)) for seed in range(20)]

    starts = {round(float(one[0, 0]) * 300) for one in cropped}
    assert len(starts) > 5
    assert all(0 <= start <= 60 for start in starts)
    assert all(np.diff(one[:, 0]) == pytest.approx(1 / 300, abs=1e-5) for one in cropped)


def test_the_floor_of_the_system_is_what_padding_is_made_of() -> None:
    whole = change_picture(picture() + 5, replace(LEFT_ALONE, floor=1.0), random())

    assert (whole[70:] == 1.0).all()
    assert sound_length(whole, 1.0) == 70


@given(frames=st.integers(1, 400), seed=st.integers(0, 2**32))
def test_every_changed_picture_is_finite_and_of_one_shape(frames: int, seed: int) -> None:
    rising = np.linspace(-2, 2, frames * 64, dtype=np.float32).reshape(frames, 64)

    whole = change_picture(rising, Augmentation(), random(seed))

    assert whole.shape == (240, 64)
    assert np.isfinite(whole).all()
    assert whole.min() >= Augmentation().floor
    assert sound_length(whole, Augmentation().floor) >= min(240, round(frames / 1.16))


@pytest.mark.parametrize(
    "kind", [{"time_warp": 0.15}, {"band_warp": 0.06}, {"tilt": 0.25}, {"masks": 2}]
)
def test_each_kind_of_change_changes_a_picture(kind: dict[str, float]) -> None:
    changed = change_picture(picture(), replace(LEFT_ALONE, **kind), random(3))

    assert not np.allclose(changed, change_picture(picture(), LEFT_ALONE, random(3)))


def test_a_noise_floor_drowns_what_lies_below_it_and_lowers_nothing() -> None:
    quiet = np.full((70, 64), -1.9, np.float32)
    noisy = replace(LEFT_ALONE, noise_share=1.0, noise_range=(-1.0, -1.0))

    assert change_picture(quiet, noisy, random())[:70].mean() == pytest.approx(-1.0, abs=0.1)
    assert change_picture(quiet + 3, noisy, random())[:70] == pytest.approx(1.1, abs=1e-5)


def test_the_picture_that_was_given_stays_as_it_was() -> None:
    given = picture()

    change_picture(given, replace(Augmentation(), noise_share=1.0), random())

    assert np.array_equal(given, picture())


def test_mixing_up_blends_targets_as_it_blends_pictures() -> None:
    pictures = np.stack([np.full((4, 4), value, np.float32) for value in (0, 1, 2)])
    targets = np.eye(3, dtype=np.float32)

    mixed, blended = mix_up(pictures, targets, random(2))

    np.testing.assert_allclose(blended.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(mixed[:, 0, 0], blended @ [0, 1, 2], atol=1e-6)
    assert (blended.diagonal() >= 0.5).all(), "each is still mostly itself"
    assert not np.array_equal(blended, targets)


def test_vectors_are_blended_as_pictures_are() -> None:
    vectors, targets = random().normal(size=(5, 7)).astype(np.float32), np.eye(5, dtype=np.float32)

    mixed, blended = mix_up(vectors, targets, random(2))

    np.testing.assert_allclose(mixed, blended @ vectors, atol=1e-5)
