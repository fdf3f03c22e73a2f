"""Reads one recording from end to end: decode, resample, measure, cut into windows, judge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from types import TracebackType

import numpy as np

from batchemo.audio.decode import Decoder, mix
from batchemo.audio.failure import Failure
from batchemo.audio.file import open_audio
from batchemo.audio.levels import ClipMeter, LevelMeter, peak_of
from batchemo.audio.vad import is_speech
from batchemo.audio.windows import Resampler, WindowCutter
from batchemo.common.arrays import Float32
from batchemo.common.timing import StageSeconds, timed
from batchemo.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowConfig:
    """What `read_windows` needs to know; all durations are seconds, all levels dBFS.

    >>> ListenOptions(rate=16000, window=3.0, hop=1.5).channel
    'mix'
    """

    rate: int
    """The sample rate that windows are given at."""
    window: float
    hop: float
    channel: str = "mix"
    """`mix` for the mean of all channels, or the number of one, from 0."""
    min_duration: float = 0.25
    max_duration: float = 24 * 3600.0
    silent_below: float = -85.0
    """A recording whose loudest 20 ms are below this level is silent."""

    def __post_init__(self) -> None:
        if not 4_000 <= self.rate <= 192_000:
            raise UsageError(f"a rate of {self.rate} Hz: it must be from 4,000 to 192,000 Hz")
        for name in ("window", "hop"):
            if not 0.02 <= getattr(self, name) <= 3600:
                seconds = getattr(self, name)
                raise UsageError(f"a {name} of {seconds} s: it must be from 0.02 to 3600 s")
        if self.channel != "mix" and not (self.channel.isascii() and self.channel.isdigit()):
            raise UsageError(f"channel {self.channel!r}: say mix, or a number from 0")
        if not 0 <= self.min_duration <= self.max_duration:
            raise UsageError(
                f"durations from {self.min_duration} to {self.max_duration} s hold no recording"
            )


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


class RateStream:
    """Takes a signal block by block; gives the windows of all options that want this rate.

    `wishes` are these options by their places.
    """

    def __init__(
        self,
        sample_rate: int,
        rate: int,
        wishes: Mapping[int, WindowConfig],
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
            speech = is_speech(samples, rate)
        if speech:
            self._heard_speech.add(place)
        return Window(start / rate, (start + len(samples)) / rate, samples, speech, place)


# 180 dB over full scale: no scale of integers, 32 bits included, that was mistaken for floats.
_BEYOND_EVERY_SCALE = 1e9


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What is known of a recording, also of one that failed; None is unknown."""

    size: int | None = None
    mtime_ns: int | None = None
    sample_rate: int | None = None
    channels: int | None = None
    duration: float | None = None
    rms_db: float | None = None
    clipped: float | None = None
    silence: float | None = None


class WindowReader:
    """One recording being heard. Iterate once for its windows; see `read_windows`."""

    def __init__(self, path: str, several: Sequence[WindowConfig]) -> None:
        self._path = path
        self._several = several
        self._options = several[0]
        self._stack = ExitStack()
        self._facts = AudioInfo()
        self.seconds: dict[str, float] = {"decode": 0.0, "resample": 0.0, "gate": 0.0}
        """How long each stage has taken so far."""

    def __enter__(self) -> WindowReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def info(self) -> AudioInfo:
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
        with timed(self.seconds, "decode"):
            decoder = self._open()
        ears = self._ears(decoder.sample_rate)
        clip, blocks = ClipMeter(decoder.full_scale), decoder.blocks()
        while (mono := self._next_mono(decoder, blocks, clip)) is not None:
            for ear in ears:
                yield from ear.hear(mono, last=decoder.at_end)
        for ear in ears:
            yield from ear.end()
        level = ears[0].level
        self._facts = replace(self._facts, rms_db=level.rms_db, silence=level.silence)
        self._judge_length(decoder)
        for ear in ears:
            yield from ear.finish()
        self._judge_sound(ears)

    def _ears(self, sample_rate: int) -> list[RateStream]:
        """One for each rate that is asked for, in the order of the options."""
        wishes: dict[int, dict[int, WindowConfig]] = {}
        for place, options in enumerate(self._several):
            wishes.setdefault(options.rate, {})[place] = options
        return [RateStream(sample_rate, rate, each, self.seconds) for rate, each in wishes.items()]

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

    def _next_mono(
        self, decoder: Decoder, blocks: Iterator[Float32], clip: ClipMeter
    ) -> Float32 | None:
        """The next block as one signal, measured; None at the end."""
        with timed(self.seconds, "decode"):
            frames = next(blocks, None)
            if frames is None:
                return None
            self._require_short_enough(decoder, decoder.position)
            if self._options.channel != "mix":
                frames = frames[:, [int(self._options.channel)]]
            mono = mix(frames)
        with timed(self.seconds, "gate"):
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

    def _judge_sound(self, ears: Sequence[RateStream]) -> None:
        """Judge the recording as a whole: it is worth the time of all models or of none."""
        loudest = min(ear.level.loudest_db for ear in ears)
        if loudest < self._options.silent_below:
            raise Failure("silent", f"the loudest 20 ms reach {loudest:.0f} dBFS")
        if not all(ear.all_heard_speech for ear in ears):
            raise Failure("no_speech", "no window holds anything like speech")


def read_windows(path: str, options: WindowConfig, *others: WindowConfig) -> WindowReader:
    """Hear the recording at `path`: a context manager that gives its windows one after another.

    Nothing is opened before the first window is asked for. Iterating raises `Failure` as soon as
    one is known, at the latest after the last window: then none of the windows counts. `info`
    tells what was learned either way, `seconds` what each stage took.

        with listen("call.wav", ListenOptions(rate=16000, window=3.0, hop=1.5)) as heard:
            for window in heard:
                use(window.samples)

    With several options, which may differ in rate, window and hop, all their windows come from
    one decoding, those of each in order; `of` tells them apart. The level and the silence are
    those at the first one's rate. The recording fails for all of them where it fails for one.
    """
    several = (options, *others)
    if any(
        replace(other, rate=options.rate, window=options.window, hop=options.hop) != options
        for other in others
    ):
        raise ValueError("options for one hearing may differ in rate, window and hop alone")
    return WindowReader(path, several)
