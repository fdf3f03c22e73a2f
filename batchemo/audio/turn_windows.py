"""Cuts one channel of a recording, block by block, into the windows of its turns.

A turn is cut like a recording: windows start every hop from where it begins, and the last one is
aligned to its end. All turns take their windows out of one buffer, which holds no more than the
longest window and the last block: memory does not grow with the number of turns, nor with how many
of them overlap.
"""

from __future__ import annotations

import heapq
import math
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from batchemo.audio.config import WindowConfig
from batchemo.audio.levels import ClippingMeter, LevelMeter, peak_magnitude
from batchemo.audio.pieces import Piece
from batchemo.audio.windows import Resampler
from batchemo.common.arrays import Float32
from batchemo.common.timing import StageSeconds, timed
from batchemo.common.turns import Turn


@dataclass(frozen=True, slots=True)
class Span:
    """Samples of a signal, from `start` up to `stop`."""

    start: int
    stop: int

    def within(self, start: int, stop: int) -> slice:
        """Return the part of the samples from `start` to `stop` that lies in it, from there on.

        >>> Span(5, 8).within(0, 6), Span(5, 8).within(6, 20)
        (slice(5, 6, None), slice(0, 2, None))
        """
        first = max(self.start, start)
        return slice(first - start, max(first, min(self.stop, stop)) - start)


def span_of(turn: Turn, rate: int) -> Span:
    """Return the samples of a turn.

    >>> span_of(Turn(0.5, 2.0), 16000)
    Span(start=8000, stop=32000)
    """
    start = 0 if turn.start is None else max(0, round(turn.start * rate))
    return Span(start, sys.maxsize if turn.end is None else round(turn.end * rate))


class Active:
    """Which turns have samples in each of the blocks that follow each other."""

    def __init__(self, spans: Mapping[int, Span]) -> None:
        self._waiting = sorted(spans.items(), key=lambda item: item[1].start, reverse=True)
        self._active: dict[int, Span] = {}

    def update(self, start: int, stop: int) -> Iterator[tuple[int, slice]]:
        """Yield the turns that have samples from `start` to `stop`, and which of those they are."""
        while self._waiting and self._waiting[-1][1].start < stop:
            index, span = self._waiting.pop()
            self._active[index] = span
        for index, span in list(self._active.items()):
            if span.stop <= start:
                del self._active[index]
                continue
            part = span.within(start, stop)
            if part.stop > part.start:
                yield index, part


class TurnLevels:
    """Measures each turn at the rate of the first config: its level and its silence."""

    def __init__(self, turns: Mapping[int, Turn], rate: int) -> None:
        self._active = Active({index: span_of(turn, rate) for index, turn in turns.items()})
        self._rate = rate
        self.meters: dict[int, LevelMeter] = {}

    def update(self, start: int, samples: Float32) -> None:
        """Add the samples from the position `start` on."""
        for index, part in self._active.update(start, start + len(samples)):
            meter = self.meters.get(index)
            if meter is None:
                meter = self.meters[index] = LevelMeter(self._rate)
            meter.update(samples[part])

    def finish(self) -> None:
        """End the measures."""
        for meter in self.meters.values():
            meter.finish()


class TurnClipping:
    """Measures each turn at the recording's own rate: its length and its clipping."""

    def __init__(self, turns: Mapping[int, Turn], rate: int, full_scale: float) -> None:
        self._active = Active({index: span_of(turn, rate) for index, turn in turns.items()})
        self._full_scale = full_scale
        self.meters: dict[int, ClippingMeter] = {}
        self.frames: dict[int, int] = {}

    def update(self, start: int, frames: Float32, peak: float) -> None:
        """Add the frames from the position `start` on; none is louder than `peak`."""
        for index, part in self._active.update(start, start + len(frames)):
            meter = self.meters.get(index)
            if meter is None:
                meter = self.meters[index] = ClippingMeter(self._full_scale)
            own = frames[part]
            # Looked for in each turn only where it may be that of a clipped sample.
            meter.update(own, peak if peak < self._full_scale else peak_magnitude(own))
            self.frames[index] = self.frames.get(index, 0) + len(own)


class _Planned(NamedTuple):
    """A window that is not complete yet."""

    end: int
    turn: int
    config: int
    start: int
    covered: int
    """Up to where the windows before it go."""


@dataclass(frozen=True, slots=True, eq=False)
class TurnWindow:
    """A window of a turn: its first sample in the whole signal, and all of them."""

    turn: int
    config_index: int
    start: int
    samples: Float32


