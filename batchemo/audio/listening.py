"""Hears one recording from end to end: decode, resample, measure, cut, and judge.

However many options there are, the recording is read and decoded once: every block goes to one
`Ear` for each sample rate among them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from types import TracebackType

from batchemo.audio.decode import Decoder, mix
from batchemo.audio.ear import Ear, Window
from batchemo.audio.failure import Failure
from batchemo.audio.file import open_audio
from batchemo.audio.levels import ClipMeter, peak_of
from batchemo.audio.options import ListenOptions
from batchemo.common.arrays import Float32
from batchemo.common.timing import timed

# 180 dB over full scale: no scale of integers, 32 bits included, that was mistaken for floats.
_BEYOND_EVERY_SCALE = 1e9


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

    def __init__(self, path: str, several: Sequence[ListenOptions]) -> None:
        self._path = path
        self._several = several
        self._options = several[0]
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

    def _ears(self, sample_rate: int) -> list[Ear]:
        """One for each rate that is asked for, in the order of the options."""
        wishes: dict[int, dict[int, ListenOptions]] = {}
        for place, options in enumerate(self._several):
            wishes.setdefault(options.rate, {})[place] = options
        return [Ear(sample_rate, rate, each, self.seconds) for rate, each in wishes.items()]

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

    def _judge_sound(self, ears: Sequence[Ear]) -> None:
        """Judge the recording as a whole: it is worth the time of all models or of none."""
        loudest = min(ear.level.loudest_db for ear in ears)
        if loudest < self._options.silent_below:
            raise Failure("silent", f"the loudest 20 ms reach {loudest:.0f} dBFS")
        if not all(ear.all_heard_speech for ear in ears):
            raise Failure("no_speech", "no window holds anything like speech")


def listen(path: str, options: ListenOptions, *others: ListenOptions) -> Listening:
    """Hear the recording at `path`: a context manager that gives its windows one after another.

    Nothing is opened before the first window is asked for. Iterating raises `Failure` as soon as
    one is known, at the latest after the last window: then none of the windows counts. `facts`
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
    return Listening(path, several)
