"""Recordings in the formats that PyAV reads, made by PyAV's own encoders."""

from __future__ import annotations

import io
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from encoded_recordings import speech, tone
from numpy.typing import NDArray

RATE = 16_000
ENCODINGS = {
    "M4A": ("ipod", "aac", "fltp"),
    "MP4": ("mp4", "aac", "fltp"),
    "MOV": ("mov", "pcm_s16le", "s16"),
    "ALAC": ("ipod", "alac", "s16p"),
    "MKA": ("matroska", "aac", "fltp"),
    "WEBM": ("webm", "libopus", "s16"),
    "WMA": ("asf", "wmav2", "fltp"),
    "AAC": ("adts", "aac", "fltp"),
    "AC3": ("ac3", "ac3", "fltp"),
    "EAC3": ("eac3", "eac3", "fltp"),
    "OGG-FLAC": ("ogg", "flac", "s16"),
    "AMR": ("amr", "libopencore_amrnb", "s16"),
}
"""The container, the codec and its sample format."""
RATES = {"AMR": 8_000, "AC3": 32_000, "EAC3": 32_000, "WEBM": 48_000}
"""Where a codec does not know `RATE`."""
BLOCK = 1024
_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}


def rate_of(name: str) -> int:
    return RATES.get(name, RATE)


def signal_at(rate: int, signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a signal of 8 kHz at a multiple of its rate."""
    times = np.arange(len(signal) * rate // 8_000) * 8_000 / rate
    return np.interp(times, np.arange(len(signal)), signal)


@cache
def media(
    name: str,
    channels: int = 1,
    seconds: float = 0.75,
    content: str = "speech",
    options: tuple[tuple[str, str], ...] = (),
) -> bytes:
    """Encode the synthetic voice, repeated up to some seconds; or a tone; or silence."""
    rate = rate_of(name)
    signal = {"speech": speech(), "tone": tone(), "silence": 0 * speech()}[content]
    mono = np.resize(signal_at(rate, signal), round(seconds * rate))
    return encode(name, np.repeat(mono[None], channels, axis=0), options=options)


def encode(
    name: str,
    signal: NDArray[np.float64],
    *,
    video: bool = False,
    options: tuple[tuple[str, str], ...] = (),
) -> bytes:
    """Encode a signal of shape (channels, frames); with a video track before it if asked to."""
    import av

    container_format, codec, sample_format = ENCODINGS[name]
    if codec not in av.codecs_available:
        pytest.skip(f"this PyAV has no encoder of {name}")
    rate, layout = rate_of(name), _LAYOUTS[len(signal)]
    # Through a file, since an MP4 whose index comes first is written in two passes.
    with (
        tempfile.NamedTemporaryFile() as file,
        av.open(file.name, "w", format=container_format, options=dict(options)) as container,
    ):
        pictures = _add_video(container) if video else None
        stream: Any = container.add_stream(codec, rate=rate)
        stream.codec_context.layout = layout
        stream.codec_context.format = sample_format
        stream.codec_context.bit_rate = 12_200 if name == "AMR" else 64_000
        if pictures:
            _write_video(container, pictures)
        fifo = av.AudioFifo()
        frame = av.AudioFrame.from_ndarray(_values(signal, sample_format), sample_format, layout)
        frame.sample_rate = rate
        fifo.write(frame)
        size = stream.codec_context.frame_size or BLOCK
        while (piece := fifo.read(size)) or (piece := fifo.read(0)):
            container.mux(stream.encode(piece))
        # The last packet of FLAC holds no audio, but a header, which Ogg cannot change any more.
        container.mux([packet for packet in stream.encode(None) if packet.size])
        container.close()
        return Path(file.name).read_bytes()


def video_only() -> bytes:
    """Return an MP4 without sound."""
    import av

    sink = io.BytesIO()
    with av.open(sink, "w", format="mp4") as container:
        _write_video(container, _add_video(container))
    return sink.getvalue()


def _add_video(container: Any) -> Any:
    stream = container.add_stream("mpeg4", rate=10)
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    return stream


def _write_video(container: Any, stream: Any) -> None:
    import av

    for number in range(8):
        pixels = np.full((48, 64, 3), 30 * number, np.uint8)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
    container.mux(stream.encode(None))


def _values(signal: NDArray[np.float64], sample_format: str) -> NDArray[Any]:
    if sample_format == "fltp":
        return signal.astype(np.float32)
    integers = (signal * 32_767).astype(np.int16)
    return integers if sample_format == "s16p" else integers.T.reshape(1, -1).copy()


@cache
def media_seeds(name: str) -> tuple[bytes, ...]:
    """Return a voice, one in stereo, a tone, and silence: what mutants are made of."""
    channels = 1 if name == "AMR" else 2
    contents = [media(name, content=content) for content in ("speech", "tone", "silence")]
    return (media(name, channels), *contents)
