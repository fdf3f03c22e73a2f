"""Well-formed recordings in every format that is read, as bytes: what fuzzing begins with."""

from __future__ import annotations

import io
from contextlib import suppress
from functools import cache

import numpy as np
import soundfile
from numpy.typing import NDArray
from signals import voice

RATE = 8_000
CONTAINERS = (
    *("WAV", "RIFX", "WAVEX", "RF64", "AIFF", "AU", "AU-LE", "W64", "CAF", "NIST"),
    *("FLAC", "OGG", "MP3"),
)
"""What docs/audio.md says is read; `RIFX` and `AU-LE` are a WAV and an AU in the other order."""
_OF_LIBSNDFILE = {"RIFX": ("WAV", "BIG"), "AU-LE": ("AU", "LITTLE")}


@cache
def sound() -> NDArray[np.float64]:
    """Three quarters of a second of a made voice."""
    return voice(0.75, RATE)


def recording(container: str, subtype: str | None = None, channels: int = 1) -> bytes:
    """Write the made voice in a container."""
    form, order = _OF_LIBSNDFILE.get(container, (container, None))
    several = np.repeat(sound()[:, None], channels, axis=1)
    sink = io.BytesIO()
    soundfile.write(sink, several, RATE, format=form, subtype=subtype, endian=order)
    return sink.getvalue()


@cache
def seeds_of(container: str) -> tuple[bytes, ...]:
    """Give a recording in each encoding that the container can hold, and one in stereo."""
    form, _ = _OF_LIBSNDFILE.get(container, (container, None))
    made = [recording(container, channels=2)]
    for subtype in soundfile.available_subtypes(form):
        with suppress(soundfile.LibsndfileError):  # Listed by libsndfile, but not to be had.
            made.append(recording(container, subtype))
    return tuple(made)
