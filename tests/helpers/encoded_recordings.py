"""Well-formed recordings in every supported format, as bytes: the seeds of the fuzzing tests."""

from __future__ import annotations

import io
from contextlib import suppress
from functools import cache

import numpy as np
import soundfile
from numpy.typing import NDArray
from voices import voice

RATE = 8_000
CONTAINERS = (
    *("WAV", "RIFX", "WAVEX", "RF64", "AIFF", "AU", "AU-LE", "W64", "CAF", "NIST"),
    *("FLAC", "OGG", "MP3"),
)
"""The supported formats; `RIFX` and `AU-LE` are a WAV and an AU in the other byte order."""
_LIBSNDFILE_FORMATS = {"RIFX": ("WAV", "BIG"), "AU-LE": ("AU", "LITTLE")}


@cache
def speech() -> NDArray[np.float64]:
    """Return 0.75 s of a synthetic voice."""
    return voice(0.75, RATE)


def tone() -> NDArray[np.float64]:
    """Return a tone of the same length, which is no speech."""
    return 0.3 * np.sin(np.arange(len(speech())) / 4)


def recording(
    container: str,
    subtype: str | None = None,
    channels: int = 1,
    signal: NDArray[np.float64] | None = None,
) -> bytes:
    """Encode a signal, by default the synthetic voice."""
    container_format, byte_order = _LIBSNDFILE_FORMATS.get(container, (container, None))
    mono = speech() if signal is None else signal
    frames = np.repeat(mono[:, None], channels, axis=1)
    sink = io.BytesIO()
    soundfile.write(sink, frames, RATE, format=container_format, subtype=subtype, endian=byte_order)
    return sink.getvalue()


@cache
def seeds_of(container: str) -> tuple[bytes, ...]:
    """Return a voice in each encoding of a container, in stereo and in a row; a tone; silence."""
    container_format, _ = _LIBSNDFILE_FORMATS.get(container, (container, None))
    recordings = [
        recording(container, channels=2),
        recording(container, signal=tone()),
        recording(container, signal=0 * speech()),
    ]
    if container in ("FLAC", "OGG"):  # Streams in a row, which are one recording.
        recordings.append(2 * recording(container))
    for subtype in soundfile.available_subtypes(container_format):
        with suppress(soundfile.LibsndfileError):  # Some are listed, but cannot be written.
            recordings.append(recording(container, subtype))
    return tuple(recordings)
