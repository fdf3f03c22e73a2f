"""Every reason for failure, each from a real file; and the windows and facts of a recording."""

from __future__ import annotations

import os
import socket
import struct
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from voices import voice

from batchemo.audio import REASONS, AudioInfo, Failure, Window, WindowConfig, read_windows
from batchemo.errors import UsageError

RATE = 16_000
CONFIG = WindowConfig(rate=RATE, window=3.0, hop=1.5)
SPEECH = voice(4.0).astype(np.float32)


def read(path: Path | str, config: WindowConfig = CONFIG) -> tuple[list[Window], AudioInfo]:
    with read_windows(str(path), config) as reader:
        windows = list(reader)
    return windows, reader.info


def read_failure(path: Path | str, config: WindowConfig = CONFIG) -> tuple[Failure, AudioInfo]:
    with read_windows(str(path), config) as reader, pytest.raises(Failure) as raised:
        list(reader)
    return raised.value, reader.info


def write(path: Path, signal: np.ndarray, rate: int = RATE, subtype: str = "PCM_16") -> None:
    soundfile.write(path, signal, rate, subtype=subtype, format="WAV")


def make_nothing(path: Path) -> None:
    """Leave the path without a file."""


def make_truncated(path: Path) -> None:
    write(path, SPEECH)
    path.write_bytes(path.read_bytes()[:-1])


def make_socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's path must be short
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    finally:
        os.chdir(here)


