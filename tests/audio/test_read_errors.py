"""What cannot be read is never taken for damage, for silence or for the end of a recording."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from encoded_recordings import CONTAINERS, recording, speech
from media_recordings import ENCODINGS, media

from batchemo.audio import Failure, WindowConfig, open_audio, read_windows
from batchemo.audio import decode as decoding
from batchemo.audio.decode import open_decoder
from batchemo.audio.file import FileView

CONFIG = WindowConfig(rate=16000, window=3.0, hop=1.5)


class Disk:
    """Stands before the calls that read a file, counts them, and can make some of them fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reads = self.bytes = 0
        self.is_broken: Callable[[int], bool] = lambda number: False
        self.error = errno.EIO
        for name in ("pread", "preadv"):
            monkeypatch.setattr(f"batchemo.audio.file.os.{name}", self.wrap(getattr(os, name)))

    def wrap(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any) -> Any:
            self.reads += 1
            if self.is_broken(self.reads):
                raise OSError(self.error, os.strerror(self.error))
            result = call(*arguments)
            self.bytes += result if isinstance(result, int) else len(result)
            return result

        return wrapped

    def outcome(self, path: Path) -> str:
        """Read a recording; return the reason and detail of its failure, or what it holds."""
        self.reads = self.bytes = 0
        try:
            with read_windows(str(path), CONFIG) as reader:
                return str([float(window.samples.sum()) for window in reader])
        except Failure as failure:
            return str(failure)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def content_of(name: str) -> bytes:
    if name in ENCODINGS:
        pytest.importorskip("av", reason="needs PyAV: pip install 'batchemo[av]'")
        return media(name)
    if name == "two FLAC streams":
        return 2 * recording("FLAC")
    if name == "WAV of 24 bits":
        return recording("WAV", "PCM_24")
    return recording(name)


@pytest.mark.parametrize("name", [*CONTAINERS, "WAV of 24 bits", "two FLAC streams", *ENCODINGS])
def test_a_read_that_fails_makes_a_recording_unreadable_whichever_it_is(
    name: str, disk: Disk, tmp_path: Path
) -> None:
    path = tmp_path / "a"
    path.write_bytes(content_of(name))
    assert disk.outcome(path).startswith("[")
    reads = disk.reads
    assert disk.bytes >= 0.9 * path.stat().st_size, "it is read in another way too"
    for number in range(1, reads + 1, max(1, reads // 50)):
        for is_broken in (number.__eq__, number.__le__):
            disk.is_broken = is_broken
            assert disk.outcome(path) == "unreadable: Input/output error", number


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (errno.ESTALE, "unreadable: Stale file handle"),
        (errno.EACCES, "unreadable: Permission denied"),
        (errno.EMFILE, "unreadable: Too many open files"),
        (errno.ENOMEM, "out_of_memory: there was not enough memory to read it"),
    ],
)
def test_the_failure_says_what_the_machine_lacked(
    error: int, outcome: str, disk: Disk, tmp_path: Path
) -> None:
    path = tmp_path / "a"
    path.write_bytes(recording("FLAC"))
    disk.error = error
    for number in count(1):
        disk.is_broken = number.__eq__
        if number > 1 and disk.outcome(path).startswith("["):
            break
        assert disk.outcome(path) == outcome
    assert number > 5


def test_lack_of_memory_in_a_decoder_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    path.write_bytes(recording("FLAC"))

    def fail(*arguments: object, **options: object) -> None:
        raise soundfile.LibsndfileError(17)

    for call in ("__init__", "read"):
        with monkeypatch.context() as patch:
            patch.setattr(decoding._ForwardFile, call, fail)
            with pytest.raises(Failure, match="out_of_memory"):
                list(read_windows(str(path), CONFIG))


def test_a_view_is_at_its_end_after_an_error(disk: Disk, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"0123456789")
    with open_audio(str(path)) as file:
        view = FileView(file, b"<", range(2, 6), b">")
        assert view.read(3) == b"<23"
        disk.is_broken = lambda number: True
        assert view.read(3) == b""
        disk.is_broken = lambda number: False
        assert (view.tell(), view.seek(0), view.read(3)) == (6, 6, b"")
        assert [error.errno for error in file.errors if isinstance(error, OSError)] == [errno.EIO]


@pytest.mark.parametrize("limit", [0, 1 << 25])
def test_an_mp3_is_read_alike_from_a_copy_in_memory_and_from_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    path = tmp_path / "a"
    path.write_bytes(recording("MP3", signal=np.tile(speech(), 20)))
    before = set(os.listdir("/proc/self/fd"))
    expected = _decoded(path)
    monkeypatch.setattr(decoding, "_COPIED_BYTES", limit)
    assert np.array_equal(_decoded(path), expected)
    assert set(os.listdir("/proc/self/fd")) == before


def test_an_mp3_is_read_from_the_file_where_memory_holds_no_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    path.write_bytes(recording("MP3"))
    expected = _decoded(path)

    def full(name: str) -> int:
        return os.open("/dev/full", os.O_WRONLY)

    monkeypatch.setattr("batchemo.audio.decode.os.memfd_create", full)
    assert np.array_equal(_decoded(path), expected)


def _decoded(path: Path) -> np.ndarray:
    with open_audio(str(path)) as file:
        decoder = open_decoder(file)
        try:
            return np.concatenate(list(decoder.blocks()))
        finally:
            decoder.close()
