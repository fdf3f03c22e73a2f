"""Reads the turns of one recording: it is decoded once, however many there are.

Windows are those that `turn_windows` cuts; what is measured of a recording is measured of each
turn here. Long recordings are read in pieces, as `pieces` cuts them: a turn that lies in several
has windows in each, and measures that add up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from batchemo.audio.config import WindowConfig
from batchemo.audio.decode import AnyDecoder, mix
from batchemo.audio.failure import Failure
from batchemo.audio.file import OpenAudio, open_audio
from batchemo.audio.levels import peak_magnitude
from batchemo.audio.measures import AudioInfo, TurnMeasures
from batchemo.audio.pieces import Piece
from batchemo.audio.reader import MAX_PEAK, Window, WindowReader
from batchemo.audio.turn_windows import (
    TurnClipping,
    TurnLevels,
    TurnStream,
    TurnWindow,
    turns_by_channel,
)
from batchemo.audio.vad import is_speech
from batchemo.common.arrays import Float32
from batchemo.common.timing import timed
from batchemo.common.turns import Turn, Turns


def read_turns(
    path: str,
    turns: Turns,
    *configs: WindowConfig,
    piece: int | None = None,
    open_file: OpenAudio = open_audio,
) -> TurnReader:
    """Read the turns of the recording at `path`, as `read_windows` reads all of it.

    `Window.turn` says whose window one is; windows of a turn come in order. A `Failure` is one of
    the recording, and costs all turns their rows. What is wrong with one turn alone is known from
    `turn_measures` afterwards.
    """
    return TurnReader(path, configs, turns, piece, open_file)


class TurnReader(WindowReader):
    """Reads the turns of one recording; iterate once for their windows. See `read_turns`."""

    def __init__(
        self,
        path: str,
        configs: Sequence[WindowConfig],
        turns: Turns,
        piece: int | None,
        open_file: OpenAudio,
    ) -> None:
        super().__init__(path, configs, piece, open_file)
        self._turns = turns
        self.frames_read = 0
        """At the recording's own rate."""

    @property
    def info(self) -> AudioInfo:
        """What is known of the recording so far; nothing is measured of all of it."""
        rate = self._info.sample_rate
        if not self.frames_read or not rate:
            return self._info
        return replace(self._info, duration=self.frames_read / rate)

    def _read(self, decoder: AnyDecoder) -> Iterator[Window]:
        pieces = self.pieces if self._piece is None else [self.pieces[self._piece]]
        for piece in pieces:
            yield from self._read_turns(decoder, piece)

    def _read_turns(self, decoder: AnyDecoder, piece: Piece) -> Iterator[Window]:
        chosen = self._config.channel
        turns = self._turns_in(piece, decoder.sample_rate)
        groups = turns_by_channel(turns, None if chosen == "mix" else int(chosen))
        channels = [
            _Channel(self, number, turns, decoder, piece)
            for number, turns in groups.items()
            # A turn of a channel that there is not has no windows: its row says so.
            if number is None or number < decoder.channels
        ]
        position = piece.first
        for frames, is_own, is_last in self._frames(decoder, piece):
            with timed(self.seconds, "vad"):
                peak = peak_magnitude(frames)
                if not peak < MAX_PEAK:  # Written so that NaN fails too.
                    raise Failure("non_finite", "a sample is no number, or without bounds")
            for channel in channels:
                yield from channel.process(position, frames, peak, is_own=is_own, is_last=is_last)
            position += len(frames)
            self.frames_read += len(frames) if is_own else 0
        for channel in channels:
            yield from channel.finish(at_end=piece.stop is None)
            for index, found in channel.measures().items():
                before = self.turn_measures.get(index)
                self.turn_measures[index] = found if before is None else before.joined(found)

    def _turns_in(self, piece: Piece, sample_rate: int) -> dict[int, Turn]:
        """Return the turns that may have samples in a piece, by their positions.

        Not all of them for each piece: a long recording has many of both.
        """
        turns = self._turns
        stop = np.inf if piece.stop is None else piece.stop / sample_rate
        # With room for rounding.
        inside = (turns.starts < stop + 1) & (turns.ends > piece.start / sample_rate - 1)
        return {index: turns[index] for index in np.flatnonzero(inside).tolist()}


class _Channel:
    """One channel of a piece, or the mean of all: its turns at all rates, and their measures."""

    def __init__(
        self,
        reader: TurnReader,
        number: int | None,
        turns: Mapping[int, Turn],
        decoder: AnyDecoder,
        piece: Piece,
    ) -> None:
        self._seconds, self._number = reader.seconds, number
        by_rate: dict[int, dict[int, WindowConfig]] = {}
        for index, config in enumerate(reader._configs):
            by_rate.setdefault(config.rate, {})[index] = config
        rates = list(by_rate)
        self._levels = TurnLevels(turns, rates[0])
        self._clipping = TurnClipping(turns, decoder.sample_rate, decoder.full_scale)
        stream = partial(TurnStream, turns, decoder.sample_rate)
        self._streams = [
            stream(configs, piece, reader.seconds, self._levels if rate == rates[0] else None)
            for rate, configs in by_rate.items()
        ]

    def process(
        self, position: int, frames: Float32, peak: float, *, is_own: bool, is_last: bool
    ) -> Iterator[Window]:
        """Take the next block of all channels, and their peak; yield the windows it completes."""
        with timed(self._seconds, "decode"):
            own = frames if self._number is None else frames[:, [self._number]]
            mono = mix(own)
        if is_own:
            with timed(self._seconds, "vad"):
                self._clipping.update(position, own, peak)
        for stream in self._streams:
            yield from self._windows(stream, stream.process(mono, last=is_last))

    def finish(self, *, at_end: bool) -> Iterator[Window]:
        """Yield the windows that are left."""
        for stream in self._streams:
            yield from self._windows(stream, stream.finish(at_end=at_end))

    def measures(self) -> dict[int, TurnMeasures]:
        """Return what was measured of each turn that has samples in the piece."""
        frames, clipping = self._clipping.frames, self._clipping.meters
        levels = self._levels.meters
        return {i: TurnMeasures(frames[i], clipping[i], levels[i]) for i in levels if i in frames}

    def _windows(self, stream: TurnStream, found: Iterator[TurnWindow]) -> Iterator[Window]:
        rate = stream.rate
        for one in found:
            with timed(self._seconds, "vad"):
                speech = is_speech(one.samples, rate)
            end = one.start + len(one.samples)
            yield Window(
                one.start / rate, end / rate, one.samples, speech, one.config_index, one.turn
            )