MAKERS: list[tuple[str, Callable[[Path], object]]] = [
    ("missing", make_nothing),
    ("not_a_file", Path.mkdir),
    ("not_a_file", os.mkfifo),
    ("not_a_file", make_socket),
    ("not_a_file", lambda path: path.symlink_to("/dev/zero")),
    ("unreadable", lambda path: path.symlink_to(path)),
    ("empty", Path.touch),
    ("not_audio", lambda path: path.write_text("no sound at all\n" * 100)),
    ("not_audio", lambda path: path.write_bytes(b"RIFF\x24\0\0\0WAVE")),
    ("unsupported", lambda path: write(path, SPEECH, 999)),
    ("unsupported", lambda path: write(path, SPEECH, 2_000_000)),
    ("unsupported", lambda path: write(path, np.zeros((100, 65)))),
    ("needs_av", lambda path: path.write_bytes(b"\0\0\0\x14ftypM4A \0\0\0\0M4A ")),
    ("no_such_channel", lambda path: write(path, np.stack([SPEECH] * 2, axis=1))),
    ("too_large", lambda path: write(path, np.zeros(11 * RATE))),
    ("zero_frames", lambda path: write(path, np.zeros(0))),
    ("truncated", make_truncated),
    ("non_finite", lambda path: write(path, SPEECH * np.float32(np.nan), subtype="FLOAT")),
    ("non_finite", lambda path: write(path, SPEECH + np.float32(np.inf), subtype="FLOAT")),
    ("non_finite", lambda path: write(path, SPEECH * np.float32(1e30), subtype="DOUBLE")),
    ("too_short", lambda path: write(path, SPEECH[: RATE // 5])),
    ("silent", lambda path: write(path, np.zeros(RATE))),
    ("no_speech", lambda path: write(path, np.sin(np.arange(RATE) / 9))),
]
REASONS_OF_A_SCAN = {"timeout", "worker_died", "out_of_memory", "internal_error"}
REASONS_OF_TURNS = {"bad_turns", "no_turns", "outside_recording", "overlap"}
"""Tested in tests/batch/test_scan_turns.py."""


@pytest.mark.parametrize(("reason", "make"), MAKERS)
def test_each_reason_is_the_failure_of_a_real_file(
    reason: str,
    make: Callable[[Path], object],
    recording_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make(recording_path)
    if reason == "needs_av":
        monkeypatch.setitem(sys.modules, "av", None)
    channel = "2" if reason == "no_such_channel" else "mix"
    config = WindowConfig(rate=RATE, window=3.0, hop=1.5, channel=channel, max_duration=10)
    failure, _ = read_failure(recording_path, config)
    assert failure.reason == reason
    assert failure.detail


def test_every_reason_of_this_package_is_tested() -> None:
    assert {reason for reason, _ in MAKERS} == set(REASONS) - REASONS_OF_A_SCAN - REASONS_OF_TURNS


@pytest.mark.parametrize("reason", REASONS)
def test_each_reason_has_a_sentence_for_the_user(reason: str) -> None:
    assert REASONS[reason].endswith(".")
    assert len(REASONS[reason]) > 20


def test_a_failure_has_only_documented_reasons() -> None:
    with pytest.raises(ValueError, match="bad_luck"):
        Failure("bad_luck", "it rained")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_unreadable(recording_path: Path) -> None:
    write(recording_path, SPEECH)
    recording_path.chmod(0)
    assert read_failure(recording_path)[0].detail == "Permission denied"


@pytest.mark.parametrize("name", ["nul\0.wav", "\ud800.wav", "sound.wav/below.wav"])
def test_a_name_that_no_file_can_have_is_missing(name: str, recording_path: Path) -> None:
    write(recording_path, SPEECH)
    assert read_failure(recording_path.parent / name)[0].reason == "missing"


def test_no_descriptor_stays_open_after_failure_or_success(recording_path: Path) -> None:
    write(recording_path.with_name("good.wav"), SPEECH)
    before = len(os.listdir("/proc/self/fd"))
    for number, (_, make) in enumerate(MAKERS):
        path = recording_path.with_name(f"{number}.wav")
        make(path)
        with read_windows(str(path), CONFIG) as reader:
            try:
                list(reader)
            except Failure:
                continue
    read(recording_path.with_name("good.wav"))
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_recording_that_is_not_read_to_the_end_is_closed(recording_path: Path) -> None:
    write(recording_path, SPEECH)
    before = len(os.listdir("/proc/self/fd"))
    with read_windows(str(recording_path), CONFIG) as reader:
        windows = iter(reader)
        next(windows)
        assert len(os.listdir("/proc/self/fd")) > before
    assert len(os.listdir("/proc/self/fd")) == before


def test_info_describes_the_recording(recording_path: Path) -> None:
    signal = np.stack([SPEECH, SPEECH * 0.5], axis=1)
    write(recording_path, signal, 8_000)
    _, info = read(recording_path)
    status = recording_path.stat()
    assert (info.size, info.mtime_ns) == (status.st_size, status.st_mtime_ns)
    assert (info.sample_rate, info.channels) == (8_000, 2)
    assert info.duration == len(signal) / 8_000
    assert info.rms_db == pytest.approx(10 * np.log10(np.mean(signal.mean(axis=1) ** 2)), abs=0.3)
    assert info.clipped == 0
    assert info.silence is not None
    assert 0 <= info.silence < 0.5


def test_info_is_kept_after_a_failure(recording_path: Path) -> None:
    write(recording_path, np.zeros(RATE))
    _, info = read_failure(recording_path)
    assert (info.duration, info.rms_db, info.silence) == (1.0, -120.0, 1.0)


def test_info_of_a_missing_file_is_unknown(recording_path: Path) -> None:
    assert read_failure(recording_path)[1] == AudioInfo()


def test_names_are_opened_by_their_bytes(tmp_path: Path) -> None:
    for name in (b"caf\xe9.wav", b"two\nlines.wav", "ночь 🌙.wav".encode(), b" .wav"):
        path = os.path.join(os.fsencode(tmp_path), name)
        soundfile.write(path, SPEECH, RATE, format="WAV")
        windows, _ = read(os.fsdecode(path))
        assert len(windows) == 2


def test_a_single_channel_can_be_read(recording_path: Path) -> None:
    write(recording_path, np.stack([SPEECH * 0, SPEECH], axis=1), subtype="FLOAT")
    config = WindowConfig(rate=RATE, window=10.0, hop=10.0, channel="1")
    ((window,), _) = read(recording_path, config)
    np.testing.assert_array_equal(window.samples, SPEECH)
    failure, _ = read_failure(recording_path, replace(config, channel="0"))
    assert failure.reason == "silent"


def test_windows_cover_the_recording_and_the_last_has_full_length(recording_path: Path) -> None:
    write(recording_path, voice(5.2))
    windows, _ = read(recording_path)
    assert [(window.start, window.end) for window in windows] == [
        (0.0, 3.0),
        (1.5, 4.5),
        (pytest.approx(2.2), pytest.approx(5.2)),
    ]
    assert {len(window.samples) for window in windows} == {3 * RATE}
    assert {window.samples.dtype for window in windows} == {np.dtype(np.float32)}


def test_a_recording_shorter_than_a_window_is_one_shorter_window(recording_path: Path) -> None:
    write(recording_path, SPEECH[:RATE])
    ((window,), _) = read(recording_path)
    assert (window.start, window.end, len(window.samples)) == (0.0, 1.0, RATE)


def test_the_signal_is_resampled_by_soxr(recording_path: Path) -> None:
    write(recording_path, voice(2.0, 44_100), 44_100)
    ((window,), _) = read(recording_path)
    stored, rate = soundfile.read(recording_path, dtype="float32")
    np.testing.assert_allclose(window.samples, soxr.resample(stored, rate, RATE), atol=1e-6)


def test_the_same_file_gives_the_same_bytes_every_time(recording_path: Path) -> None:
    write(recording_path, np.tile(voice(3.0, 44_100), 10), 44_100)
    first, second = read(recording_path), read(recording_path)
    assert first[1] == second[1]
    assert [w.samples.tobytes() for w in first[0]] == [w.samples.tobytes() for w in second[0]]


def test_blocks_leave_no_discontinuity_in_the_resampled_signal(recording_path: Path) -> None:
    write(recording_path, np.tile(voice(3.0, 44_100), 10), 44_100)
    whole = WindowConfig(rate=RATE, window=30.0, hop=30.0)
    ((window,), _) = read(recording_path, whole)
    stored, rate = soundfile.read(recording_path, dtype="float32")
    np.testing.assert_allclose(window.samples, soxr.resample(stored, rate, RATE), atol=1e-5)


def test_windows_of_noise_are_marked_as_no_speech(recording_path: Path) -> None:
    noise = 0.05 * np.random.default_rng(0).standard_normal(6 * RATE)
    write(recording_path, np.concatenate([SPEECH[: 3 * RATE], noise]))
    windows, _ = read(recording_path, WindowConfig(rate=RATE, window=3.0, hop=3.0))
    assert [window.speech for window in windows] == [True, False, False]


def test_the_time_of_each_stage_is_recorded(recording_path: Path) -> None:
    write(recording_path, voice(2.0, 44_100), 44_100)
    with read_windows(str(recording_path), CONFIG) as reader:
        list(reader)
    assert set(reader.seconds) == {"decode", "resample", "vad"}
    assert all(seconds > 0 for seconds in reader.seconds.values())


@pytest.mark.parametrize("quieter", [0, 20, 40])
def test_quiet_speech_is_still_speech(quieter: int, recording_path: Path) -> None:
    write(recording_path, SPEECH * np.float32(10 ** (-quieter / 20)), subtype="PCM_24")
    windows, _ = read(recording_path)
    assert all(window.speech for window in windows)


def test_a_header_with_a_wrong_rate_needs_no_more_memory(recording_path: Path) -> None:
    write(recording_path, SPEECH)
    data = bytearray(recording_path.read_bytes())
    data[24:28] = struct.pack("<I", 768_000)
    recording_path.write_bytes(data)
    assert read_failure(recording_path)[0].reason == "too_short"


@pytest.mark.parametrize(
    "invalid",
    [
        {"rate": 0},
        {"window": 0.0},
        {"hop": -1.0},
        {"hop": float("nan")},
        {"channel": "left"},
        {"channel": "-1"},
        {"channel": "²"},
        {"min_duration": 5.0, "max_duration": 4.0},
    ],
)
def test_a_config_that_makes_no_sense_is_refused(invalid: dict[str, float | str]) -> None:
    valid: dict[str, float | str] = {"rate": RATE, "window": 3.0, "hop": 1.5}
    with pytest.raises(UsageError):
        WindowConfig(**{**valid, **invalid})  # type: ignore[arg-type]
