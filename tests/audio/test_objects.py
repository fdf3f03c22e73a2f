"""Recordings in buckets: what is read of them, and that it is what a file has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from object_server import Bucket

from batchemo.audio import Failure, WindowConfig, read_windows
from batchemo.audio.file import OpenFile, open_file
from batchemo.audio.pieces import PIECE_SECONDS
from batchemo.audio.read_ahead import ReadAhead

RATE = 24_000


@pytest.fixture
def long_recording(bucket: Bucket, tmp_path: Path) -> Path:
    """A recording of two pieces and a half, too large to be read whole; and it in the bucket."""
    path = tmp_path / "long.wav"
    samples = np.random.default_rng(0).integers(
        -9000, 9000, int(2.5 * PIECE_SECONDS * RATE), np.int16
    )
    soundfile.write(path, samples, RATE)
    bucket.put("long.wav", path.read_bytes())
    return path


def windows_of(path: str, piece: int) -> list[tuple[float, bytes]]:
    config = WindowConfig(rate=16_000, window=30.0, hop=30.0)
    with read_windows(path, config, piece=piece) as reader:
        return [(window.start, window.samples.tobytes()) for window in reader]


def test_of_a_piece_only_its_blocks_are_read(bucket: Bucket, long_recording: Path) -> None:
    windows = windows_of(f"{bucket.url}/long.wav", 1)
    assert windows == windows_of(str(long_recording), 1)
    assert windows
    # The first request is for all, of which only the answer's header is read; a block has 2 MiB.
    blocks = -(-long_recording.stat().st_size // (2 * 2**20))
    assert 3 <= len(bucket.proxy.requests) < blocks + 1


def test_a_recording_that_changes_while_it_is_read_fails(bucket: Bucket) -> None:
    bucket.put("a.wav", b"1" * (5 * 2**20))
    file = open_file(f"{bucket.url}/a.wav")
    bucket.put("a.wav", b"2" * file.size)
    assert file.read_at(0, 1) == b"1"  # Of the block that was read at first.
    with pytest.raises(OSError, match="changed while it was read"):
        file.read_at(file.size - 100, 50)
    assert file.errors


def test_what_is_read_ahead_is_asked_for_once(bucket: Bucket) -> None:
    names = [f"{number:02d}.wav" for number in range(34)]
    for name in names:
        bucket.put(name, name.encode())
    files = [(f"{bucket.url}/{name}", 6) for name in [*names, "none.wav"]]
    with ReadAhead(files) as ahead:
        for name in names:
            with ahead.open(f"{bucket.url}/{name}") as file:
                assert isinstance(file, OpenFile)
                assert file.read_at(0, 10) == name.encode()
        with pytest.raises(Failure, match="missing"), ahead.open(f"{bucket.url}/none.wav"):
            pass
    assert len(bucket.proxy.requests) == len(files)
