"""What in a picture is padding, and what is sound."""

from __future__ import annotations

import numpy as np

from batchemo.training.data.augment_spectrogram import sound_length, sounding

FLOOR = -2.0


def silence(frames: int) -> np.ndarray:
    return np.full((frames, 64), FLOOR, np.float32)


def test_a_frame_is_sound_if_any_of_its_bands_lies_above_the_floor() -> None:
    picture = silence(4)
    picture[1, 3] = 0.5
    picture[2] = FLOOR + 0.001

    assert sounding(picture, FLOOR).tolist() == [False, True, False, False]
    assert sounding(picture, -3.0).all()


def test_the_sound_ends_with_its_last_frame_pauses_and_all() -> None:
    picture = silence(100)
    picture[:40, 3] = 0.5
    picture[10:20] = FLOOR

    assert sound_length(picture, FLOOR) == 40


def test_padding_alone_still_has_one_frame() -> None:
    assert sound_length(silence(100), FLOOR) == 1
