"""Turns are cut like recordings, of one decoding, and alike whether in pieces or not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from voices import voice

from batchemo.audio import Window, WindowConfig, decode, pieces, read_windows
from batchemo.audio.measures import AudioInfo, TurnMeasures
from batchemo.audio.turn_reader import read_turns
from batchemo.common.turns import Turn, Turns

RATE = 16_000
SECONDS = 20
CONFIG = WindowConfig(rate=RATE, window=1.0, hop=0.75)
OTHER_RATE = WindowConfig(rate=22_050, window=2.0, hop=1.5)


@pytest.fixture(autouse=True)
def short_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of four seconds and more, and blocks that are shorter than a piece."""
    monkeypatch.setattr(pieces, "PIECE_SECONDS", 4)
    monkeypatch.setattr(decode, "BLOCK_VALUES", 20_000)


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty seconds in two channels, with a pause and a clipped syllable."""
    signal = 5.0 * voice(SECONDS + 0.3, RATE)
    signal[80_000:100_000] = 0
    path = tmp_path_factory.mktemp("turns") / "call.flac"
    soundfile.write(path, np.stack([signal, 0.5 * signal], axis=1).clip(-1, 1), RATE)
    return path


def read(
    path: Path, turns: list[Turn], *configs: WindowConfig, piece: int | None = None
) -> tuple[list[Window], dict[int, TurnMeasures], AudioInfo, int]:
    with read_turns(str(path), Turns(turns), *configs, piece=piece) as reader:
        windows = list(reader)
    return windows, reader.turn_measures, reader.info, len(reader.pieces)


def contents(windows: list[Window]) -> list[tuple[int, int, float, float, bool, bytes]]:
    """Return all of each window, those of each turn and config together."""
    found = [
        (w.turn, w.config_index, w.start, w.end, w.speech, w.samples.tobytes()) for w in windows
    ]
    return sorted(found, key=lambda window: window[:2])


def numbers(measures: TurnMeasures, info: AudioInfo) -> tuple[object, ...]:
    found = measures.describe(info)
    return found.duration, found.rms_db, found.clipped, found.silence, measures.frames


@pytest.mark.parametrize("config", [CONFIG, OTHER_RATE])
def test_all_of_a_recording_as_a_turn_is_that_recording(call: Path, config: WindowConfig) -> None:
    windows, measures, info, _ = read(call, [Turn()], config)
    with read_windows(str(call), config) as reader:
        assert contents(list(reader)) == contents(windows)
        assert measures[0].describe(info) == reader.info


@pytest.mark.parametrize(("start", "end"), [(2.0, 9.13), (0.0, 0.6), (3.0, 4.0), (15.5, 20.3)])
def test_a_turn_has_the_windows_and_measures_of_that_part_alone(
    call: Path, tmp_path: Path, start: float, end: float
) -> None:
    windows, measures, info, _ = read(call, [Turn(start, end)], CONFIG)
    samples, _ = soundfile.read(call, dtype="float32")
    alone = tmp_path / "alone.wav"
    part = samples[round(start * RATE) : round(end * RATE)]
    soundfile.write(alone, part, RATE, subtype="FLOAT")
    with read_windows(str(alone), CONFIG) as reader:
        expected = list(reader)
    assert [w.samples.tobytes() for w in windows] == [w.samples.tobytes() for w in expected]
    # In seconds from the beginning of the recording.
    assert [w.start - start for w in windows] == pytest.approx([w.start for w in expected])
    found = measures[0].describe(info)
    assert found.duration == pytest.approx(reader.info.duration)
    # Runs of clipped samples across two blocks may count for less.
    assert found.clipped == pytest.approx(reader.info.clipped, rel=0.02)


def test_the_end_of_a_turn_beyond_the_recording_is_that_of_the_recording(call: Path) -> None:
    inside, beyond = read(call, [Turn(15, 20.3), Turn(15, 99)], CONFIG)[0], None
    for window in inside:
        assert window.end <= SECONDS + 0.3
    inside, beyond = ([w for w in inside if w.turn == n] for n in (0, 1))
    assert [w.samples.tobytes() for w in inside] == [w.samples.tobytes() for w in beyond]


def test_a_channel_of_its_own_is_what_a_turn_is_of(call: Path) -> None:
    turns = [Turn(2, 4, channel=0), Turn(2, 4, channel=1), Turn(2, 4, channel=7)]
    windows, measures, _, _ = read(call, turns, CONFIG)
    first, second, none = ([w for w in windows if w.turn == n] for n in range(3))
    assert not none
    assert set(measures) == {0, 1}
    assert len(first) == len(second) > 1
    loud, quiet = first[0].samples, second[0].samples
    assert np.abs(loud).max() > 1.2 * np.abs(quiet).max()


@st.composite
def some_turns(draw: st.DrawFn) -> Turn:
    start = draw(st.floats(0, 22))
    length = draw(st.sampled_from([0.0, 0.01, 0.3, 0.99, 1.0, 1.01, 3.7, 12.0]))
    return Turn(start, start + length, channel=draw(st.sampled_from([None, 0, 1])))


@given(st.lists(some_turns() | st.just(Turn()), min_size=1, max_size=8))
@settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_the_pieces_have_all_windows_and_measures_bit_for_bit(
    call: Path, turns: list[Turn]
) -> None:
    windows, measures, info, count = read(call, turns, CONFIG, OTHER_RATE)
    assert count > 1
    parts = [read(call, turns, CONFIG, OTHER_RATE, piece=number) for number in range(count)]
    assert contents([window for part in parts for window in part[0]]) == contents(windows)
    joined: dict[int, TurnMeasures] = {}
    for part in parts:
        for turn, found in part[1].items():
            joined[turn] = joined[turn].joined(found) if turn in joined else found
    assert {turn: numbers(found, info) for turn, found in joined.items()} == {
        turn: numbers(found, info) for turn, found in measures.items()
    }
