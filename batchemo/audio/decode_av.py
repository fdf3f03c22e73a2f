"""Decodes what libsndfile does not read (M4A, WebM, WMA, AMR and others) with PyAV.

libav knows hundreds of formats, among them playlists that name other files, and video. So the
demuxer is the one of the format that was detected, never a guess; only decoders of audio may be
opened; and libav gets no protocol to open another file with.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from batchemo.audio.failure import Failure
from batchemo.audio.file import FileView, OpenFile
from batchemo.audio.formats.media import MEDIA_FORMATS, find_media_damage
from batchemo.common.arrays import Float32
from batchemo.common.memory import has_memory

INSTALL = "pip install 'batchemo[av]'"

# All that may decode a packet. Video is never decoded, not even to learn the size of its pictures.
_DECODERS = (
    *("aac", "alac", "mp3", "mp3float", "opus", "libopus", "vorbis", "libvorbis", "flac"),
    *("ac3", "eac3", "amrnb", "amrwb", "libopencore_amrnb", "libopencore_amrwb"),
    *("wmav1", "wmav2", "wmapro", "wmavoice", "wmalossless"),
    *("pcm_u8", "pcm_s8", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le"),
    *("pcm_s32be", "pcm_f32le", "pcm_f32be", "pcm_f64le", "pcm_f64be", "pcm_mulaw", "pcm_alaw"),
    *("adpcm_ima_qt", "adpcm_ms", "adpcm_ima_wav", "gsm", "gsm_ms", "libgsm", "libgsm_ms"),
)
_OPTIONS = {"codec_whitelist": ",".join(_DECODERS), "protocol_whitelist": "none"}
# These check a checksum of every frame if asked to, and would else invent what is damaged.
_CHECKED = {"ac3", "eac3", "flac"}
_READ_BYTES = 1 << 17
# More than libav needs for an intact file: a packet is no larger than the file, and each takes a
# few bytes of the file's index and a few tens in memory.
_LEAST_MEMORY, _MEMORY_PER_BYTE = 64 * 2**20, 8
# PyAV looks for the end of a list of planes that has none from this number on, and would read
# whatever stands behind it.
_UNSAFE_PLANES = 8
_CUSTOM_LAYOUT = re.compile(r"\d+ channels \(|ambisonic")
_SCALES = {"u8": 2**-7, "s16": 2**-15, "s32": 2**-31, "s64": 2**-63}
"""From integers to floats, by the sample format without the `p` of a planar one."""
# The share, and beyond it the frames, that may be missing: a container rounds the duration, and
# the delay of an encoder is no loss of audio.
_TOLERATED_SHARE, _TOLERATED_FRAMES = 0.02, 4096


class AvDecoder:
    """Decodes the first or default audio stream of an open file; the interface is `Decoder`'s.

    The duration is that of the frames that are decoded: what an encoder added at the start is left
    out where the container says so, and gaps between time stamps are not filled.
    """

    full_scale = 0.999
    """The least magnitude that counts as full scale."""
    seekable = False
    at_end = False
    """Not known before the end: durations in these containers are not exact."""

    def __init__(self, file: OpenFile, media_format: str, block_values: int) -> None:
        self._file = file
        self._format = media_format
        self._traits = MEDIA_FORMATS[media_format]
        self._block_values = block_values
        self._av = _import_av(self._traits.title)
        self._view = FileView(file, range(file.size))
        self.position = 0
        """The number of frames decoded so far."""
        self._packer: Any = None
        self._container = self._open()
        try:
            self._stream = self._select_stream()
            self._frames = self._decode()
            self._first = next(self._frames, None)
        except BaseException:
            self.close()
            raise
        if self._first is None:
            self.close()
            raise self._damage() or Failure("zero_frames", f"{file.size:,} bytes, no frames")
        # Not what the container says: an AAC stream can have twice the rate of its header.
        self.sample_rate: int = self._first.sample_rate
        self.channels: int = _channels(self._first)

    def _open(self) -> Any:
        try:
            return self._av.open(
                self._view,
                format=self._traits.demuxer,
                options=_OPTIONS,
                buffer_size=_READ_BYTES,
                **_metadata_options(self._av.__version__),
            )
        except (self._av.FFmpegError, ValueError) as error:
            self._check_memory(error)
            damage = self._damage()
            if damage is not None:
                raise damage from None
            detail = f"{self._file.size:,} bytes: {self._traits.title}, {_words(error)}"
            raise Failure("not_audio", detail) from None

    def _select_stream(self) -> Any:
        audio = self._container.streams.audio
        if not audio:
            others = sorted({stream.type for stream in self._container.streams})
            held = f"it holds only {' and '.join(others)}" if others else "it holds no streams"
            raise self._damage() or Failure("not_audio", f"no audio in this file: {held}")
        default = self._av.stream.Disposition.default
        stream = next((stream for stream in audio if stream.disposition & default), audio[0])
        codec = stream.codec_context
        if codec is None or codec.name not in _DECODERS:
            name = "of an unknown kind" if codec is None else f"that is not supported: {codec.name}"
            detail = f"the audio is in an encoding {name}"
            raise self._damage() or Failure("unsupported", detail)
        for other in self._container.streams:
            # Not yet in all versions of PyAV; it only spares reading their bytes.
            if other is not stream and hasattr(other, "discard"):
                other.discard = self._av.stream.Discard["all"]
        return stream

    def _codec(self) -> Any:
        """Return the decoder, with one thread: the processes of a scan use all processors."""
        own = self._stream.codec_context
        codec = own
        for name in self._traits.decoders:
            if name.endswith(own.name) and name in self._av.codecs_available:
                codec = self._av.CodecContext.create(name, "r")
                codec.sample_rate, codec.layout = own.sample_rate, own.layout
                codec.extradata = own.extradata
        if own.name in _CHECKED:
            codec.options = {"err_detect": "crccheck+explode"}
        codec.thread_count = 1
        return codec

    def close(self) -> None:
        """Close libav's handle; the descriptor belongs to the caller."""
        self._container.close()

    @property
    def declared_frames(self) -> int | None:
        """The number of frames that the header declares; None if none, or only an estimate."""
        duration = self._stream.duration
        if self._format not in ("MP4", "OGG-FLAC") or not duration or duration < 0:
            return None
        return int(duration * self._stream.time_base * self.sample_rate)

    def check(self) -> None:
        """Raise `Failure` for a file that breaks off, or is followed by another."""
        damage = self._damage()
        if damage is not None:
            raise damage

    def _damage(self) -> Failure | None:
        return find_media_damage(self._format, self._file.read_at, self._file.size)

    def blocks(self) -> Iterator[Float32]:
        """Yield the audio as arrays (frames, channels) of at most the given number of values."""
        max_frames = max(1, self._block_values // self.channels)
        block, filled = np.empty((max_frames, self.channels), np.float32), 0
        frame, self._first = self._first, None
        while frame is not None:
            samples, start = self._samples(frame), 0
            while start < len(samples):
                count = min(len(samples) - start, max_frames - filled)
                block[filled : filled + count] = samples[start : start + count]
                filled, start = filled + count, start + count
                if filled == max_frames:
                    self.position += filled
                    yield block
                    block, filled = np.empty_like(block), 0
            frame = next(self._frames, None)
        if filled:
            self.position += filled
            yield block[:filled]
        self._check_end()

    def _samples(self, frame: Any) -> Float32:
        """Return a decoded frame as floats of shape (frames, channels)."""
        if frame.sample_rate != self.sample_rate or _channels(frame) != self.channels:
            detail = (
                f"from {self.sample_rate:,} Hz and {self.channels} channels it changes to "
                f"{frame.sample_rate:,} Hz and {_channels(frame)} channels"
            )
            raise Failure("unsupported", detail)
        if frame.format.is_planar and self.channels >= _UNSAFE_PLANES:
            frame = self._packed(frame)
        values = frame.to_ndarray()
        name = frame.format.name
        if frame.format.is_planar:
            values, name = values.T, name[:-1]
        else:
            values = values.reshape(-1, self.channels)
        if name not in _SCALES:
            floats: Float32 = values.astype(np.float32, copy=False)
            return floats
        if name == "u8":
            values = values.astype(np.int16) - 128
        scaled: Float32 = np.multiply(values, np.float32(_SCALES[name]), dtype=np.float32)
        return scaled

    def _packed(self, frame: Any) -> Any:
        """Return a frame with the samples of all channels in one plane."""
        if self._packer is None:
            self._packer = self._av.AudioResampler(format=frame.format.packed, layout=frame.layout)
        frame.pts = None
        try:
            packed = self._packer.resample(frame)
        except self._av.FFmpegError as error:
            self._check_memory(error)
            packed = []
        if len(packed) != 1 or packed[0].samples != frame.samples:
            raise Failure("unsupported", f"{self.channels} channels in planes of their own")
        return packed[0]

    def _decode(self) -> Iterator[Any]:
        """Yield the decoded frames; raise `Failure` for the first packet that is damaged."""
        codec, decoded = self._codec(), 0
        try:
            for packet in self._container.demux(self._stream):
                if packet.is_corrupt:
                    raise self._truncated(decoded, "the packet after them is incomplete")
                # The last packet is empty, and makes the decoder return what it has kept.
                frames = codec.decode(packet if packet.size else None)
                _refuse_custom_layouts(frames)
                for frame in frames:
                    decoded += frame.samples
                    if frame.samples:
                        yield frame
        except (self._av.FFmpegError, ValueError) as error:
            self._check_memory(error)
            if isinstance(error, NotImplementedError):
                raise Failure("unsupported", _words(error)) from None
            raise self._truncated(decoded, _words(error)) from None

    def _check_memory(self, error: Exception) -> None:
        """Raise an error that says that there is not enough memory, if that is so.

        libav says the same of a size that no memory could hold, as damage makes it.
        """
        if isinstance(error, MemoryError) and not has_memory(
            _LEAST_MEMORY + _MEMORY_PER_BYTE * self._file.size
        ):
            raise error

    def _check_end(self) -> None:
        declared = self.declared_frames
        if declared is None:
            return
        missing = declared - self.position - _TOLERATED_FRAMES
        if missing > _TOLERATED_SHARE * declared:
            raise self._truncated(self.position, f"the header promises {declared:,}")

    def _truncated(self, frames: int, cause: str) -> Failure:
        return Failure("truncated", f"{frames:,} frames could be read: {cause}")


def _import_av(title: str) -> ModuleType:
    try:
        import av
    except ImportError as error:
        found = "is not installed" if error.name == "av" else f"cannot be loaded ({error})"
        detail = f"{title} is read by PyAV, which {found}: {INSTALL}"
        raise Failure("needs_av", detail) from None
    # libav would write warnings of damaged files to the terminal.
    av.logging.set_level(None)
    module: ModuleType = av
    return module


def _metadata_options(version: str) -> dict[str, str]:
    """Return the options for titles and names that are no UTF-8, which may not be an error.

    From PyAV 19 on they never are, and there is no such option.

    >>> _metadata_options("18.1.0"), _metadata_options("19.0.2")
    ({'metadata_errors': 'replace'}, {})
    """
    return {"metadata_errors": "replace"} if int(version.partition(".")[0]) < 19 else {}


def _refuse_custom_layouts(frames: Sequence[Any]) -> None:
    """Raise `Failure` for frames whose channels are in an order without a name.

    PyAV shares the list of such an order between a frame and its layout, and both free it: that
    kills the process. So a layout of this kind is never freed, and no further frame is decoded.
    """
    # Such as "3 channels (FL+FR+LFE)"; ambisonic sound can be of this kind too.
    custom = [frame.layout for frame in frames if _CUSTOM_LAYOUT.match(frame.layout.name)]
    for layout in custom:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(layout))
    if custom:
        raise Failure("unsupported", f"an unusual order of channels: {custom[0].name}")


def _channels(frame: Any) -> int:
    count: int = frame.layout.nb_channels
    return count


def _words(error: Exception) -> str:
    """Return libav's description of an error, without its number."""
    if isinstance(error, MemoryError):
        return "a size is declared that no memory could hold"
    text = str(getattr(error, "strerror", None) or error).rstrip(".")
    # Decoders also return codes of their own, for which libav has no words.
    return "damaged data" if text.startswith("Error number") else text
