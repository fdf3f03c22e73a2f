"""Upper bounds of all that decides how much memory a window takes.

A bundle comes from elsewhere, and its numbers must not be able to exhaust the machine that reads
it. What a worker holds does not depend on recordings, but on a model's windows: 16 of them for a
batch, and the spectrum of one. With these bounds that is at most 640 MB, and a few times 64 MB.
"""

from __future__ import annotations

MAX_RATE = 192_000
"""Samples a second: the highest of studio recordings."""

MIN_SECONDS = 0.01
MAX_SECONDS = 600.0
"""The shortest and the longest window, and time between windows."""

MAX_WINDOW_VALUES = 10_000_000
"""Samples, or numbers of features, of a window: ten minutes at 16 kHz. A batch of 16 takes 640 MB
in single precision."""

MAX_FFT = 16_384
MAX_MELS = 512
"""The filters for 512 bands of a transform of 16,384 points take 34 MB as they are computed."""

MAX_SPECTRUM_VALUES = 2**24
"""Frames times bins of a window's spectrum: 64 MB, of which features make a few arrays more."""

MAX_PROBABILITIES_A_SECOND = 1000.0
"""Labels divided by the time between windows: a day of audio gives 350 MB of probabilities."""


def check_transform(n_fft: int, hop: int, n_mels: int) -> None:
    """Raise ValueError for a transform, a step in samples or a number of bands out of bounds.

    >>> check_transform(2**28, 160, 64)
    Traceback (most recent call last):
    ValueError: n_fft=268435456 must be at most 16384
    """
    for name, value, most in (
        ("n_fft", n_fft, MAX_FFT),
        ("hop", hop, MAX_WINDOW_VALUES),
        ("n_mels", n_mels, MAX_MELS),
    ):
        if value > most:
            raise ValueError(f"{name}={value} must be at most {most}")


def check_seconds(name: str, value: float) -> None:
    """Raise ValueError for a time inside of windows that is longer than any window."""
    # Written so that a value that is no number is refused as well.
    if not value <= MAX_SECONDS:
        raise ValueError(f"{name}={value:g} must be at most {MAX_SECONDS:g} seconds")


def check_hertz(name: str, value: float) -> None:
    """Raise ValueError for a frequency that no signal has."""
    if not value <= MAX_RATE:
        raise ValueError(f"{name}={value:g} must be at most {MAX_RATE} Hz")


def check_size(values: int, frames: int, bins: int) -> None:
    """Raise ValueError for a window of too many values, or with too large a spectrum."""
    if values > MAX_WINDOW_VALUES:
        raise ValueError(
            f"a window has {values:,} values, more than the {MAX_WINDOW_VALUES:,} that are allowed"
        )
    if frames * bins > MAX_SPECTRUM_VALUES:
        raise ValueError(
            f"the spectrum of a window has {frames:,} frames of {bins:,} bins, more than the "
            f"{MAX_SPECTRUM_VALUES:,} values that are allowed"
        )
