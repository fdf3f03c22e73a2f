"""Decodes plain WAV files of 16 bits, which most recordings are, without libsndfile.

The samples are those of libsndfile, for half of its time: it reads a header through Python in ten
small pieces. Whatever is unusual or wrong about a file is left to it, and to its messages.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from batchemo.audio.failure import Failure
from batchemo.audio.file import OpenFile
from batchemo.common.arrays import Float32

_HEADER_BYTES = 1024
"""Read at once; a longer header is unusual."""
_PCM = 1
_PASSED_OVER = (b"LIST", b"JUNK", b"fact", b"bext")
"""Chunks that may stand before the audio or after it."""
_SCALE = np.float32(2**-15)
_FULL_SCALE = 0.999


class _Format(NamedTuple):
    encoding: int
    channels: int
    sample_rate: int
    bytes_a_second: int
    bytes_a_frame: int
    bits: int


def open_pcm(file: OpenFile, block_values: int) -> PcmDecoder | None:
    """Return the decoder of a plain WAV file of 16 bits, if this is a whole one."""
    header = file.read_at(0, _HEADER_BYTES)
    if header[:4] != b"RIFF" or header[8:12] != b"WAVE":
        return None
    offset, found = 12, None
    while offset + 8 <= len(header):
        name, (length,) = header[offset : offset + 4], struct.unpack_from("<I", header, offset + 4)
        start = offset + 8
        if name == b"data":
            return _open_data(file, found, start, length, block_values)
        if name == b"fmt " and found is None and length in (16, 18) and start + 16 <= len(header):
            found = _Format(*struct.unpack_from("<HHIIHH", header, start))
        elif name not in _PASSED_OVER:
            return None
        offset = start + length + length % 2
    return None


def _open_data(
    file: OpenFile, found: _Format | None, start: int, length: int, block_values: int
) -> PcmDecoder | None:
    if found is None or (found.encoding, found.bits) != (_PCM, 16) or found.channels == 0:
        return None
    if found.bytes_a_frame != 2 * found.channels or found.sample_rate == 0:
        return None
    if length < found.bytes_a_frame or start + length > file.size:
        return None
    rest = file.read_at(start + length + length % 2, 4)
    if rest and rest not in _PASSED_OVER:
        return None  # Another part with audio, for instance, which nobody should miss.
    frames = length // found.bytes_a_frame
    return PcmDecoder(file, start, frames, found.sample_rate, found.channels, block_values)


class PcmDecoder:
    """Decodes the samples of an open file from `start` on; the interface is `Decoder`'s."""

    full_scale = _FULL_SCALE
    seekable = True

    def __init__(
        self,
        file: OpenFile,
        start: int,
        frames: int,
        sample_rate: int,
        channels: int,
        block_values: int,
    ) -> None:
        self._file, self._start = file, start
        self._block_frames = max(1, block_values // channels)
        self.declared_frames = frames
        self.sample_rate = sample_rate
        self.channels = channels
        self.position = 0
        """The frame after the last one that was decoded."""
        self.peak = 0.0
        """The largest magnitude in the last block, over all channels."""

    def close(self) -> None:
        """Do nothing: the descriptor belongs to the caller."""

    def check(self) -> None:
        """Do nothing: nothing is wrong with a header that was taken."""

    @property
    def at_end(self) -> bool:
        """Whether all declared frames have been decoded."""
        return self.position == self.declared_frames

    def blocks(self) -> Iterator[Float32]:
        """Yield the audio as arrays (frames, channels)."""
        yield from self.blocks_of(range(self.declared_frames))

    def blocks_of(self, frames: range) -> Iterator[Float32]:
        """Yield some of the frames, as `blocks` yields all."""
        self.position = frames.start
        while self.position < frames.stop:
            count = min(self._block_frames, frames.stop - self.position)
            raw = np.empty((count, self.channels), "<i2")
            self._read(raw)
            self.position += count
            # Of integers, this takes a quarter of the time.
            self.peak = max(int(raw.max()), -int(raw.min())) * float(_SCALE)
            yield np.multiply(raw, _SCALE)

    def _read(self, raw: np.ndarray[tuple[int, int], np.dtype[np.int16]]) -> None:
        offset = self._start + self.position * self.channels * 2
        left = raw.data.cast("B")
        while left:
            filled = self._file.read_into(offset, left)
            if filled == 0:
                detail = f"{self.position:,} of {self.declared_frames:,} frames could be read"
                raise Failure("truncated", f"{detail}: the sound ends there")
            left, offset = left[filled:], offset + filled
