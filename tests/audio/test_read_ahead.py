"""Files that are slow to open are opened and read ahead: many at once, bounded, losing nothing."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from encoded_recordings import CONTAINERS, recording

from batchemo.audio import Failure, WindowConfig, read_ahead, read_windows
from batchemo.audio.file import open_audio, open_file
from batchemo.audio.read_ahead import ReadAhead

CONFIG = WindowConfig(rate=16000, window=3.0, hop=1.5)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Stand for a process in which a recording was slow already."""
    event = threading.Event()
    event.set()
    monkeypatch.setattr(read_ahead, "_slow", event)
    return event


@pytest.fixture
def files(tmp_path: Path) -> list[tuple[str, int]]:
    for number in range(8):
        (tmp_path / f"{number}.wav").write_bytes(recording("WAV") + bytes(number))
    return [(str(path), path.stat().st_size) for path in sorted(tmp_path.iterdir())]


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_many_files_are_opened_at_once(
    slow: threading.Event, files: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    everyone_waits = threading.Barrier(len(files), timeout=10)

    def open_slowly(path: str) -> Any:
        everyone_waits.wait()
        return open_file(path)

    monkeypatch.setattr(read_ahead, "open_file", open_slowly)
    before = open_descriptors()
    with ReadAhead(files) as ahead:
        for path, size in files:
            with ahead.open(path) as file:
                assert file.content == Path(path).read_bytes()
                assert file.size == size
    assert open_descriptors() == before


@pytest.mark.parametrize("container", CONTAINERS)
def test_what_was_read_ahead_gives_the_same_windows(
    container: str, slow: threading.Event, tmp_path: Path
) -> None:
    path = tmp_path / "a"
    path.write_bytes(recording(container))
    with ReadAhead([(str(path), path.stat().st_size)]) as ahead:
        readers = [read_windows(str(path), CONFIG, open_file=op) for op in (open_audio, ahead.open)]
        direct, held = ([each.samples.tobytes() for each in reader] for reader in readers)
    assert direct == held
    assert readers[0].info == readers[1].info


def test_a_fast_disk_is_not_read_ahead_and_a_slow_one_is_from_the_next_file_on(
    slow: threading.Event, files: list[tuple[str, int]]
) -> None:
    slow.clear()
    with ReadAhead(files) as ahead:
        with ahead.open(files[0][0]):
            busy_until = time.thread_time() + 0.01
            while time.thread_time() < busy_until:
                pass
        slow.clear()  # On a busy machine, work looks like waiting.
        with ahead.open(files[1][0]) as file:
            assert file.content is None
            time.sleep(0.05)  # As a read would.
        with ahead.open(files[2][0]) as file:
            assert file.content is not None


def test_no_more_files_and_bytes_are_held_than_allowed(
    slow: threading.Event, files: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []

    def noted(path: str) -> Any:
        opened.append(path)
        return open_file(path)

    monkeypatch.setattr(read_ahead, "MAX_BYTES", 3 * files[-1][1])
    monkeypatch.setattr(read_ahead, "open_file", noted)
    with ReadAhead(files) as ahead:
        for number, (path, _) in enumerate(files, start=1):
            with ahead.open(path):
                pass
            assert len(opened) <= number + 2
    monkeypatch.setattr(read_ahead, "MAX_FILES", 2)
    opened.clear()
    with ReadAhead(files) as ahead, ahead.open(files[0][0]):
        assert len(opened) <= 2


def test_a_large_file_is_opened_ahead_and_read_when_it_is_decoded(
    slow: threading.Event, files: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_ahead, "MAX_FILE_BYTES", files[0][1])
    with ReadAhead(files) as ahead:
        with ahead.open(files[0][0]) as small:
            assert small.content is not None
        with ahead.open(files[1][0]) as large:
            assert large.content is None
            assert large.read_at(0, 4) == b"RIFF"


def test_a_file_that_changed_since_it_was_found_is_read_as_it_is(
    slow: threading.Event, files: list[tuple[str, int]]
) -> None:
    path, size = files[0]
    with open(path, "ab") as stream:
        stream.write(bytes(10))
    with ReadAhead(files) as ahead, ahead.open(path) as file:
        assert file.content is None
        assert file.size == size + 10


def test_what_cannot_be_opened_ahead_fails_for_its_own_reason(
    slow: threading.Event, files: list[tuple[str, int]]
) -> None:
    os.unlink(files[1][0])
    os.unlink(files[2][0])
    os.mkfifo(files[2][0])
    reasons = []
    with ReadAhead(files) as ahead:
        for path, _ in files:
            try:
                with ahead.open(path):
                    reasons.append("")
            except Failure as failure:
                reasons.append(failure.reason)
    assert reasons == ["", "missing", "not_a_file", *[""] * 5]


def test_a_read_that_fails_ahead_is_tried_again_by_the_decoder(
    slow: threading.Event, files: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("batchemo.audio.read_ahead.os.preadv", broken)
    with ReadAhead(files) as ahead, ahead.open(files[0][0]) as file:
        assert file.content is None
        with pytest.raises(OSError, match="Input/output"):
            file.read_into(0, bytearray(4))


def test_what_was_opened_and_not_used_is_closed(
    slow: threading.Event, files: list[tuple[str, int]]
) -> None:
    before = open_descriptors()
    with ReadAhead(files) as ahead, ahead.open(files[0][0]):
        pass
    deadline = time.monotonic() + 10
    while open_descriptors() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert open_descriptors() == before


def test_a_file_that_is_named_twice_is_read_twice(
    slow: threading.Event, files: list[tuple[str, int]]
) -> None:
    with ReadAhead([files[0], files[0]]) as ahead:
        for _ in range(2):
            with ahead.open(files[0][0]) as file:
                assert file.read_at(0, 4) == b"RIFF"


def test_where_no_thread_can_be_had_files_are_opened_one_after_another(
    slow: threading.Event, files: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    read_ahead._threads.cache_clear()
    with ReadAhead(files) as ahead:
        for path, _ in files:
            with ahead.open(path) as file:
                assert file.content is None
    read_ahead._threads.cache_clear()
