"""Reads one recording from end to end: decodes, resamples, measures, and cuts it into windows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from types import TracebackType

import numpy as np

from batchemo.audio.decode import AnyDecoder, mix, open_decoder
from batchemo.audio.decode_pcm import PcmDecoder
from batchemo.audio.failure import Failure, failure_of_machine
from batchemo.audio.file import OpenAudio, open_audio
from batchemo.audio.levels import ClippingMeter, LevelMeter, peak_magnitude
from batchemo.audio.vad import is_speech
from batchemo.audio.windows import Resampler, WindowCutter
from batchemo.common.arrays import Float32
from batchemo.common.timing import StageSeconds, timed
from batchemo.errors import UsageError

# 180 dB over full scale: far beyond every integer scale, 32 bits included, that a broken writer
# could have stored as floats.
_MAX_PEAK = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowConfig:
    """How a recording is read and cut; all durations are seconds, all levels dBFS.

    >>> WindowConfig(rate=16000, window=3.0, hop=1.5).channel
    'mix'
    """

    rate: int
    """The sample rate of the windows."""
    window: float
    """The length of a window."""
    hop: float
    """The time from one window's start to the next one's."""
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
        # isdigit alone is true of digits that int() refuses, such as superscripts.
        if self.channel != "mix" and not (self.channel.isascii() and self.channel.isdigit()):
            raise UsageError(f"channel {self.channel!r}: it must be mix, or a number from 0")
        if not 0 <= self.min_duration <= self.max_duration:
            raise UsageError(
                f"durations from {self.min_duration} to {self.max_duration} s hold no recording"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A piece of a recording, in seconds from its start, at the rate of its `WindowConfig`."""

    start: float
    end: float
    samples: Float32
    speech: bool
    """False if the window is silent or nothing like speech: it is not given to a model."""
    config_index: int = 0
    """The position of its `WindowConfig` among those passed to `read_windows`."""


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


def read_windows(
    path: str, config: WindowConfig, *others: WindowConfig, open_file: OpenAudio = open_audio
) -> WindowReader:
    """Read the recording at `path`: a context manager that yields its windows when iterated.

    Nothing is opened before the first window is asked for. Iterating raises `Failure` as soon as
    one is known, at the latest after the last window: then none of the windows counts. After
    either, `info` has what is known of the recording, and `seconds` how long each stage took.

        with read_windows("call.wav", WindowConfig(rate=16000, window=3.0, hop=1.5)) as reader:
            for window in reader:
                process(window.samples)

    With several configs, which may differ in rate, window and hop, all their windows come from
    one decoding, those of each config in order; `config_index` tells them apart. The level and the
    silence in `info` are those at the first config's rate. A recording that fails for one config
    fails for all of them. `open_file` may return files that were opened ahead.
    """
    if any(
        replace(other, rate=config.rate, window=config.window, hop=config.hop) != config
        for other in others
    ):
        raise ValueError("the configs of one reading may differ in rate, window and hop alone")
    return WindowReader(path, (config, *others), open_file)


