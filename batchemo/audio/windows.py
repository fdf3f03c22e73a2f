"""Resamples a signal that arrives in blocks, and cuts it into windows."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
import soxr

from batchemo.common.arrays import Float32

_QUALITY = "HQ"


class Resampler:
    """Resamples a signal from one rate to another; how it is split into blocks does not matter.

    >>> Resampler(48000, 16000).process(np.zeros(4800, np.float32), last=True).shape
    (1600,)
    """

    def __init__(self, source_rate: int, target_rate: int) -> None:
        self._rates = source_rate, target_rate
        self._stream: soxr.ResampleStream | None = None

    def process(self, block: Float32, *, last: bool) -> Float32:
        """Take the next block; return the samples that it completes, all of them if `last`."""
        if self._stream is None:
            # Most recordings are one block: the same samples as from a stream, a seventh faster.
            if last:
                whole: Float32 = soxr.resample(block, *self._rates, quality=_QUALITY)
                return whole
            self._stream = soxr.ResampleStream(*self._rates, 1, dtype="float32", quality=_QUALITY)
        completed: Float32 = self._stream.resample_chunk(block, last=last)
        return completed


class WindowCutter:
    """Cuts a signal into windows of `length` samples, one every `hop` samples.

    What the regular windows leave uncovered at the end is covered by one more, aligned to the end
    of the signal. A signal shorter than a window makes one shorter window.

    Of a piece of a signal, `first` is the position of its first sample. There are only windows that
    begin from `start` on and before `stop`; of the last piece, which has no `stop`, also the one at
    the end.

    >>> cutter = WindowCutter(length=4, hop=4)
    >>> signal = np.arange(10, dtype=np.float32)
    >>> [start for start, _ in cutter.process(signal)], [start for start, _ in cutter.finish()]
    ([0, 4], [6])
    """

    def __init__(
        self, length: int, hop: int, *, first: int = 0, start: int = 0, stop: int | None = None
    ) -> None:
        self._length = length
        self._hop = hop
        self._stop = sys.maxsize if stop is None else stop
        self._buffer: Float32 = np.empty(0, np.float32)
        self._buffer_start = first
        self._next_start = -(-start // hop) * hop
        self._covered = 0

    def process(self, block: Float32) -> Iterator[tuple[int, Float32]]:
        """Take the next block; yield the windows that it completes as (start, samples)."""
        self._buffer = np.concatenate((self._buffer, block)) if len(self._buffer) else block
        total = self._buffer_start + len(self._buffer)
        while self._next_start + self._length <= total and self._next_start < self._stop:
            yield self._next_start, self._samples_from(self._next_start)
            self._covered = self._next_start + self._length
            self._next_start += self._hop
        # The next window needs all samples from its start on, and the one at the end of the signal
        # needs the last `length` samples: nothing older is kept.
        keep_from = max(self._buffer_start, min(self._next_start, total - self._length))
        self._buffer = self._buffer[keep_from - self._buffer_start :]
        self._buffer_start = keep_from

    def finish(self) -> Iterator[tuple[int, Float32]]:
        """Yield the window that covers the end of the signal, if anything is left to cover."""
        total = self._buffer_start + len(self._buffer)
        if total > self._covered:
            start = max(0, total - self._length)
            yield start, self._samples_from(start)

    def _samples_from(self, start: int) -> Float32:
        offset = start - self._buffer_start
        return self._buffer[offset : offset + self._length]
