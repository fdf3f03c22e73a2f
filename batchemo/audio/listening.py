"""Hears one recording from end to end: decode, resample, measure, cut, and judge."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from time import perf_counter
from types import TracebackType

import numpy as np
import numpy.typing as npt
import soxr

from batchemo.audio.decode import Decoder, Frames, mix
from batchemo.audio.failure import Failure
from batchemo.audio.meters import ClipMeter, LevelMeter, peak_of
from batchemo.audio.opening import open_audio
from batchemo.audio.options import ListenOptions
from batchemo.audio.speech import sounds_like_speech
from batchemo.audio.windows import WindowCutter

Signal = npt.NDArray[np.float32]

# 180 dB over full scale: no scale of integers, 32 bits included, that was mistaken for floats.
_BEYOND_EVERY_SCALE = 1e9


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A piece of a recording, in seconds from its start, at the rate that was asked for."""

    start: float
    end: float
    samples: Signal
    speech: bool
    """False where the window is silent or nothing like speech, so that it has no vote."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a recording, also of one that failed; None is unknown."""

    size: int | None = None
    mtime_ns: int | None = None
    sample_rate: int | None = None
    channels: int | None = None
    duration: float | None = None
    rms_db: float | None = None
    clipped: float | None = None
    silence: float | None = None


class Listening:
    """One recording being heard. Iterate once for its windows; see `listen`."""

    def __init__(self, path: str, options: ListenOptions) -> None:
        self._path = path
        self._options = options
        self._stack = ExitStack()
        self._facts = Facts()
        self.seconds: dict[str, float] = {"decode": 0.0, "resample": 0.0, "gate": 0.0}
        """How long each stage has taken so far."""

    def __enter__(self) -> Listening:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def facts(self) -> Facts:
        """What is known so far."""
        return self._facts

    def __iter__(self) -> Iterator[Window]:
        """Give the windows in order; raise `Failure` as soon as one is known."""
        try:
            yield from self._hear()
        except MemoryError:
            raise Failure("out_of_memory", "decoding ran out of memory") from None
        finally:
            self._stack.close()

    def _hear(self) -> Iterator[Window]:
        rate = self._options.rate
        with self._timed("decode"):
            decoder = self._open()
        level = LevelMeter(rate)
        spoken = False
        for start, samples in self._cut(decoder, level):
            with self._timed("gate"):
                speech = sounds_like_speech(samples, rate)
            spoken |= speech
            yield Window(start / rate, (start + len(samples)) / rate, samples, speech)
        self._judge_sound(level, spoken)

    def _cut(self, decoder: Decoder, level: LevelMeter) -> Iterator[tuple[int, Signal]]:
        """The windows as (first sample, samples), while the level is measured."""
        options = self._options
        cutter = WindowCutter(
            round(options.window * options.rate), round(options.hop * options.rate)
        )
        for piece in self._pieces(decoder):
            with self._timed("gate"):
                level.hear(piece)
            yield from cutter.feed(piece)
        level.finish()
        self._facts = replace(self._facts, rms_db=level.rms_db, silence=level.silence)
        self._judge_length(decoder)
        yield from cutter.finish()

    def _open(self) -> Decoder:
        file = self._stack.enter_context(open_audio(self._path))
        self._facts = replace(self._facts, size=file.size, mtime_ns=file.mtime_ns)
        decoder = Decoder(file)
        self._stack.callback(decoder.close)
        self._facts = replace(
            self._facts, sample_rate=decoder.sample_rate, channels=decoder.channels
        )
        decoder.check()
        channel = self._options.channel
        if channel != "mix" and int(channel) >= decoder.channels:
            raise Failure(
                "no_such_channel", f"channel {channel} of {decoder.channels}, counted from 0"
            )
        self._require_short_enough(decoder, decoder.promised or 0)
        return decoder

    def _pieces(self, decoder: Decoder) -> Iterator[Signal]:
        """The mono signal at the rate that was asked for, block by block."""
        clip = ClipMeter(decoder.full_scale)
        rate = self._options.rate
        resampler = (
            soxr.ResampleStream(decoder.sample_rate, rate, 1, dtype="float32", quality="HQ")
            if decoder.sample_rate != rate
            else None
        )
        blocks = decoder.blocks()
        while (mono := self._next_mono(decoder, blocks, clip)) is not None:
            yield self._resample(resampler, mono, last=decoder.at_end) if resampler else mono
        if resampler and not decoder.at_end:  # the header did not tell where the end is
            yield self._resample(resampler, np.empty(0, np.float32), last=True)

    def _resample(self, resampler: soxr.ResampleStream, mono: Signal, last: bool) -> Signal:
        with self._timed("resample"):
            piece: Signal = resampler.resample_chunk(mono, last=last)
        return piece

    def _next_mono(
        self, decoder: Decoder, blocks: Iterator[Frames], clip: ClipMeter
    ) -> Signal | None:
        """The next block as one signal, measured; None at the end."""
        with self._timed("decode"):
            frames = next(blocks, None)
            if frames is None:
                return None
            self._require_short_enough(decoder, decoder.position)
            if self._options.channel != "mix":
                frames = frames[:, [int(self._options.channel)]]
            mono = mix(frames)
        with self._timed("gate"):
            peak = peak_of(frames)
            if not peak < _BEYOND_EVERY_SCALE:
                raise Failure("non_finite", "a sample is no number, or without bounds")
            clip.hear(frames, peak)
            self._facts = replace(
                self._facts,
                clipped=clip.clipped,
                duration=decoder.position / decoder.sample_rate,
            )
        return mono

    def _require_short_enough(self, decoder: Decoder, frames: int) -> None:
        seconds, most = frames / decoder.sample_rate, self._options.max_duration
        if seconds > most:
            raise Failure("too_large", f"{seconds:,.3f} s; the limit is {most:,g} s")

    def _judge_length(self, decoder: Decoder) -> None:
        seconds, least = decoder.position / decoder.sample_rate, self._options.min_duration
        if seconds < least:
            raise Failure("too_short", f"{seconds:.6g} s; the least is {least:g} s")

    def _judge_sound(self, level: LevelMeter, spoken: bool) -> None:
        if level.loudest_db < self._options.silent_below:
            raise Failure("silent", f"the loudest 20 ms reach {level.loudest_db:.0f} dBFS")
        if not spoken:
            raise Failure("no_speech", "no window holds anything like speech")

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        started = perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] += perf_counter() - started


def listen(path: str, options: ListenOptions) -> Listening:
    """Hear the recording at `path`: a context manager that gives its windows one after another.

    Nothing is opened before the first window is asked for. Iterating raises `Failure` as soon as
    one is known, at the latest after the last window: then none of the windows counts. `facts`
    tells what was learned either way, `seconds` what each stage took.

        with listen("call.wav", ListenOptions(rate=16000, window=3.0, hop=1.5)) as heard:
            for window in heard:
                use(window.samples)
    """
    return Listening(path, options)
