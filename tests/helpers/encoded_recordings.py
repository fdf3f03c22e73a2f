"""Well-formed recordings in every format that is read, as bytes: what fuzzing begins with."""

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
"""What docs/audio.md says is read; `RIFX` and `AU-LE` are a WAV and an AU in the other order."""
_OF_LIBSNDFILE = {"RIFX": ("WAV", "BIG"), "AU-LE": ("AU", "LITTLE")}


@cache
def sound() -> NDArray[np.float64]:
    """Three quarters of a second of a made voice."""
    return voice(0.75, RATE)


def steady() -> NDArray[np.float64]:
    """As much of a tone, which is no speech."""
    return 0.3 * np.sin(np.arange(len(sound())) / 4)


def recording(
    container: str,
    subtype: str | None = None,
    channels: int = 1,
    signal: NDArray[np.float64] | None = None,
) -> bytes:
    """Write a signal in a container, the made voice unless another is given."""
    form, order = _OF_LIBSNDFILE.get(container, (container, None))
    heard = sound() if signal is None else signal
    several = np.repeat(heard[:, None], channels, axis=1)
    sink = io.BytesIO()
    soundfile.write(sink, several, RATE, format=form, subtype=subtype, endian=order)
    return sink.getvalue()


@cache
def seeds_of(container: str) -> tuple[bytes, ...]:
    """Give a voice in each encoding of the container and in stereo, a tone, and silence."""
    form, _ = _OF_LIBSNDFILE.get(container, (container, None))
    made = [
        recording(container, channels=2),
        recording(container, signal=steady()),
        recording(container, signal=0 * sound()),
    ]
    for subtype in soundfile.available_subtypes(form):
        with suppress(soundfile.LibsndfileError):  # Listed by libsndfile, but not to be had.
            made.append(recording(container, subtype))
    return tuple(made)