class WindowReader:
    """Reads one recording; iterate once for its windows. See `read_windows`."""

    def __init__(
        self, path: str, configs: Sequence[WindowConfig], open_file: OpenAudio = open_audio
    ) -> None:
        self._path, self._open_file = path, open_file
        self._configs = configs
        self._config = configs[0]
        """For all that is equal in the configs."""
        self._stack = ExitStack()
        self._info = AudioInfo()
        self._read_errors: Sequence[OSError | MemoryError] = ()
        self.declared_duration: float | None = None
        """Seconds, as the header of the open recording declares them; None if it declares none."""
        self.seconds: dict[str, float] = {"decode": 0.0, "resample": 0.0, "vad": 0.0}
        """How long each stage has taken so far; `vad` includes the measures."""

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
        """What is known of the recording so far."""
        return self._info

    def __iter__(self) -> Iterator[Window]:
        """Yield the windows in order; raise `Failure` as soon as one is known."""
        try:
            yield from self._read()
        except (OSError, MemoryError) as error:
            raise failure_of_machine(error) from None
        except Failure:
            # Whatever was found: what could not be read may have been taken for damage, or silence.
            self._check_reading()
            raise
        else:
            self._check_reading()
        finally:
            self._stack.close()

    def _check_reading(self) -> None:
        """Raise `Failure` if a part of the file could not be read."""
        if self._read_errors:
            raise failure_of_machine(self._read_errors[0]) from None

    def _read(self) -> Iterator[Window]:
        with timed(self.seconds, "decode"):
            decoder = self._open()
        streams = self._rate_streams(decoder.sample_rate)
        clipping, blocks = ClippingMeter(decoder.full_scale), decoder.blocks()
        while (mono := self._next_block(decoder, blocks, clipping)) is not None:
            for stream in streams:
                yield from stream.process(mono, last=decoder.at_end)
        for stream in streams:
            yield from stream.flush()
        level = streams[0].level
        self._info = replace(self._info, rms_db=level.rms_db, silence=level.silence)
        # Before `finish`, which would test the only window of a recording that is too short.
        self._check_min_duration(decoder)
        for stream in streams:
            yield from stream.finish()
        self._check_content(streams)

    def _open(self) -> AnyDecoder:
        file = self._stack.enter_context(self._open_file(self._path))
        self._read_errors = file.errors
        self._info = replace(self._info, size=file.size, mtime_ns=file.mtime_ns)
        decoder = open_decoder(file)
        self._stack.callback(decoder.close)
        self._info = replace(self._info, sample_rate=decoder.sample_rate, channels=decoder.channels)
        decoder.check()
        channel = self._config.channel
        if channel != "mix" and int(channel) >= decoder.channels:
            raise Failure(
                "no_such_channel", f"channel {channel} of {decoder.channels}, counted from 0"
            )
        frames = decoder.declared_frames
        if frames is not None:
            self.declared_duration = frames / decoder.sample_rate
        self._check_max_duration(decoder, frames or 0)
        return decoder

    def _rate_streams(self, sample_rate: int) -> list[RateStream]:
        """Return a stream for each rate that is asked for, in the order of the configs."""
        by_rate: dict[int, dict[int, WindowConfig]] = {}
        for index, config in enumerate(self._configs):
            by_rate.setdefault(config.rate, {})[index] = config
        return [
            RateStream(sample_rate, rate, configs, self.seconds)
            for rate, configs in by_rate.items()
        ]

    def _next_block(
        self, decoder: AnyDecoder, blocks: Iterator[Float32], clipping: ClippingMeter
    ) -> Float32 | None:
        """Return the next block as a mono signal, measured; None at the end."""
        with timed(self.seconds, "decode"):
            frames = next(blocks, None)
            if frames is None:
                return None
            # Again, since a header that declares no length cannot be checked at opening.
            self._check_max_duration(decoder, decoder.position)
            if self._config.channel != "mix":
                frames = frames[:, [int(self._config.channel)]]
            mono = mix(frames)
        with timed(self.seconds, "vad"):
            peak = self._peak(decoder, frames)
            if not peak < _MAX_PEAK:  # Written so that NaN fails too.
                raise Failure("non_finite", "a sample is no number, or without bounds")
            clipping.update(frames, peak)
            self._info = replace(
                self._info,
                clipped=clipping.clipped,
                duration=decoder.position / decoder.sample_rate,
            )
        return mono

    def _peak(self, decoder: AnyDecoder, frames: Float32) -> float:
        """Return the largest magnitude of a block, of which one channel may have been chosen."""
        if isinstance(decoder, PcmDecoder) and frames.shape[1] == decoder.channels:
            return decoder.peak
        return peak_magnitude(frames)

    def _check_max_duration(self, decoder: AnyDecoder, frames: int) -> None:
        seconds, limit = frames / decoder.sample_rate, self._config.max_duration
        if seconds > limit:
            raise Failure("too_large", f"{seconds:,.3f} s; the limit is {limit:,g} s")

    def _check_min_duration(self, decoder: AnyDecoder) -> None:
        seconds, limit = decoder.position / decoder.sample_rate, self._config.min_duration
        if seconds < limit:
            raise Failure("too_short", f"{seconds:.6g} s; the least is {limit:g} s")

    def _check_content(self, streams: Sequence[RateStream]) -> None:
        """Raise `Failure` for a recording that is silent or without speech at any of the rates.

        So all models analyse a recording, or none does: a row holds results of all or a reason.
        """
        loudest = min(stream.level.loudest_db for stream in streams)
        if loudest < self._config.silent_below:
            raise Failure("silent", f"the loudest 20 ms reach {loudest:.0f} dBFS")
        if not all(stream.all_have_speech for stream in streams):
            raise Failure("no_speech", "no window holds anything like speech")


class RateStream:
    """Cuts a recording, block by block, into the windows of all configs of one rate.

    `configs` are these configs by their position among those passed to `read_windows`.
    """

    def __init__(
        self,
        sample_rate: int,
        rate: int,
        configs: Mapping[int, WindowConfig],
        seconds: StageSeconds,
    ) -> None:
        self._rate = rate
        self._seconds = seconds
        self._cutters = {
            index: WindowCutter(round(config.window * rate), round(config.hop * rate))
            for index, config in configs.items()
        }
        self._resampler = Resampler(sample_rate, rate) if sample_rate != rate else None
        self._last_seen = False
        self._with_speech: set[int] = set()
        """The configs that have had a window with speech."""
        self.level = LevelMeter(rate)

    def process(self, mono: Float32, *, last: bool) -> Iterator[Window]:
        """Take the next block, at the recording's own rate; yield the windows it completes."""
        self._last_seen = last
        signal = mono
        if self._resampler:
            with timed(self._seconds, "resample"):
                signal = self._resampler.process(mono, last=last)
        with timed(self._seconds, "vad"):
            self.level.update(signal)
        for index, cutter in self._cutters.items():
            for start, samples in cutter.process(signal):
                yield self._window(index, start, samples)

    def flush(self) -> Iterator[Window]:
        """Yield the windows that samples left in the resampler complete; end the measures.

        Samples are left there if a recording ended before the length that its header declares, or
        declared none, so that no block was known to be the last one.
        """
        if self._resampler and not self._last_seen:
            yield from self.process(np.empty(0, np.float32), last=True)
        self.level.finish()

    def finish(self) -> Iterator[Window]:
        """Yield the windows that cover the end of the signal."""
        for index, cutter in self._cutters.items():
            for start, samples in cutter.finish():
                yield self._window(index, start, samples)

    @property
    def all_have_speech(self) -> bool:
        """Whether each config has had a window with speech."""
        return len(self._with_speech) == len(self._cutters)

    def _window(self, index: int, start: int, samples: Float32) -> Window:
        rate = self._rate
        with timed(self._seconds, "vad"):
            speech = is_speech(samples, rate)
        if speech:
            self._with_speech.add(index)
        return Window(start / rate, (start + len(samples)) / rate, samples, speech, index)
