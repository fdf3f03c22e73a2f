"""The spectrogram: where a tone is, in bounded memory, whatever the blocks."""

from __future__ import annotations

import numpy as np
import pytest

from batchemo.app.charts import image_url
from batchemo.app.spectrogram import MAX_COLUMNS, ROWS, Spectrogram, SpectrogramAccumulator
from batchemo.common.arrays import Float64


def spectrogram_of(samples: Float64, rate: int, block: int = 4096) -> Spectrogram:
    accumulator = SpectrogramAccumulator(rate)
    for start in range(0, len(samples), block):
        accumulator.update(samples[start : start + block].astype(np.float32))
    found = accumulator.spectrogram()
    assert found is not None
    return found


@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
def test_a_tone_is_loudest_at_its_time_and_its_frequency(rate: int) -> None:
    at = np.arange(4 * rate) / rate
    found = spectrogram_of(np.where(at >= 3, np.sin(2 * np.pi * 1000 * at), 0), rate)
    row, column = np.unravel_index(found.levels.argmax(), found.levels.shape)
    rows, columns = found.levels.shape
    assert found.seconds == pytest.approx(4, abs=0.05)
    assert row / rows * found.top == pytest.approx(1000, abs=2 * found.top / rows)
    assert column / columns * found.seconds >= 2.9
    assert not found.levels[:, : columns // 2].any()


def test_hours_need_as_many_columns_as_minutes_and_keep_their_length() -> None:
    rate = 1_000
    found = spectrogram_of(np.random.default_rng(0).normal(size=7200 * rate), rate, 100_003)
    assert MAX_COLUMNS / 2 <= found.levels.shape[1] <= MAX_COLUMNS
    assert found.levels.shape[0] <= ROWS
    assert found.seconds == pytest.approx(7200, rel=0.01)


def test_the_sizes_of_the_blocks_do_not_matter() -> None:
    samples = np.random.default_rng(1).normal(size=200_000)
    one, other = (spectrogram_of(samples, 16_000, block) for block in (777, 65_536))
    assert np.array_equal(one.levels, other.levels)


def test_less_than_one_transform_has_no_spectrogram() -> None:
    assert SpectrogramAccumulator(16_000).spectrogram() is None


def test_the_image_needs_no_other_server() -> None:
    found = Spectrogram(1.0, 8000.0, np.zeros((4, 4), np.uint8))
    assert image_url(found).startswith("data:image/png;base64,")
