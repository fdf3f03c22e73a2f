"""Several wishes and one decoding: each gets what it would get alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from voices import voice

from batchemo.audio import AudioInfo, Failure, Window, WindowConfig, decode, read_windows

FAR = 11_025
"""A rate of the recordings that no model has."""

wishes = st.builds(
    WindowConfig,
    rate=st.sampled_from([8_000, FAR, 16_000, 22_050]),
    window=st.sampled_from([0.5, 1.0, 3.0, 3.5]),
    hop=st.sampled_from([0.25, 1.0, 3.0, 4.0]),
)


def hear(path: Path, *options: WindowConfig) -> tuple[list[Window], AudioInfo]:
    with read_windows(str(path), *options) as heard:
        windows = list(heard)
    return windows, heard.info


def told(windows: list[Window]) -> list[tuple[float, float, bool, bytes]]:
    return [(w.start, w.end, w.speech, w.samples.tobytes()) for w in windows]


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine seconds of babble, in a few blocks of the decoder's."""
    path = tmp_path_factory.mktemp("together") / "call.flac"
    soundfile.write(path, np.stack([voice(9.0, FAR)] * 2, axis=1), FAR)
    return path


@given(st.lists(wishes, min_size=1, max_size=4))
@settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_each_wish_gets_the_windows_that_it_gets_alone_bit_for_bit(
    call: Path, monkeypatch: pytest.MonkeyPatch, several: list[WindowConfig]
) -> None:
    monkeypatch.setattr(decode, "BLOCK_VALUES", 50_000)
    together, info = hear(call, *several)
    assert info == hear(call, several[0])[1]
    for place, alone in enumerate(several):
        of_this = [window for window in together if window.of == place]
        assert told(of_this) == told(hear(call, alone)[0])


def test_a_recording_is_decoded_once(call: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = []
    original = decode.Decoder._read

    def counted(self: decode.Decoder, count: int) -> decode.Frames:
        blocks.append(count)
        return original(self, count)

    monkeypatch.setattr(decode.Decoder, "_read", counted)
    near = WindowConfig(rate=16_000, window=3.0, hop=1.5)
    hear(call, near)
    alone = len(blocks)
    hear(call, near, WindowConfig(rate=22_050, window=3.5, hop=1.0), near)
    assert len(blocks) == 2 * alone


def test_a_recording_fails_for_all_where_it_fails_for_one(tmp_path: Path) -> None:
    path = tmp_path / "mostly.wav"
    soundfile.write(path, np.concatenate([voice(0.6, FAR), np.zeros(40 * FAR)]), FAR)
    long = WindowConfig(rate=FAR, window=3.0, hop=3.0)
    short = WindowConfig(rate=FAR, window=0.2, hop=0.2)
    assert hear(path, long)
    with pytest.raises(Failure, match="no_speech"):
        hear(path, short)
    for several in ((long, short), (short, long)):
        with pytest.raises(Failure, match="no_speech"):
            hear(path, *several)


def test_wishes_that_judge_a_recording_differently_cannot_be_heard_together(call: Path) -> None:
    one = WindowConfig(rate=16_000, window=3.0, hop=1.5)
    other = WindowConfig(rate=16_000, window=3.0, hop=1.5, channel="1")
    with pytest.raises(ValueError, match="rate, window and hop alone"):
        read_windows(str(call), one, other)
