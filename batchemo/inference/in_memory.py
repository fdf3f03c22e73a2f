"""Recordings that a program holds in memory: the bytes of a file, or samples."""

from __future__ import annotations

import io
import operator
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from batchemo.audio.file import OpenAudio, OpenFile, open_audio
from batchemo.common.arrays import Float32
from batchemo.errors import UsageError

_SUBTYPES = {"int16": "PCM_16", "int32": "PCM_32", "float32": "FLOAT", "float64": "FLOAT"}
"""How samples of each type are written, so that they are measured like those of such a file."""
_MAX_CHANNELS = 64


@dataclass(frozen=True, slots=True)
class InMemory:
    """A recording by its content."""

    name: str
    """What stands in the column `file`, with an empty `root`."""
    content: bytes
    """That of an audio file."""


def opener(contents: Mapping[str, bytes]) -> OpenAudio:
    """Return what opens these contents by their names, and all else as `open_audio` does."""

    @contextmanager
    def open_file(path: str) -> Iterator[OpenFile]:
        if path not in contents:
            with open_audio(path) as file:
                yield file
            return
        content = memoryview(contents[path])
        yield OpenFile(None, len(content), None, content=content)

    return open_file


def as_frames(samples: Any) -> np.ndarray[Any, Any]:
    """Return samples as an array (frames, channels) of 16- or 32-bit integers or floats.

    Of two axes, the shorter one is the channels.

    >>> as_frames(np.zeros(100)).shape, as_frames(np.zeros((2, 100), np.float32)).shape
    ((100, 1), (100, 2))
    """
    array = np.asarray(samples)
    if array.dtype.name not in _SUBTYPES:
        raise UsageError(
            f"samples are {array.dtype}: give {', '.join(_SUBTYPES)} (floats from -1 to 1)"
        )
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2:
        raise UsageError(f"samples have {array.ndim} axes: give one, or two with the channels")
    frames = array.T if array.shape[0] < array.shape[1] else array
    if frames.shape[1] > _MAX_CHANNELS:
        raise UsageError(f"samples have {frames.shape[1]} channels: {_MAX_CHANNELS} at most")
    return frames


def as_floats(samples: Any) -> Float32:
    """Return samples as frames of single precision, from -1 to 1.

    >>> as_floats(np.array([-32768, 16384], np.int16)).ravel().tolist()
    [-1.0, 0.5]
    """
    frames = as_frames(samples)
    if frames.dtype.kind == "i":
        return (frames / -float(np.iinfo(frames.dtype).min)).astype(np.float32)
    return frames.astype(np.float32)


def wav_of(samples: Any, sample_rate: int) -> bytes:
    """Return samples as the content of a WAV file, which is analysed like one from a disk."""
    import soundfile

    frames = as_frames(samples)
    rate = checked_rate(sample_rate)
    content = io.BytesIO()
    subtype = _SUBTYPES[frames.dtype.name]
    soundfile.write(content, frames, rate, subtype=subtype, format="WAV")
    return content.getvalue()


def checked_rate(sample_rate: Any) -> int:
    """Return the number of samples a second, of whatever type of whole numbers it is.

    >>> checked_rate(np.int64(16000))
    16000
    """
    is_number = hasattr(sample_rate, "__index__") and not isinstance(sample_rate, bool)
    rate = operator.index(sample_rate) if is_number else 0
    if rate < 1:
        raise UsageError(f"sample_rate={sample_rate!r}: give the samples a second, such as 16000")
    return rate
