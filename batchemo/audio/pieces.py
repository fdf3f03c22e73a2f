"""Cuts long recordings into pieces, each of which can be read without those before it.

The windows of the pieces are those of the whole recording, to the last bit. For that, pieces are
for decoders that can seek, and begin where a resampler may begin (see `RESAMPLER_PERIODS`); what
the resampler and the last windows need of the pieces next to it is read with a piece.

Measures are added up piece by piece, so the pieces are a part of how a recording is read: whoever
reads all of it reads one after another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from batchemo.audio.config import WindowConfig
from batchemo.audio.levels import frame_samples

PIECE_SECONDS = 120
"""The least length: enough that what is read twice, some seconds, costs next to nothing."""
_MARGIN_SECONDS = 1
"""Beyond the filters of the resampler and the blocks that it works on, of a tenth of a second."""

RESAMPLER_PERIODS = {
    (8_000, 16_000): 830,
    (11_025, 16_000): 361_620,
    (12_000, 16_000): 2_490,
    (22_050, 16_000): 109_368,
    (24_000, 16_000): 2_202,
    (32_000, 16_000): 1_660,
    (44_100, 16_000): 218_736,
    (48_000, 16_000): 4_404,
    (64_000, 16_000): 3_280,
    (88_200, 16_000): 1_287_720,
    (96_000, 16_000): 20_928,
    (176_400, 16_000): 684_432,
    (192_000, 16_000): 13_872,
    (8_000, 22_050): 6_560,
    (11_025, 22_050): 830,
    (12_000, 22_050): 3_280,
    (16_000, 22_050): 13_120,
    (24_000, 22_050): 64_160,
    (32_000, 22_050): 46_720,
    (44_100, 22_050): 1_660,
    (48_000, 22_050): 128_320,
    (64_000, 22_050): 93_440,
    (88_200, 22_050): 3_280,
    (96_000, 22_050): 63_360,
    (176_400, 22_050): 6_512,
    (192_000, 22_050): 503_040,
}
"""Frames after which soxr's blocks, which decide how its results are rounded, lie as at the start,
by the rates from and to which it resamples. Begun after any number of such periods, it soon gives
the bits that it gives after all that came before. They were found by trying, and depend on the
quality; with another one, or another soxr, the test of them may fail."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Frames of a recording, from `start` to `stop`, which is None for the end."""

    start: int = 0
    stop: int | None = None
    first: int = 0
    """Where reading begins, for the resampler."""

    def frames(self, sample_rate: int, total: int, window: float) -> tuple[range, range, range]:
        """Return its frames between those before and after it that are read with it.

        `total` is the number of the recording's frames, `window` the length of the longest window.

        >>> Piece(80_000, 160_000, 70_000).frames(8000, total=240_000, window=2.5)
        (range(70000, 80000), range(80000, 160000), range(160000, 192000))
        """
        stop = total if self.stop is None else self.stop
        end = min(total, stop + (math.ceil(window) + _MARGIN_SECONDS) * sample_rate)
        return range(self.first, self.start), range(self.start, stop), range(stop, end)


WHOLE = Piece()
"""The only piece of a recording that is not cut."""


def cut(frames: int, sample_rate: int, configs: Sequence[WindowConfig]) -> tuple[Piece, ...]:
    """Return the pieces of a recording with this number of frames; all but the last are as long.

    >>> config = WindowConfig(rate=16000, window=3.0, hop=1.5)
    >>> [piece.start / 16000 for piece in cut(400 * 16000, 16000, [config])]
    [0.0, 133.32, 266.64]
    >>> cut(239 * 16000, 16000, [config])
    (Piece(start=0, stop=None, first=0),)
    """
    steps = [_steps(sample_rate, rate) for rate in {config.rate for config in configs}]
    # The last window ends with the recording, and must lie in the last piece.
    if None in steps or 2 * max(config.window for config in configs) > PIECE_SECONDS:
        return (WHOLE,)
    period, grid = (math.lcm(*each) for each in zip(*filter(None, steps), strict=True))
    count = frames // _rounded_up(PIECE_SECONDS * sample_rate, grid)
    if count < 2:
        return (WHOLE,)
    starts = [number * (frames // count // grid * grid) for number in range(count)]
    margin = _rounded_up(_MARGIN_SECONDS * sample_rate, period)
    return tuple(
        Piece(start, stop, max(0, start - margin))
        for start, stop in zip(starts, (*starts[1:], None), strict=True)
    )


def _steps(sample_rate: int, rate: int) -> tuple[int, int] | None:
    """Return the frames between which a resampler may begin, and those between which a piece may.

    A piece also begins where a frame of the level's measure begins. None if they are not known.
    """
    period = 1 if rate == sample_rate else RESAMPLER_PERIODS.get((sample_rate, rate))
    if period is None:
        return None
    resampled, measured = period * rate // sample_rate, frame_samples(rate)
    return period, period * measured // math.gcd(resampled, measured)


def _rounded_up(frames: int, step: int) -> int:
    return -(-frames // step) * step
