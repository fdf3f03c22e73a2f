"""Reads a recording by other means than batchemo's, and says what speaks against its windows.

The decoder is libsndfile here too, but asked in the plainest way, in double precision, with the
whole signal at once; sizes in a WAV header are read by Python's own `wave`.
"""

from __future__ import annotations

import io
import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from batchemo.audio import AudioInfo, Window, WindowConfig
from batchemo.audio.vad import MIN_CHANGE_DB, spectral_change

READ_FURTHER = "read further than libsndfile alone reads"
"""Where a streaming writer left the size open; then there is nothing to compare with."""
_OPEN_FROM = 0x7FFF_0000
_DELAY = 529
"""Samples that libsndfile leaves out at the beginning of an MP3 that has an index."""


def objection(
    path: Path, windows: Sequence[Window], facts: AudioInfo, options: WindowConfig
) -> str | None:
    """Say why a recording that was heard should have been refused; None if rightly not."""
    return (
        _of_the_windows(windows, facts, options)
        or _of_the_wave_module(path)
        or _of_a_plain_reading(path, windows, facts, options)
    )


def _of_the_windows(
    windows: Sequence[Window], facts: AudioInfo, options: WindowConfig
) -> str | None:
    if facts.duration is None or not options.min_duration <= facts.duration <= options.max_duration:
        return f"a duration of {facts.duration}"
    if not any(window.speech for window in windows):
        return "no window with speech"
    most = round(options.window * options.rate)
    for window in windows:
        if window.samples.dtype != np.float32 or not 0 < len(window.samples) <= most:
            return f"a window of {len(window.samples)} samples"
        if not np.isfinite(window.samples).all():
            return "a sample that is no number"
    return None


def _of_the_wave_module(path: Path) -> str | None:
    """Whether a WAV file holds less sound than it says; its word on its own size does not count."""
    content = path.read_bytes()
    try:
        with wave.open(io.BytesIO(content[:4] + b"\xff" * 4 + content[8:])) as file:
            promised = file.getnframes() * file.getnchannels() * file.getsampwidth()
            held = len(file.readframes(min(file.getnframes(), len(content))))
    except (wave.Error, EOFError, RuntimeError, ZeroDivisionError):
        return None  # Not a WAV that this module knows.
    if held < promised < _OPEN_FROM:
        return f"the header promises {promised} bytes, there are {held}"
    return None


def _of_a_plain_reading(
    path: Path, windows: Sequence[Window], facts: AudioInfo, options: WindowConfig
) -> str | None:
    try:
        sound, rate, promised = _read(path)
    except soundfile.LibsndfileError as error:
        # What it refuses to open was heard by a header that was repaired.
        return READ_FURTHER if error.prefix.startswith("Error opening") else str(error)
    heard = round((facts.duration or 0) * rate)
    if len(sound) < heard:
        return READ_FURTHER
    if heard < min(len(sound), promised) and path.read_bytes()[:1] == b"\xff":
        # It had no index, or a broken one, and was given another.
        sound, promised = sound[_DELAY:], promised - _DELAY
    if heard < min(len(sound), promised):
        return f"{heard} frames were heard of {len(sound)}"
    if not np.isfinite(sound[:heard]).all():
        return "libsndfile gives a sample that is no number"
    mono = soxr.resample(sound[:heard].mean(axis=1), rate, options.rate, quality="HQ")
    scale = max(1.0, float(np.abs(mono).max()))
    spoken = 0.0
    for window in windows:
        start = round(window.start * options.rate)
        piece = mono[start : start + len(window.samples)]
        if not np.allclose(piece, window.samples[: len(piece)], rtol=0, atol=1e-4 * scale):
            return f"another signal from {window.start} s on"
        spoken = max(spoken, spectral_change(piece.astype(np.float32), options.rate))
    return None if spoken > 0.9 * MIN_CHANGE_DB else f"a change of {spoken:.2f} dB is no speech"


class _Forward(soundfile.SoundFile):  # type: ignore[misc]
    """One that is never sought in: some encodings cannot be."""

    def seekable(self) -> bool:
        return False


def _read(path: Path) -> tuple[NDArray[np.float64], int, int]:
    """Read as much as there is, up to what the header promises; and give what it promises."""
    blocks = []
    with _Forward(path) as file:
        left = file.frames
        while len(block := file.read(min(left, 1 << 14), dtype="float64", always_2d=True)):
            blocks.append(block)
            left -= len(block)
        empty = np.empty((0, file.channels))
        return np.concatenate([empty, *blocks]), file.samplerate, file.frames
