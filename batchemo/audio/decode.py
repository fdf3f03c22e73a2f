"""Turns an open file into blocks of float32 frames, and notices files that break their promise."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import soundfile

from batchemo.audio.failure import Failure
from batchemo.audio.file import OpenFile
from batchemo.audio.formats.containers import detect_format, end_of_tags, find_audio_chunk
from batchemo.audio.formats.mp3 import find_frame, missing_index
from batchemo.audio.formats.ogg import find_ogg_damage
from batchemo.common.arrays import Float32

# 2 MB of float32: eleven seconds of 48 kHz mono, so that most recordings are one block.
BLOCK_VALUES = 1 << 19
RATES = range(1_000, 768_001)
MOST_CHANNELS = 64

# libsndfile's codes for an error at opening; the others mean a header that is broken.
_UNKNOWN_FORMAT, _SYSTEM_ERROR, _UNSUPPORTED_ENCODING = 1, 2, 4
_SIXTEEN_BITS = np.float32(2**-15)
# What libsndfile says where a format cannot tell its length.
_LENGTH_UNKNOWN = 1 << 62
# The length of an MP3 without an index is an estimate; its decoder's delay is no loss.
_ESTIMATED = {"MP3": 0.02}


class _ForwardFile(soundfile.SoundFile):  # type: ignore[misc]
    """A sound file that is never sought in: soundfile seeks after each read of a seekable one."""

    def seekable(self) -> bool:
        return False


class _View(io.RawIOBase):
    """An open file from `start` on, behind other bytes, or with some replaced from `offset` on."""

    def __init__(
        self,
        file: OpenFile,
        start: int = 0,
        before: bytes = b"",
        offset: int = 0,
        replacement: bytes = b"",
    ) -> None:
        self._file = file
        self._start = start
        self._before = before
        self._offset = offset
        self._replacement = replacement
        self._position = 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        size = len(self._before) + self._file.size - self._start
        self._position = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: size}[whence]
        self._position += offset
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any) -> int:
        data = bytearray(self._before[self._position : self._position + len(buffer)])
        behind = self._start + max(0, self._position - len(self._before))
        data += self._file.read_at(behind, len(buffer) - len(data))
        for index, byte in enumerate(self._replacement, self._offset - self._position):
            if 0 <= index < len(data):
                data[index] = byte
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


class Decoder:
    """The sound of one open file, as float32 frames at the file's own rate.

    Opening raises `Failure` for a file that libsndfile cannot read, or that holds less than its
    header promises; `blocks` raises it for what only decoding can tell.
    """

    def __init__(self, file: OpenFile) -> None:
        if file.size == 0:
            raise Failure("empty", "0 bytes")
        kind = detect_format(file.read_at)
        if kind is None:
            raise Failure("not_audio", f"{file.size:,} bytes, which begin like no known recording")
        self._file = file
        self._kind = kind
        self._sound = find_audio_chunk(kind, file.read_at, file.size)
        self._handle = self._open()
        self.sample_rate: int = self._handle.samplerate
        self.channels: int = self._handle.channels
        self.position = 0

    def _open(self) -> soundfile.SoundFile:
        try:
            return _ForwardFile(self._source(), closefd=False)
        except soundfile.LibsndfileError as error:
            said = error.error_string.rstrip(".")
            if error.code == _SYSTEM_ERROR:
                raise Failure("unreadable", said) from None
            if error.code == _UNSUPPORTED_ENCODING:
                raise Failure("unsupported", said) from None
            self._require_promised()
            raise Failure("not_audio", f"{self._file.size:,} bytes: {said}") from None

    def _source(self) -> _View | int | str:
        """What libsndfile is to read from."""
        if self._sound and self._sound.repair:
            offset, replacement = self._sound.repair
            return _View(self._file, offset=offset, replacement=replacement)
        if self._kind != "MP3":
            return self._file.descriptor
        tags = end_of_tags(self._file.read_at) or 0
        frame = find_frame(self._file.read_at, tags) or 0
        index = missing_index(self._file.read_at, frame, self._file.size)
        if index is not None:
            return _View(self._file, index.sound, before=index.frame)
        if frame != tags:
            return _View(self._file, frame)
        # Before it knows an MP3, libsndfile looks for a second file beside it; where it has only a
        # descriptor, in the current folder, and takes what it finds there for a part of the sound.
        return f"/dev/fd/{self._file.descriptor}"

    def close(self) -> None:
        """Let go of libsndfile's handle; the descriptor stays with whoever opened it."""
        self._handle.close()

    @property
    def promised(self) -> int | None:
        """How many frames the header promises; None where it does not tell."""
        frames: int = self._handle.frames
        return frames if frames < _LENGTH_UNKNOWN else None

    @property
    def full_scale(self) -> float:
        """The least level that counts as full scale: coarse codes do not reach 1."""
        coarse = {"PCM_U8": 127 / 128, "PCM_S8": 127 / 128, "ULAW": 0.98, "ALAW": 0.98}
        return coarse.get(self._handle.subtype, 0.999)

    def check(self) -> None:
        """Raise `Failure` for what the header alone shows to be wrong."""
        if self.sample_rate not in RATES:
            raise Failure("unsupported", f"a sample rate of {self.sample_rate:,} Hz")
        if self.channels > MOST_CHANNELS:
            raise Failure("unsupported", f"{self.channels} channels")
        self._require_promised()
        flaw = find_ogg_damage(self._file.read_at, self._file.size) if self._kind == "OGG" else None
        if flaw is not None:
            raise flaw

    def _require_promised(self) -> None:
        """Raise `Failure` for a file that ends before the sound that its header promises."""
        missing = self._sound.missing(self._file.size) if self._sound else 0
        if self._sound and missing:
            promised = self._sound.promised or 0
            held = max(0, promised - missing)
            found = f"the header promises {promised:,} bytes of sound, the file holds {held:,}"
            raise Failure("truncated" if held else "zero_frames", found)

    def blocks(self) -> Iterator[Float32]:
        """Give the sound as arrays of shape (frames, channels), none larger than a block."""
        most = max(1, BLOCK_VALUES // self.channels)
        while True:
            left = most if self.promised is None else min(most, self.promised - self.position)
            block = self._read(left) if left > 0 else None
            if block is None or not len(block):
                break
            self.position += len(block)
            yield block
        self._check_end()

    @property
    def at_end(self) -> bool:
        """Whether all the promised frames have been given."""
        return self.position == self.promised

    def _read(self, count: int) -> Float32:
        """Read up to `count` frames. 16-bit sound is scaled here: three times as fast."""
        sixteen = self._handle.subtype == "PCM_16"
        raw = np.empty((count, self.channels), np.int16 if sixteen else np.float32)
        try:
            raw = self._handle.read(out=raw)
        except soundfile.LibsndfileError as error:
            raise self._broken(error.error_string.rstrip(".")) from None
        frames: Float32 = np.multiply(raw, _SIXTEEN_BITS) if sixteen else raw
        return frames

    def _check_end(self) -> None:
        if self.position == 0 and not self.promised:
            raise Failure("zero_frames", f"{self._file.size:,} bytes, no frames")
        if self.promised is None:
            return
        short = self.promised - self.position
        if short > _ESTIMATED.get(self._handle.format, 0) * self.promised:
            raise self._broken("the sound ends there")

    def _broken(self, why: str) -> Failure:
        of = "" if self.promised is None else f" of {self.promised:,}"
        return Failure("truncated", f"{self.position:,}{of} frames could be read: {why}")


def mix(frames: Float32) -> Float32:
    """The mean of all channels as one signal."""
    channels = frames.shape[1]
    if channels == 1:
        return frames[:, 0]
    # Column by column: numpy's mean over a short last axis takes thirty times as long.
    mono: Float32 = frames[:, 0].copy()
    for column in range(1, channels):
        mono += frames[:, column]
    mono /= channels
    return mono
