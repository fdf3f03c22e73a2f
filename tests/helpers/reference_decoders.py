"""Decodes a recording independently of batchemo, to check the windows that batchemo made of it.

libsndfile decodes here too, but is used in the plainest way, in double precision and on the whole
signal at once. The sizes in a WAV header are read by Python's own `wave` module.
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
"""For a size that a streaming writer left open: there is nothing to compare with."""
_UNKNOWN_SIZE_FROM = 0x7FFF_0000
_MP3_DELAY = 529
"""Samples that libsndfile leaves out at the beginning of an MP3 that has a Xing header."""


def find_error(
    path: Path, windows: Sequence[Window], info: AudioInfo, config: WindowConfig
) -> str | None:
    """Return why a recording should have been refused, or has wrong windows; None if neither."""
    return (
        _check_windows(windows, info, config)
        or _check_wave_header(path)
        or _check_signal(path, windows, info, config)
    )


def _check_windows(windows: Sequence[Window], info: AudioInfo, config: WindowConfig) -> str | None:
    if info.duration is None or not config.min_duration <= info.duration <= config.max_duration:
        return f"a duration of {info.duration}"
    if not any(window.speech for window in windows):
        return "no window with speech"
    max_samples = round(config.window * config.rate)
    for window in windows:
        if window.samples.dtype != np.float32 or not 0 < len(window.samples) <= max_samples:
            return f"a window of {len(window.samples)} samples"
        if not np.isfinite(window.samples).all():
            return "a sample that is no number"
    return None


def _check_wave_header(path: Path) -> str | None:
    """Whether a WAV file holds less audio than its data chunk declares."""
    content = path.read_bytes()
    # The size of the whole file in the header is often wrong, and does not matter.
    content = content[:4] + b"\xff" * 4 + content[8:]
    try:
        with wave.open(io.BytesIO(content)) as file:
            declared = file.getnframes() * file.getnchannels() * file.getsampwidth()
            held = len(file.readframes(min(file.getnframes(), len(content))))
    except (wave.Error, EOFError, RuntimeError, ZeroDivisionError):
        return None  # Not a WAV that this module knows.
    if held < declared < _UNKNOWN_SIZE_FROM:
        return f"the header declares {declared} bytes, there are {held}"
    return None


def _check_signal(
    path: Path, windows: Sequence[Window], info: AudioInfo, config: WindowConfig
) -> str | None:
    try:
        frames, rate, declared = _read(path)
    except soundfile.LibsndfileError as error:
        # batchemo decoded what libsndfile cannot open, so it had repaired the header; or it decoded
        # two FLAC streams in a row, the first of which does not say how long it is.
        is_repaired = error.prefix.startswith("Error opening")
        return READ_FURTHER if is_repaired or _holds_two_streams(path) else str(error)
    decoded = round((info.duration or 0) * rate)
    if len(frames) < decoded:
        return READ_FURTHER
    if decoded < min(len(frames), declared) and path.read_bytes()[:1] == b"\xff":
        # An MP3 that batchemo gave a Xing header.
        frames, declared = frames[_MP3_DELAY:], declared - _MP3_DELAY
    if decoded < min(len(frames), declared):
        return f"{decoded} frames were decoded of {len(frames)}"
    if not np.isfinite(frames[:decoded]).all():
        return "libsndfile gives a sample that is no number"
    mono = soxr.resample(frames[:decoded].mean(axis=1), rate, config.rate, quality="HQ")
    scale = max(1.0, float(np.abs(mono).max()))
    max_change = 0.0
    for window in windows:
        start = round(window.start * config.rate)
        expected = mono[start : start + len(window.samples)]
        actual = window.samples[: len(expected)]
        if not np.allclose(expected, actual, rtol=0, atol=1e-4 * scale):
            return f"another signal from {window.start} s on"
        change = spectral_change(expected.astype(np.float32), config.rate)
        max_change = max(max_change, change)
    if max_change > 0.9 * MIN_CHANGE_DB:
        return None
    return f"a change of {max_change:.2f} dB is no speech"


def _holds_two_streams(path: Path) -> bool:
    return path.read_bytes().count(b"fLaC") > 1


class _ForwardFile(soundfile.SoundFile):  # type: ignore[misc]
    """A sound file that is only read forward: not every encoding can be sought in."""

    def seekable(self) -> bool:
        return False


def _read(path: Path) -> tuple[NDArray[np.float64], int, int]:
    """Return the frames up to the declared number, the sample rate, and the declared number."""
    blocks = []
    with _ForwardFile(path) as file:
        remaining = file.frames
        while len(block := file.read(min(remaining, 1 << 14), dtype="float64", always_2d=True)):
            blocks.append(block)
            remaining -= len(block)
        empty = np.empty((0, file.channels))
        return np.concatenate([empty, *blocks]), file.samplerate, file.frames
