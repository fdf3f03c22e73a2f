"""The short-time spectrum of a signal, each form of it computed at most once.

Every kernel of this package takes a `Spectrum`: the transform costs more than most features, and
a feature set of nine features would otherwise compute it nine times.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, lru_cache, update_wrapper
from typing import Concatenate, ParamSpec

import numpy as np

from batchemo.common.arrays import Float32, Float64, overlapping_frames
from batchemo.common.fft import rfft

_P = ParamSpec("_P")

MAX_AMPLITUDE = 1e9
"""Samples are clipped to ± this, so that no power overflows float32. Full scale is 1."""

# Samples transformed together: larger arrays are returned to the operating system when they are
# freed and mapped again page by page, which takes longer than the transform itself.
_CHUNK_SAMPLES = 65536


class Spectrum:
    """The short-time spectrum of a mono signal, framed as librosa does: centred, zero-padded.

    Frames are rows here, the transpose of librosa: `power` has the shape (frames, 1 + n_fft // 2).

    >>> tone = np.sin(np.arange(16000, dtype=np.float32))
    >>> Spectrum(tone, rate=16000, n_fft=512, hop=160, win_length=400).power.shape
    (101, 257)
    """

    def __init__(
        self, samples: Float32, *, rate: int, n_fft: int, hop: int, win_length: int | None = None
    ) -> None:
        if not len(samples):
            raise ValueError("a signal without samples has no spectrum")
        self.padded = np.zeros(len(samples) + n_fft, np.float32)
        """The samples with `n_fft // 2` zeros before them, and as many or one more after them."""
        self.samples: Float32 = self.padded[n_fft // 2 :][: len(samples)]
        np.clip(samples, -MAX_AMPLITUDE, MAX_AMPLITUDE, out=self.samples)
        self.rate = rate
        self.n_fft = n_fft
        self.hop = hop
        self.win_length = win_length or n_fft
        self.cache: dict[object, Float32] = {}
        """The results of the kernels marked with `cached_kernel`."""

    @cached_property
    def frames(self) -> Float32:
        """The overlapping frames before windowing, (frames, n_fft): a view, not a copy."""
        return overlapping_frames(self.padded, self.n_fft, self.hop)

    @cached_property
    def power(self) -> Float32:
        """The squared magnitude of each bin, (frames, bins)."""
        return read_only(self.power_of(slice(None)))

    def power_of(self, chosen: slice) -> Float32:
        """Return the squared magnitude of each bin of some of the frames, (frames, bins)."""
        # scipy's transform is six times as fast as numpy's, which does not vectorise float32
        # (see benchmarks/features.py).
        window, frames = hann(self.win_length, self.n_fft), self.frames[chosen]
        power = np.empty((len(frames), self.n_fft // 2 + 1), dtype=np.float32)
        chunk_frames = max(1, _CHUNK_SAMPLES // self.n_fft)
        for first in range(0, len(power), chunk_frames):
            chunk = slice(first, first + chunk_frames)
            transform = rfft(frames[chunk] * window)
            # Squares in place, through a view of the real and imaginary parts: np.abs would take
            # a square root that squaring then undoes.
            components = transform.view(np.float32)
            np.square(components, out=components)
            np.add(transform.real, transform.imag, out=power[chunk])
        return power

    @cached_property
    def magnitude(self) -> Float32:
        """The magnitude of each bin, (frames, bins)."""
        return read_only(np.sqrt(self.power))

    @property
    def frequencies(self) -> Float64:
        """The centre frequency of each bin in hertz."""
        return fft_frequencies(self.rate, self.n_fft)


class DoubleSpectrum(Spectrum):
    """A spectrum transformed in double precision and then rounded to single, as librosa does.

    In single precision the faintest bins are rounding errors. Two classic features depend on
    them even for real speech: the valleys of spectral contrast in a band that holds almost no
    energy, and the tuning of chroma where two tunings tie.
    """

    @cached_property
    def magnitude(self) -> Float32:
        """The magnitude of each bin, (frames, bins)."""
        window = _hann(self.win_length, self.n_fft)
        magnitude = np.empty((len(self.frames), self.n_fft // 2 + 1), dtype=np.float32)
        chunk_frames = max(1, _CHUNK_SAMPLES // 2 // self.n_fft)
        for first in range(0, len(magnitude), chunk_frames):
            chunk = slice(first, first + chunk_frames)
            transform = rfft(self.frames[chunk] * window)
            # Rounded to complex64 before the magnitude is taken: librosa.stft returns complex64.
            np.abs(transform.astype(np.complex64), out=magnitude[chunk])
        return read_only(magnitude)

    @cached_property
    def power(self) -> Float32:
        """The squared magnitude of each bin, (frames, bins)."""
        return read_only(np.square(self.magnitude))


def cached_kernel(
    kernel: Callable[Concatenate[Spectrum, _P], Float32],
) -> Callable[Concatenate[Spectrum, _P], Float32]:
    """Decorate a kernel to run once for each spectrum and set of arguments.

    The array that it returns is read-only, because all callers share it.
    """

    def cached(spectrum: Spectrum, /, *args: _P.args, **kwargs: _P.kwargs) -> Float32:
        key = (kernel.__name__, args, tuple(sorted(kwargs.items())))
        if key not in spectrum.cache:
            spectrum.cache[key] = read_only(kernel(spectrum, *args, **kwargs))
        return spectrum.cache[key]

    update_wrapper(cached, kernel)
    return cached


def read_only(array: Float32) -> Float32:
    """Mark an array that several callers share as read-only, and return it."""
    array.flags.writeable = False
    return array


def frame_energies(spectrum: Spectrum) -> Float32:
    """Return the energy of each frame under its window, without a transform.

    Times `n_fft`, it is what `power` has in all bins together, or up to twice as much: bins between
    the first and the last stand for two (Parseval).
    """
    hop, length = spectrum.hop, spectrum.n_fft
    parts = -(-length // hop)
    weights = np.zeros(parts * hop, np.float32)
    weights[:length] = np.square(hann(spectrum.win_length, length))
    count = len(spectrum.frames)
    squares = np.zeros((count + parts) * hop, np.float32)
    used = spectrum.padded[: len(squares)]
    np.square(used, out=squares[: len(used)])
    # The squares of each hop are multiplied once by each part of the window that may lie over it.
    products = squares.reshape(-1, hop) @ weights.reshape(parts, hop).T
    energies: Float32 = products[:count, 0].copy()
    for part in range(1, parts):
        energies += products[part : part + count, part]
    return energies


@lru_cache
def hann(length: int, n_fft: int) -> Float32:
    """Return the periodic Hann window of that length, centred in `n_fft` points."""
    return read_only(_hann(length, n_fft).astype(np.float32))


@lru_cache
def _hann(length: int, n_fft: int) -> Float64:
    window = np.zeros(n_fft)
    start = (n_fft - length) // 2
    window[start : start + length] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    window.flags.writeable = False
    return window


@lru_cache
def fft_frequencies(rate: int, n_fft: int) -> Float64:
    """Return the centre frequency of each bin of a real FFT in hertz.

    >>> fft_frequencies(16000, 4).tolist()
    [0.0, 4000.0, 8000.0]
    """
    frequencies: Float64 = np.linspace(0, rate / 2, n_fft // 2 + 1)
    frequencies.flags.writeable = False
    return frequencies
