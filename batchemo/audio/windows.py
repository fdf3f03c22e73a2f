"""Resamples a signal that arrives in pieces, and cuts it into windows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import soxr

from batchemo.common.arrays import Float32

_QUALITY = "HQ"


class Resampler:
    """From one rate to another; the pieces make no difference.

    >>> Resampler(48000, 16000).hear(np.zeros(4800, np.float32), last=True).shape
    (1600,)
    """

    def __init__(self, source: int, target: int) -> None:
        self._rates = source, target
        self._stream: soxr.ResampleStream | None = None

    def hear(self, piece: Float32, *, last: bool) -> Float32:
        """Take the next piece; give what it completes, at the end all that is left."""
        if self._stream is None:
            if last:  # The same samples as from a stream, a seventh faster.
                whole: Float32 = soxr.resample(piece, *self._rates, quality=_QUALITY)
                return whole
            self._stream = soxr.ResampleStream(*self._rates, 1, dtype="float32", quality=_QUALITY)
        completed: Float32 = self._stream.resample_chunk(piece, last=last)
        return completed


class WindowCutter:
    """Windows of `length` samples, every `hop` samples, as (start, samples).

    What the regular windows leave uncovered at the end is covered by one more, aligned to the end
    of the signal. A signal shorter than a window makes one shorter window.

    >>> cutter = WindowCutter(length=4, hop=4)
    >>> signal = np.arange(10, dtype=np.float32)
    >>> [start for start, _ in cutter.feed(signal)], [start for start, _ in cutter.finish()]
    ([0, 4], [6])
    """

    def __init__(self, length: int, hop: int) -> None:
        self._length = length
        self._hop = hop
        self._kept: Float32 = np.empty(0, np.float32)
        self._kept_from = 0
        self._next = 0
        self._covered = 0

    def feed(self, piece: Float32) -> Iterator[tuple[int, Float32]]:
        """Take the next piece of the signal; give the windows that it completes."""
        self._kept = np.concatenate((self._kept, piece)) if len(self._kept) else piece
        total = self._kept_from + len(self._kept)
        while self._next + self._length <= total:
            yield self._next, self._from(self._next)
            self._covered = self._next + self._length
            self._next += self._hop
        # The next window needs all from its start; the one at the end needs the last samples.
        keep_from = max(self._kept_from, min(self._next, total - self._length))
        self._kept = self._kept[keep_from - self._kept_from :]
        self._kept_from = keep_from

    def finish(self) -> Iterator[tuple[int, Float32]]:
        """Give the window that covers the end, if anything is left to cover."""
        total = self._kept_from + len(self._kept)
        if total > self._covered:
            start = max(0, total - self._length)
            yield start, self._from(start)

    def _from(self, start: int) -> Float32:
        offset = start - self._kept_from
        return self._kept[offset : offset + self._length]
