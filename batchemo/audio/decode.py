"""Decodes an open file into blocks of float32 frames, and detects files that are incomplete.

libsndfile does the decoding, and PyAV that of what libsndfile does not read (see `decode_av`); for
plain WAV files neither is needed (see `decode_pcm`).
libsndfile is lenient where a batch run must not be: a file that holds less than its header declares
is shortened without an error, and of some damaged files it returns audio that was never recorded.
So headers are read here too, and compared with the file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import TypeAlias

import numpy as np
import soundfile

from batchemo.audio.decode_av import AvDecoder
from batchemo.audio.decode_pcm import PcmDecoder, open_pcm
from batchemo.audio.failure import Failure
from batchemo.audio.file import FileView, OpenFile
from batchemo.audio.formats.chunks import find_audio_chunk
from batchemo.audio.formats.containers import detect_format, end_of_tags
from batchemo.audio.formats.flac import find_flac_streams
from batchemo.audio.formats.media import MEDIA_FORMATS
from batchemo.audio.formats.mp3 import find_frame, make_missing_header
from batchemo.audio.formats.names import name_other_encoding, name_other_format
from batchemo.audio.formats.ogg import find_ogg_damage, find_ogg_streams
from batchemo.common.arrays import Float32

# 2 MB of float32: eleven seconds of 48 kHz mono, so that most recordings are one block.
BLOCK_VALUES = 1 << 19
SAMPLE_RATES = range(1_000, 768_001)
MAX_CHANNELS = 64
_COPIED_BYTES = 32 * 2**20
"""The largest MP3 that is copied: half an hour of a common one."""
_MAX_STREAMS = 1000
"""Streams that follow each other in one file; each is opened twice."""

# libsndfile's codes for an error at opening; all others mean that the header is broken.
_SYSTEM_ERROR, _UNSUPPORTED_ENCODING, _OUT_OF_MEMORY = 2, 4, 17
_INTERNAL_ERROR = "Unspecified internal error"
_DAMAGE = "what follows is damaged"
_INT16_SCALE = np.float32(2**-15)
# libsndfile reports a number of frames from here on where a format does not declare its length.
_UNKNOWN_FRAMES = 1 << 62
# The share of the declared frames that may be missing: the length of an MP3 without a Xing header
# is an estimate, and the delay of its decoder is no loss of audio.
_TOLERATED_LOSS = {"MP3": 0.02, "MPEG_LAYER_III": 0.02}
# An MP3 inside a WAV: there the header counts the delay of encoder and decoder too.
_TOLERATED_FRAMES = {"MPEG_LAYER_III": 2 * 1152}
# Encodings in which each sample stands alone. In others, decoders keep what came before.
_SEEKABLE = {"PCM_U8", "PCM_S8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"}
# The highest code of 8-bit, µ-law and A-law audio does not reach 1 when scaled.
_FULL_SCALE = {"PCM_U8": 127 / 128, "PCM_S8": 127 / 128, "ULAW": 0.98, "ALAW": 0.98}


def open_decoder(file: OpenFile, *, single: bool = False) -> AnyDecoder:
    """Return the decoder for an open file, by the format that its content begins as.

    Raises `Failure` for a file that no decoder may read or can open. With `single`, the file is
    known to hold a single stream: others are not searched for, which reads all of it.
    """
    if file.size == 0:
        raise Failure("empty", "0 bytes")
    # libsndfile recognises formats by as little as two bytes, so arbitrary files would pass for
    # audio, and some of its decoders are unmaintained: only known formats may reach it.
    audio_format = detect_format(file.read_at)
    # Other files can hold frames of MP3 too.
    if audio_format in (None, "MP3") and (name := name_other_format(file.read_at)):
        raise Failure("unsupported", f"{name}, a format that is not read: convert it")
    if audio_format is None:
        raise Failure("not_audio", f"{file.size:,} bytes, which begin like no known recording")
    if audio_format in MEDIA_FORMATS:
        return AvDecoder(file, audio_format, BLOCK_VALUES)
    if audio_format == "WAV":
        pcm = open_pcm(file, BLOCK_VALUES)
        if pcm and pcm.sample_rate in SAMPLE_RATES and pcm.channels <= MAX_CHANNELS:
            return pcm
    starts = [] if single else _find_streams(file, audio_format)
    if len(starts) > _MAX_STREAMS:
        raise Failure("unsupported", f"more than {_MAX_STREAMS:,} streams follow each other")
    if len(starts) > 1:
        return JoinedDecoder(file, audio_format, starts)
    return Decoder(file, audio_format)


def _find_streams(file: OpenFile, audio_format: str) -> list[int]:
    """Return where the streams of a file begin, of which libsndfile would decode the first alone.

    Empty for the formats of which it decodes all.
    """
    if audio_format == "FLAC":
        return find_flac_streams(file.read_at, end_of_tags(file.read_at) or 0, file.size)
    return find_ogg_streams(file.read_at, file.size) if audio_format == "OGG" else []


class Decoder:
    """Decodes one open file to float32 frames at the file's own sample rate, by libsndfile.

    The constructor raises `Failure` for a file that libsndfile cannot open, `check` for what the
    header shows to be wrong, and `blocks` for what only decoding can show.
    """

    def __init__(self, file: OpenFile, audio_format: str) -> None:
        self._file = file
        self._format = audio_format
        self._chunk = find_audio_chunk(audio_format, file.read_at, file.size)
        self._handle = self._open()
        self.sample_rate: int = self._handle.samplerate
        self.channels: int = self._handle.channels
        self.position = 0
        """The frame after the last one that was decoded."""

    def _open(self) -> soundfile.SoundFile:
        try:
            with self._input() as source:
                return _ForwardFile(source)
        except soundfile.LibsndfileError as error:
            if error.code == _OUT_OF_MEMORY:
                raise MemoryError from None
            message = error.error_string.rstrip(".")
            if error.code == _SYSTEM_ERROR:
                raise Failure("unreadable", message) from None
            name = name_other_encoding(self._format, self._file.read_at)
            if name is not None:
                message = f"{self._format} that holds {name}, an encoding that is not read"
            if name is not None or error.code == _UNSUPPORTED_ENCODING:
                raise Failure("unsupported", message) from None
            self._check_declared_bytes()
            if self._format == "MP3":
                # libsndfile's own words for this are that the file does not exist.
                message = "it begins like an MP3, but too few frames follow that can be decoded"
            raise Failure("not_audio", f"{self._file.size:,} bytes: {message}") from None

    @contextmanager
    def _input(self) -> Iterator[FileView | str]:
        """Yield what libsndfile opens: a view of the file that it reads correctly.

        Never the file itself: of an error in reading its header, libsndfile says that the header is
        broken, or reads on.
        """
        if self._format == "MP3":
            with _copied(self._mp3_view()) as source:
                yield source
            return
        if self._chunk and self._chunk.pieces:
            yield FileView(self._file, *self._chunk.pieces)
            return
        # Without the tags before a FLAC file, of which libsndfile passes over one alone in a view.
        start = (end_of_tags(self._file.read_at) or 0) if self._format == "FLAC" else 0
        yield FileView(self._file, range(start, self._file.size))

    def _mp3_view(self) -> FileView:
        file = self._file
        tags_end = end_of_tags(file.read_at) or 0
        first_frame = find_frame(file.read_at, tags_end) or 0
        header = make_missing_header(file.read_at, first_frame, file.size)
        if header is not None:
            return FileView(file, header.frame, range(header.audio_start, file.size))
        return FileView(file, range(first_frame, file.size))

    def close(self) -> None:
        """Close libsndfile's handle; the descriptor belongs to the caller."""
        self._handle.close()

    @property
    def declared_frames(self) -> int | None:
        """The number of frames that the header declares; None if it declares none."""
        frames: int = self._handle.frames
        return frames if frames < _UNKNOWN_FRAMES else None

    @property
    def full_scale(self) -> float:
        """The least magnitude that counts as full scale in this encoding."""
        return _FULL_SCALE.get(self._handle.subtype, 0.999)

    @property
    def seekable(self) -> bool:
        """Whether `blocks_of` gives the samples that it would give after all those before them."""
        is_seekable = self._format == "FLAC" or self._handle.subtype in _SEEKABLE
        return is_seekable and self.declared_frames is not None

    @property
    def at_end(self) -> bool:
        """Whether all declared frames have been decoded."""
        return self.position == self.declared_frames

    def check(self) -> None:
        """Raise `Failure` for what is wrong with the header or, in an Ogg file, with a page."""
        if self.sample_rate not in SAMPLE_RATES:
            raise Failure("unsupported", f"a sample rate of {self.sample_rate:,} Hz")
        if self.channels > MAX_CHANNELS:
            raise Failure("unsupported", f"{self.channels} channels")
        self._check_declared_bytes()
        if self._format == "OGG":
            damage = find_ogg_damage(self._file.read_at, self._file.size)
            if damage is not None:
                raise damage

    def _check_declared_bytes(self) -> None:
        """Raise `Failure` for a file that ends before the audio that its header declares."""
        missing = self._chunk.missing_bytes(self._file.size) if self._chunk else 0
        if self._chunk and missing:
            declared = self._chunk.declared_bytes or 0
            held = max(0, declared - missing)
            detail = f"the header promises {declared:,} bytes of sound, the file holds {held:,}"
            raise Failure("truncated" if held else "zero_frames", detail)

    def blocks(self) -> Iterator[Float32]:
        """Yield the audio as arrays (frames, channels) of at most `BLOCK_VALUES` values."""
        max_frames = max(1, BLOCK_VALUES // self.channels)
        while True:
            declared = self.declared_frames
            count = max_frames if declared is None else min(max_frames, declared - self.position)
            block = self._read(count) if count > 0 else None
            if block is None or not len(block):
                break
            self.position += len(block)
            yield block
        self._check_end()

    def blocks_of(self, frames: range) -> Iterator[Float32]:
        """Yield some of the declared frames, as `blocks` yields all."""
        max_frames = max(1, BLOCK_VALUES // self.channels)
        if frames and frames.start != self.position:
            with self._naming_damage():
                self._handle.seek(frames.start)
            self.position = frames.start
        while self.position < frames.stop:
            block = self._read(min(max_frames, frames.stop - self.position))
            if not len(block):
                raise self._truncated("the sound ends there")
            self.position += len(block)
            yield block

    def _read(self, count: int) -> Float32:
        """Read up to `count` frames."""
        # libsndfile's own conversion of 16-bit samples takes three times as long as numpy's.
        is_16_bit = self._handle.subtype == "PCM_16"
        raw = np.empty((count, self.channels), np.int16 if is_16_bit else np.float32)
        with self._naming_damage():
            raw = self._handle.read(out=raw)
        frames: Float32 = np.multiply(raw, _INT16_SCALE) if is_16_bit else raw
        return frames

    @contextmanager
    def _naming_damage(self) -> Iterator[None]:
        """Raise `Failure` for what libsndfile raises in the block."""
        try:
            yield
        except soundfile.LibsndfileError as error:
            if error.code == _OUT_OF_MEMORY:
                raise MemoryError from None
            message = error.error_string.rstrip(".")
            # libsndfile has no words for what its decoder of MP3 reports.
            cause = _DAMAGE if message == _INTERNAL_ERROR else message
            raise self._truncated(cause) from None

    def _check_end(self) -> None:
        """Raise `Failure` if decoding ended before the declared number of frames."""
        declared = self.declared_frames
        if self.position == 0 and not declared:
            raise Failure("zero_frames", f"{self._file.size:,} bytes, no frames")
        if declared is None:
            return
        missing = declared - self.position
        encoding = "MP3" if self._format == "MP3" else self._handle.subtype
        missing -= _TOLERATED_FRAMES.get(encoding, 0)
        if missing > _TOLERATED_LOSS.get(encoding, 0) * declared:
            raise self._truncated("the sound ends there")

    def _truncated(self, cause: str) -> Failure:
        declared = self.declared_frames
        total = "" if declared is None else f" of {declared:,}"
        return Failure("truncated", f"{self.position:,}{total} frames could be read: {cause}")


@contextmanager
def _copied(view: FileView) -> Iterator[FileView | str]:
    """Yield the path of a copy in memory, for libsndfile to open; the view where there can be none.

    libsndfile reads an MP3 in pieces of a few bytes, so that Python's part in it would take a fifth
    of the time.
    """
    descriptor = _copy_in_memory(view) if view.size <= _COPIED_BYTES else None
    if descriptor is None:
        yield view
        return
    try:
        # Not the descriptor: with that alone, libsndfile looks for a resource fork of the MP3 in
        # the current folder, and decodes what it finds there as audio.
        yield f"/dev/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _copy_in_memory(view: FileView) -> int | None:
    """Return the descriptor of a file in memory; None where memory cannot hold a file."""
    content = view.read(view.size)
    view.seek(0)
    try:
        descriptor = os.memfd_create("mp3")
    except (AttributeError, OSError):
        return None
    with suppress(OSError):  # It is full, or the size of a file is limited.
        if os.write(descriptor, content) == view.size:
            return descriptor
    os.close(descriptor)
    return None


class JoinedDecoder:
    """Decodes FLAC or Ogg streams that follow each other in one file; the interface is `Decoder`'s.

    A detail of a failure that names a place counts from the start of the stream that it names.
    """

    seekable = False
    declared_frames = None
    """Not known before the end: each stream declares its own number."""
    at_end = False
    """Not known before the end."""

    def __init__(self, file: OpenFile, audio_format: str, starts: Sequence[int]) -> None:
        ends = (*starts[1:], file.size)
        self._format = audio_format
        self._parts = [file.part(*ends_of) for ends_of in zip(starts, ends, strict=True)]
        with self._opened(self._parts[0]) as first:
            self.sample_rate = first.sample_rate
            self.channels = first.channels
            self.full_scale = first.full_scale
        self.position = 0
        """The number of frames decoded so far."""

    def close(self) -> None:
        """Do nothing: a stream is open only while it is decoded."""

    def check(self) -> None:
        """Raise `Failure` for a stream that is damaged, or has another rate or other channels."""
        for part in self._parts:
            with self._opened(part) as decoder:
                decoder.check()
                kind = (decoder.sample_rate, decoder.channels)
                if kind != (self.sample_rate, self.channels):
                    detail = f"{kind[0]:,} Hz and {kind[1]} channels instead of "
                    detail += f"{self.sample_rate:,} Hz and {self.channels}: cut the file there"
                    raise Failure("unsupported", detail)

    def blocks(self) -> Iterator[Float32]:
        """Yield the audio of all streams as arrays (frames, channels)."""
        for part in self._parts:
            with self._opened(part) as decoder:
                for block in decoder.blocks():
                    self.position += len(block)
                    yield block

    @contextmanager
    def _opened(self, part: OpenFile) -> Iterator[Decoder]:
        """Open one stream; a failure within the block names it by its first byte."""
        try:
            with closing(Decoder(part, self._format)) as decoder:
                yield decoder
        except Failure as failure:
            detail = f"the stream at byte {part.start:,}: {failure.detail}"
            raise Failure(failure.reason, detail) from None


AnyDecoder: TypeAlias = PcmDecoder | Decoder | AvDecoder | JoinedDecoder


def mix(frames: Float32) -> Float32:
    """Return the mean of all channels as a signal of one dimension.

    >>> mix(np.array([[0.5, 0.25], [1.0, 0.0]], np.float32)).tolist()
    [0.375, 0.5]
    """
    channels = frames.shape[1]
    if channels == 1:
        return frames[:, 0]
    # Column by column: numpy's mean over a short last axis takes thirty times as long.
    mono: Float32 = frames[:, 0].copy()
    for column in range(1, channels):
        mono += frames[:, column]
    mono /= channels
    return mono


class _ForwardFile(soundfile.SoundFile):  # type: ignore[misc]
    """A sound file that is only read forward.

    soundfile seeks after each read of a seekable file, which not every encoding supports.
    """

    def seekable(self) -> bool:
        return False
