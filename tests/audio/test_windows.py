"""Resampling and cutting: the result never depends on the blocks that a signal arrives in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchemo.audio.windows import Resampler, WindowCutter


def cut(length: int, hop: int, blocks: list[np.ndarray]) -> list[tuple[int, list[float]]]:
    cutter = WindowCutter(length, hop)
    found = [pair for block in blocks for pair in cutter.process(block)]
    return [(start, samples.tolist()) for start, samples in [*found, *cutter.finish()]]


@pytest.mark.parametrize(
    ("total", "starts"),
    [
        (0, []),
        (1, [0]),
        (3, [0]),
        (4, [0]),
        (5, [0, 1]),
        (6, [0, 2]),
        (7, [0, 2, 3]),
        (8, [0, 2, 4]),
    ],
)
def test_windows_begin_at_every_hop_and_one_ends_with_the_signal(
    total: int, starts: list[int]
) -> None:
    signal = np.arange(total, dtype=np.float32)
    assert [start for start, _ in cut(4, 2, [signal])] == starts


@given(
    length=st.integers(1, 20),
    hop=st.integers(1, 30),
    sizes=st.lists(st.integers(0, 25), max_size=12),
)
def test_the_windows_do_not_depend_on_the_blocks(length: int, hop: int, sizes: list[int]) -> None:
    signal = np.arange(sum(sizes), dtype=np.float32)
    blocks = np.split(signal, np.cumsum(sizes)[:-1]) if sizes else []
    windows = cut(length, hop, blocks)
    assert windows == cut(length, hop, [signal])
    for start, samples in windows:
        assert samples == signal[start : start + length].tolist()
    if len(signal):
        assert windows[-1][0] + len(windows[-1][1]) == len(signal) or hop > length


@given(length=st.integers(1, 20), hop=st.integers(1, 30))
def test_the_buffer_is_bounded_by_a_window_a_hop_and_a_block(length: int, hop: int) -> None:
    cutter = WindowCutter(length, hop)
    for _ in range(50):
        list(cutter.process(np.zeros(7, np.float32)))
        assert len(cutter._buffer) <= length + hop + 7


@pytest.mark.parametrize("source_rate", [8000, 11025, 22050, 44100, 48000, 96000])
@pytest.mark.parametrize("target_rate", [16000, 22050])
@pytest.mark.parametrize("length", [1, 40, 30_000])
def test_resampling_one_block_gives_the_same_samples_as_many(
    source_rate: int, target_rate: int, length: int
) -> None:
    signal = np.random.default_rng(length).standard_normal(length).astype(np.float32)
    whole = Resampler(source_rate, target_rate).process(signal, last=True)
    streaming = Resampler(source_rate, target_rate)
    cuts = np.array_split(signal, 7)
    blocks = [streaming.process(cut, last=False) for cut in cuts]
    blocks.append(streaming.process(signal[:0], last=True))
    assert np.concatenate(blocks).tolist() == whole.tolist()
