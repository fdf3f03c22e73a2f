"""Brings a signal to another sample rate, in as many pieces as it comes."""

from __future__ import annotations

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
