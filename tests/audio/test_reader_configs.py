"""Several configs and one decoding: each gets the windows that it would get alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from voices import voice

from batchemo.audio import AudioInfo, Failure, Window, WindowConfig, decode, read_windows

OTHER_RATE = 11_025
"""The rate of the recordings, which no model has."""

configs_strategy = st.builds(
    WindowConfig,
    rate=st.sampled_from([8_000, OTHER_RATE, 16_000, 22_050]),
    window=st.sampled_from([0.5, 1.0, 3.0, 3.5]),
    hop=st.sampled_from([0.25, 1.0, 3.0, 4.0]),
)


def read(path: Path, *configs: WindowConfig) -> tuple[list[Window], AudioInfo]:
    with read_windows(str(path), *configs) as reader:
        windows = list(reader)
    return windows, reader.info


def contents(windows: list[Window]) -> list[tuple[float, float, bool, bytes]]:
    return [(w.start, w.end, w.speech, w.samples.tobytes()) for w in windows]


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of nine seconds, which the decoder gives in a few blocks."""
    path = tmp_path_factory.mktemp("together") / "call.flac"
    soundfile.write(path, np.stack([voice(9.0, OTHER_RATE)] * 2, axis=1), OTHER_RATE)
    return path


@given(st.lists(configs_strategy, min_size=1, max_size=4))
@settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_each_config_gets_the_windows_that_it_gets_alone_bit_for_bit(
    recording: Path, monkeypatch: pytest.MonkeyPatch, configs: list[WindowConfig]
) -> None:
    monkeypatch.setattr(decode, "BLOCK_VALUES", 50_000)
    together, info = read(recording, *configs)
    assert info == read(recording, configs[0])[1]
    for index, single in enumerate(configs):
        own = [window for window in together if window.config_index == index]
        assert contents(own) == contents(read(recording, single)[0])


def test_a_recording_is_decoded_once(recording: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = []
    original = decode.Decoder._read

    def counted(self: decode.Decoder, count: int) -> np.ndarray:
        blocks.append(count)
        return original(self, count)

    monkeypatch.setattr(decode.Decoder, "_read", counted)
    config = WindowConfig(rate=16_000, window=3.0, hop=1.5)
    read(recording, config)
    single = len(blocks)
    read(recording, config, WindowConfig(rate=22_050, window=3.5, hop=1.0), config)
    assert len(blocks) == 2 * single


def test_a_recording_that_fails_for_one_config_fails_for_all(tmp_path: Path) -> None:
    path = tmp_path / "mostly.wav"
    soundfile.write(
        path, np.concatenate([voice(0.6, OTHER_RATE), np.zeros(40 * OTHER_RATE)]), OTHER_RATE
    )
    long = WindowConfig(rate=OTHER_RATE, window=3.0, hop=3.0)
    short = WindowConfig(rate=OTHER_RATE, window=0.2, hop=0.2)
    assert read(path, long)
    with pytest.raises(Failure, match="no_speech"):
        read(path, short)
    for configs in ((long, short), (short, long)):
        with pytest.raises(Failure, match="no_speech"):
            read(path, *configs)


def test_configs_that_differ_in_more_than_rate_window_and_hop_are_refused(recording: Path) -> None:
    first = WindowConfig(rate=16_000, window=3.0, hop=1.5)
    other = WindowConfig(rate=16_000, window=3.0, hop=1.5, channel="1")
    with pytest.raises(ValueError, match="rate, window and hop alone"):
        read_windows(str(recording), first, other)
