"""Every reason for failure, each from a real file; and what is known of a recording in the end."""

from __future__ import annotations

import os
import socket
import struct
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
OPTIONS = WindowConfig(rate=RATE, window=3.0, hop=1.5)
SPEECH = voice(4.0).astype(np.float32)


def hear(path: Path | str, options: WindowConfig = OPTIONS) -> tuple[list[Window], AudioInfo]:
    with read_windows(str(path), options) as heard:
        windows = list(heard)
    return windows, heard.info


def fail(path: Path | str, options: WindowConfig = OPTIONS) -> tuple[Failure, AudioInfo]:
    with read_windows(str(path), options) as heard, pytest.raises(Failure) as caught:
        list(heard)
    return caught.value, heard.info


def write(path: Path, sound: np.ndarray, rate: int = RATE, subtype: str = "PCM_16") -> None:
    soundfile.write(path, sound, rate, subtype=subtype, format="WAV")


def leave_nothing(path: Path) -> None:
    """There is no file at all."""


def make_truncated(path: Path) -> None:
    write(path, SPEECH)
    path.write_bytes(path.read_bytes()[:-1])


def make_socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's name must be short
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    finally:
        os.chdir(here)


MAKERS: list[tuple[str, Callable[[Path], object]]] = [
    ("missing", leave_nothing),
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
OF_THE_SCAN = {"timeout", "worker_died", "out_of_memory", "internal_error"}


@pytest.mark.parametrize(("reason", "make"), MAKERS)
def test_each_reason_has_a_file_that_triggers_it(
    reason: str, make: Callable[[Path], object], place: Path
) -> None:
    make(place)
    channel = "2" if reason == "no_such_channel" else "mix"
    options = WindowConfig(rate=RATE, window=3.0, hop=1.5, channel=channel, max_duration=10)
    failure, _ = fail(place, options)
    assert failure.reason == reason
    assert failure.detail


def test_no_reason_is_without_a_file() -> None:
    assert {reason for reason, _ in MAKERS} == set(REASONS) - OF_THE_SCAN


@pytest.mark.parametrize("reason", REASONS)
def test_each_reason_is_one_sentence_for_the_user(reason: str) -> None:
    assert REASONS[reason].endswith(".")
    assert len(REASONS[reason]) > 20


def test_a_failure_carries_no_reason_that_is_not_documented() -> None:
    with pytest.raises(ValueError, match="bad_luck"):
        Failure("bad_luck", "it rained")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_unreadable(place: Path) -> None:
    write(place, SPEECH)
    place.chmod(0)
    assert fail(place)[0].detail == "Permission denied"


@pytest.mark.parametrize("name", ["nul\0.wav", "\ud800.wav", "sound.wav/below.wav"])
def test_a_name_that_no_file_can_have_is_missing(name: str, place: Path) -> None:
    write(place, SPEECH)
    assert fail(place.parent / name)[0].reason == "missing"


def test_no_failure_and_no_success_leaves_a_descriptor_open(place: Path) -> None:
    write(place.with_name("good.wav"), SPEECH)
    before = len(os.listdir("/proc/self/fd"))
    for number, (_, make) in enumerate(MAKERS):
        path = place.with_name(f"{number}.wav")
        make(path)
        with read_windows(str(path), OPTIONS) as heard:
            try:
                list(heard)
            except Failure:
                continue
    hear(place.with_name("good.wav"))
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_recording_that_is_left_half_heard_is_closed(place: Path) -> None:
    write(place, SPEECH)
    before = len(os.listdir("/proc/self/fd"))
    with read_windows(str(place), OPTIONS) as heard:
        windows = iter(heard)
        next(windows)
        assert len(os.listdir("/proc/self/fd")) > before
    assert len(os.listdir("/proc/self/fd")) == before


def test_facts_tell_what_was_heard(place: Path) -> None:
    sound = np.stack([SPEECH, SPEECH * 0.5], axis=1)
    write(place, sound, 8_000)
    _, info = hear(place)
    status = place.stat()
    assert (info.size, info.mtime_ns) == (status.st_size, status.st_mtime_ns)
    assert (info.sample_rate, info.channels) == (8_000, 2)
    assert info.duration == len(sound) / 8_000
    assert info.rms_db == pytest.approx(10 * np.log10(np.mean(sound.mean(axis=1) ** 2)), abs=0.3)
    assert info.clipped == 0
    assert info.silence is not None
    assert 0 <= info.silence < 0.5


def test_facts_are_kept_after_a_failure(place: Path) -> None:
    write(place, np.zeros(RATE))
    _, info = fail(place)
    assert (info.duration, info.rms_db, info.silence) == (1.0, -120.0, 1.0)


def test_facts_of_a_missing_file_are_unknown(place: Path) -> None:
    assert fail(place)[1] == AudioInfo()


def test_names_are_opened_by_their_bytes(tmp_path: Path) -> None:
    for name in (b"caf\xe9.wav", b"two\nlines.wav", "ночь 🌙.wav".encode(), b" .wav"):
        path = os.path.join(os.fsencode(tmp_path), name)
        soundfile.write(path, SPEECH, RATE, format="WAV")
        windows, _ = hear(os.fsdecode(path))
        assert len(windows) == 2


def test_one_channel_is_heard_alone(place: Path) -> None:
    write(place, np.stack([SPEECH * 0, SPEECH], axis=1), subtype="FLOAT")
    options = WindowConfig(rate=RATE, window=10.0, hop=10.0, channel="1")
    ((window,), _) = hear(place, options)
    np.testing.assert_array_equal(window.samples, SPEECH)
    failure, _ = fail(place, replace(options, channel="0"))
    assert failure.reason == "silent"


def test_windows_cover_the_recording_and_the_last_is_full(place: Path) -> None:
    write(place, voice(5.2))
    windows, _ = hear(place)
    assert [(window.start, window.end) for window in windows] == [
        (0.0, 3.0),
        (1.5, 4.5),
        (pytest.approx(2.2), pytest.approx(5.2)),
    ]
    assert {len(window.samples) for window in windows} == {3 * RATE}
    assert {window.samples.dtype for window in windows} == {np.dtype(np.float32)}


def test_a_recording_shorter_than_a_window_is_one_shorter_window(place: Path) -> None:
    write(place, SPEECH[:RATE])
    ((window,), _) = hear(place)
    assert (window.start, window.end, len(window.samples)) == (0.0, 1.0, RATE)


def test_the_signal_is_the_one_that_soxr_gives(place: Path) -> None:
    write(place, voice(2.0, 44_100), 44_100)
    ((window,), _) = hear(place)
    stored, rate = soundfile.read(place, dtype="float32")
    np.testing.assert_allclose(window.samples, soxr.resample(stored, rate, RATE), atol=1e-6)


def test_the_same_file_gives_the_same_bytes_every_time(place: Path) -> None:
    write(place, np.tile(voice(3.0, 44_100), 10), 44_100)
    first, again = hear(place), hear(place)
    assert first[1] == again[1]
    assert [w.samples.tobytes() for w in first[0]] == [w.samples.tobytes() for w in again[0]]


def test_blocks_leave_no_seam_in_the_resampled_signal(place: Path) -> None:
    write(place, np.tile(voice(3.0, 44_100), 10), 44_100)
    whole = WindowConfig(rate=RATE, window=30.0, hop=30.0)
    ((window,), _) = hear(place, whole)
    stored, rate = soundfile.read(place, dtype="float32")
    np.testing.assert_allclose(window.samples, soxr.resample(stored, rate, RATE), atol=1e-5)


def test_a_window_of_noise_has_no_vote_beside_one_of_speech(place: Path) -> None:
    noise = 0.05 * np.random.default_rng(0).standard_normal(6 * RATE)
    write(place, np.concatenate([SPEECH[: 3 * RATE], noise]))
    windows, _ = hear(place, WindowConfig(rate=RATE, window=3.0, hop=3.0))
    assert [window.speech for window in windows] == [True, False, False]


def test_the_stages_tell_their_seconds(place: Path) -> None:
    write(place, voice(2.0, 44_100), 44_100)
    with read_windows(str(place), OPTIONS) as heard:
        list(heard)
    assert set(heard.seconds) == {"decode", "resample", "gate"}
    assert all(seconds > 0 for seconds in heard.seconds.values())


@pytest.mark.parametrize("quieter", [0, 20, 40])
def test_quiet_speech_is_still_heard(quieter: int, place: Path) -> None:
    write(place, SPEECH * np.float32(10 ** (-quieter / 20)), subtype="PCM_24")
    windows, _ = hear(place)
    assert all(window.speech for window in windows)


def test_a_header_that_lies_about_its_rate_needs_no_more_memory(place: Path) -> None:
    write(place, SPEECH)
    data = bytearray(place.read_bytes())
    data[24:28] = struct.pack("<I", 768_000)
    place.write_bytes(data)
    assert fail(place)[0].reason == "too_short"


@pytest.mark.parametrize(
    "wrong",
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
def test_options_that_make_no_sense_are_refused(wrong: dict[str, float | str]) -> None:
    right: dict[str, float | str] = {"rate": RATE, "window": 3.0, "hop": 1.5}
    with pytest.raises(UsageError):
        WindowConfig(**{**right, **wrong})  # type: ignore[arg-type]