class TurnStream:
    """Resamples one channel to one rate, and cuts it into the windows of its turns.

    `turns` are those of the channel and `configs` those of the rate, each by its index. Of a piece
    of the recording, only windows that begin in it are cut.
    """

    def __init__(
        self,
        turns: Mapping[int, Turn],
        sample_rate: int,
        configs: Mapping[int, WindowConfig],
        piece: Piece,
        seconds: StageSeconds,
        levels: TurnLevels | None,
    ) -> None:
        self.rate = rate = next(iter(configs.values())).rate
        self._seconds, self._levels = seconds, levels
        self._resampler = Resampler(sample_rate, rate) if sample_rate != rate else None
        self._last_seen = False
        self._start = piece.start * rate // sample_rate
        self._stop = sys.maxsize if piece.stop is None else piece.stop * rate // sample_rate
        self._buffer: Float32 = np.empty(0, np.float32)
        self._buffer_start = piece.first * rate // sample_rate
        self._sizes = {
            index: (round(config.window * rate), round(config.hop * rate))
            for index, config in configs.items()
        }
        self._longest = max(length for length, _ in self._sizes.values())
        self._spans = {index: span_of(turn, rate) for index, turn in turns.items()}
        self._next: list[_Planned] = []
        """The next window of each turn and config, the one that ends first at the front."""
        for turn, span in self._spans.items():
            for config, (_, hop) in self._sizes.items():
                skipped = max(0, math.ceil((self._start - span.start) / hop))
                planned = self._planned(turn, config, span.start + skipped * hop)
                if planned is not None:
                    self._next.append(planned)
        heapq.heapify(self._next)

    def _planned(self, turn: int, config: int, start: int) -> _Planned | None:
        """Return the regular window at `start`, or the last one of the turn in its place."""
        span, (length, hop) = self._spans[turn], self._sizes[config]
        # The window before this one, if there was one, may have begun in the piece before.
        covered = start - hop + length if start > span.start else span.start
        end = start + length
        if end > span.stop:
            end, start = span.stop, max(span.start, span.stop - length)
            if end <= covered:
                return None
        if not self._start <= start < self._stop:
            return None
        return _Planned(end, turn, config, start, covered)

    def process(self, mono: Float32, *, last: bool) -> Iterator[TurnWindow]:
        """Take the next block, at the recording's own rate; yield the windows it completes."""
        self._last_seen = last
        signal = mono
        if self._resampler:
            with timed(self._seconds, "resample"):
                signal = self._resampler.process(mono, last=last)
        before = self._buffer_start + len(self._buffer)
        if self._levels is not None:
            with timed(self._seconds, "vad"):
                self._measure(before, signal)
        total = before + len(signal)
        # Windows that begin in what is kept need no more of this block than is joined with it. All
        # others are views of the block, which is long: a copy of it would cost more than windows.
        joined = np.concatenate((self._buffer, signal[: self._longest]))
        while self._next and self._next[0][0] <= total:
            found = heapq.heappop(self._next)
            inside = found.start >= before
            source, first = (signal, before) if inside else (joined, self._buffer_start)
            samples = source[found.start - first : found.end - first]
            yield TurnWindow(found.turn, found.config, found.start, samples)
            later = found.start + self._sizes[found.config][1]
            planned = self._planned(found.turn, found.config, later)
            if planned is not None:
                heapq.heappush(self._next, planned)
        # The windows that are not complete end later than now, and are no longer than the longest.
        rest = signal if len(signal) >= self._longest else joined
        self._buffer = rest[-self._longest :].copy()
        self._buffer_start = total - len(self._buffer)

    def _measure(self, position: int, signal: Float32) -> None:
        """Measure what belongs to the piece, of the samples that come next."""
        own = Span(self._start, self._stop).within(position, position + len(signal))
        assert self._levels is not None
        if own.stop > own.start:
            self._levels.update(position + own.start, signal[own])

    def finish(self, *, at_end: bool) -> Iterator[TurnWindow]:
        """Yield what is left: `at_end` of the recording, the last windows of turns beyond it."""
        if self._resampler and not self._last_seen:
            yield from self.process(np.empty(0, np.float32), last=True)
        if self._levels is not None:
            self._levels.finish()
        total = self._buffer_start + len(self._buffer)
        for planned in sorted(self._next) if at_end else ():
            length, _ = self._sizes[planned.config]
            start = max(self._spans[planned.turn].start, total - length)
            if total > planned.covered:
                samples = self._buffer[start - self._buffer_start :]
                yield TurnWindow(planned.turn, planned.config, start, samples)


def turns_by_channel(
    turns: Mapping[int, Turn], channel: int | None
) -> dict[int | None, dict[int, Turn]]:
    """Group turns by the channel that they are heard in; without one of their own, in `channel`.

    >>> list(turns_by_channel({0: Turn(0, 1), 1: Turn(1, 2, channel=1)}, None))
    [None, 1]
    """
    groups: dict[int | None, dict[int, Turn]] = {}
    for index, turn in turns.items():
        own = channel if turn.channel is None else turn.channel
        groups.setdefault(own, {})[index] = turn
    return groups
