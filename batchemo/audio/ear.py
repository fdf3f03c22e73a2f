"""Hears a signal at one sample rate: resamples it, measures it, and cuts it into windows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from batchemo.audio.levels import LevelMeter
from batchemo.audio.options import ListenOptions
from batchemo.audio.resample import Resampler
from batchemo.audio.vad import sounds_like_speech
from batchemo.audio.windows import WindowCutter
from batchemo.common.arrays import Float32
from batchemo.common.timing import StageSeconds, timed


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A piece of a recording, in seconds from its start, at the rate that was asked for."""

    start: float
    end: float
    samples: Float32
    speech: bool
    """False where the window is silent or nothing like speech, so that it has no vote."""
    of: int = 0
    """The place of the options that asked for it, where several were given."""


class Ear:
    """Takes a signal block by block; gives the windows of all options that want this rate.

    `wishes` are these options by their places.
    """

    def __init__(
        self,
        sample_rate: int,
        rate: int,
        wishes: Mapping[int, ListenOptions],
        seconds: StageSeconds,
    ) -> None:
        self._rate = rate
        self._seconds = seconds
        self._cutters = {
            place: WindowCutter(round(wish.window * rate), round(wish.hop * rate))
            for place, wish in wishes.items()
        }
        self._resampler = Resampler(sample_rate, rate) if sample_rate != rate else None
        self._whole = False
        self._heard_speech: set[int] = set()
        self.level = LevelMeter(rate)
        """The level of all that was heard."""

    def hear(self, mono: Float32, *, last: bool) -> Iterator[Window]:
        """Take the next block, at the recording's own rate; give the windows that it completes."""
        self._whole = last
        piece = mono
        if self._resampler:
            with timed(self._seconds, "resample"):
                piece = self._resampler.hear(mono, last=last)
        with timed(self._seconds, "gate"):
            self.level.hear(piece)
        for place, cutter in self._cutters.items():
            for start, samples in cutter.feed(piece):
                yield self._window(place, start, samples)

    def end(self) -> Iterator[Window]:
        """Hear what is left in the resampler where no block was known to be the last."""
        if self._resampler and not self._whole:
            yield from self.hear(np.empty(0, np.float32), last=True)
        self.level.finish()

    def finish(self) -> Iterator[Window]:
        """Give the windows that cover the end of the signal."""
        for place, cutter in self._cutters.items():
            for start, samples in cutter.finish():
                yield self._window(place, start, samples)

    @property
    def all_heard_speech(self) -> bool:
        """Whether each of the options has had a window with speech."""
        return len(self._heard_speech) == len(self._cutters)

    def _window(self, place: int, start: int, samples: Float32) -> Window:
        rate = self._rate
        with timed(self._seconds, "gate"):
            speech = sounds_like_speech(samples, rate)
        if speech:
            self._heard_speech.add(place)
        return Window(start / rate, (start + len(samples)) / rate, samples, speech, place)
