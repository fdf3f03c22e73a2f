"""Level, silence and clipping follow their definitions, however a signal is split into blocks."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchemo.audio.levels import ClippingMeter, LevelMeter, peak_magnitude

RATE = 16_000


def measured(*blocks: np.ndarray) -> LevelMeter:
    meter = LevelMeter(RATE)
    for block in blocks:
        meter.update(block.astype(np.float32))
    meter.finish()
    return meter


def clipped(*blocks: np.ndarray, full_scale: float = 0.999) -> float | None:
    meter = ClippingMeter(full_scale)
    for block in blocks:
        frames = np.atleast_2d(block.astype(np.float32).T).T
        meter.update(frames, peak_magnitude(frames))
    return meter.clipped


def test_a_full_scale_sine_is_3_db_below_a_square_wave() -> None:
    sine = np.sin(2 * np.pi * 100 * np.arange(RATE) / RATE)
    assert measured(sine).rms_db == pytest.approx(-3.01, abs=0.01)


def test_the_measures_of_an_empty_signal_are_unknown() -> None:
    meter = measured()
    assert (meter.rms_db, meter.silence) == (None, None)
    assert ClippingMeter(1.0).clipped is None


def test_a_recording_whose_second_half_is_zeros_is_half_silent() -> None:
    loud = np.sin(np.arange(RATE))
    assert measured(loud, np.zeros(RATE)).silence == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(("below", "share"), [(30, 0.0), (45, 0.5)])
def test_silence_begins_40_db_below_the_loud_frames(below: float, share: float) -> None:
    loud = 0.5 * np.sin(np.arange(RATE))
    meter = measured(loud, loud * 10 ** (-below / 20))
    assert meter.silence == pytest.approx(share, abs=0.02)


def test_a_click_does_not_make_the_rest_silent() -> None:
    quiet = 0.001 * np.sin(np.arange(5 * RATE))
    quiet[RATE] = 1.0
    assert measured(quiet).silence == 0


@given(sizes=st.lists(st.integers(0, 2000), min_size=1, max_size=8))
def test_the_level_does_not_depend_on_the_blocks(sizes: list[int]) -> None:
    signal = np.random.default_rng(1).uniform(-1, 1, sum(sizes)).astype(np.float32)
    blocks, whole = measured(*np.split(signal, np.cumsum(sizes)[:-1])), measured(signal)
    assert blocks.rms_db == pytest.approx(whole.rms_db)
    assert blocks.silence == whole.silence
    assert blocks.loudest_db == whole.loudest_db


@given(before=st.integers(0, 5000), after=st.integers(0, 5000))
def test_a_meter_goes_on_where_it_was_pickled(before: int, after: int) -> None:
    signal = np.sin(np.arange(before + after) / 3).astype(np.float32)
    meter = LevelMeter(RATE)
    meter.update(signal[:before])
    meter = pickle.loads(pickle.dumps(meter))
    meter.update(signal[before:])
    meter.finish()
    whole = measured(signal)
    assert (meter.loudest_db, meter.silence) == (whole.loudest_db, whole.silence)
    assert meter.rms_db == pytest.approx(whole.rms_db)


def test_a_pickled_meter_is_small_as_there_is_one_for_each_turn() -> None:
    meter = measured(np.sin(np.arange(2 * RATE)))
    assert len(pickle.dumps(meter)) < 300


def test_three_samples_in_a_row_at_full_scale_are_clipped() -> None:
    assert clipped(np.array([0, 1, 1, 1, 0, 0, -1, -1, -1, -1])) == pytest.approx(0.7)


def test_one_or_two_samples_at_full_scale_are_not_clipped() -> None:
    assert clipped(np.array([0, 1, 1, 0, 1, 0, 0])) == 0


def test_each_channel_is_measured_on_its_own() -> None:
    one = np.array([0, 1, 1, 1, 0, 0])
    assert clipped(np.stack([one, one * 0], axis=1)) == pytest.approx(0.25)
    assert clipped(np.stack([one > 2, one], axis=1).astype(float)) == pytest.approx(0.25)


def test_a_distorted_sine_clips_in_every_block() -> None:
    sine = np.clip(2 * np.sin(np.arange(1000) / 20), -1, 1)
    assert clipped(sine, sine) == pytest.approx(clipped(sine))
    assert clipped(sine) == pytest.approx(np.mean(np.abs(sine) >= 0.999), abs=0.01)
