"""Windows are the same whatever the pieces a signal arrives in, and hold no more than they must."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchemo.audio.windows import WindowCutter


def cut(length: int, hop: int, pieces: list[np.ndarray]) -> list[tuple[int, list[float]]]:
    cutter = WindowCutter(length, hop)
    found = [pair for piece in pieces for pair in cutter.feed(piece)]
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
def test_windows_stand_at_every_hop_and_one_at_the_end(total: int, starts: list[int]) -> None:
    signal = np.arange(total, dtype=np.float32)
    assert [start for start, _ in cut(4, 2, [signal])] == starts


@given(
    length=st.integers(1, 20),
    hop=st.integers(1, 30),
    sizes=st.lists(st.integers(0, 25), max_size=12),
)
def test_pieces_make_no_difference(length: int, hop: int, sizes: list[int]) -> None:
    signal = np.arange(sum(sizes), dtype=np.float32)
    pieces = np.split(signal, np.cumsum(sizes)[:-1]) if sizes else []
    windows = cut(length, hop, pieces)
    assert windows == cut(length, hop, [signal])
    for start, samples in windows:
        assert samples == signal[start : start + length].tolist()
    if len(signal):
        assert windows[-1][0] + len(windows[-1][1]) == len(signal) or hop > length


@given(length=st.integers(1, 20), hop=st.integers(1, 30))
def test_what_is_kept_is_bounded_by_a_window_a_hop_and_a_piece(length: int, hop: int) -> None:
    cutter = WindowCutter(length, hop)
    for _ in range(50):
        list(cutter.feed(np.zeros(7, np.float32)))
        assert len(cutter._kept) <= length + hop + 7
