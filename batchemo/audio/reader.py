"""Reads one recording from end to end: decodes, resamples, measures, and cuts it into windows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from types import TracebackType

import numpy as np

from batchemo.audio.config import WindowConfig
from batchemo.audio.decode import AnyDecoder, Decoder, mix, open_decoder
from batchemo.audio.decode_pcm import PcmDecoder
from batchemo.audio.failure import Failure, failure_of_machine, file_changed
from batchemo.audio.file import OpenAudio, open_audio
from batchemo.audio.levels import ClippingMeter, LevelMeter, peak_magnitude
from batchemo.audio.measures import AudioInfo, Measures, TurnMeasures
from batchemo.audio.pieces import WHOLE, Piece, cut
from batchemo.audio.vad import is_speech
from batchemo.audio.windows import Resampler, WindowCutter
from batchemo.common.arrays import Float32
from batchemo.common.timing import StageSeconds, timed

# 180 dB over full scale: far beyond every integer scale, 32 bits included, that a broken writer
# could have stored as floats.
MAX_PEAK = 1e9


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
    turn: int = 0
    """The position of its turn among those passed to `read_turns`."""


def read_windows(
    path: str,
    config: WindowConfig,
    *others: WindowConfig,
    piece: int | None = None,
    open_file: OpenAudio = open_audio,
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

    A long recording whose format can be sought is cut into pieces (see `pieces`). With `piece`, the
    number of one, only its windows are read, and the failures that are known from it alone.
    """
    if any(
        replace(other, rate=config.rate, window=config.window, hop=config.hop) != config
        for other in others
    ):
        raise ValueError("the configs of one reading may differ in rate, window and hop alone")
    return WindowReader(path, (config, *others), piece, open_file)


class WindowReader:
    """Reads one recording; iterate once for its windows. See `read_windows`."""

    def __init__(
        self,
        path: str,
        configs: Sequence[WindowConfig],
        piece: int | None,
        open_file: OpenAudio,
    ) -> None:
        self._path, self._open_file = path, open_file
        self._configs = configs
        self._config = configs[0]
        """For all that is equal in the configs."""
        self._piece = piece
        self._stack = ExitStack()
        self._decoder: AnyDecoder | None = None
        self._info = AudioInfo()
        self._read_errors: Sequence[OSError | MemoryError] = ()
        self.turn_measures: dict[int, TurnMeasures] = {}
        """Those of turns, by their positions; none where the recording is read as a whole."""
        self.pieces: tuple[Piece, ...] = ()
        """Those of the open recording."""
        self.measures: Measures | None = None
        """Those of what has been read of the open recording."""
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
        return self._info if self.measures is None else self.measures.describe(self._info)

    def open(self) -> None:
        """Open the recording, whose `pieces` are known then; raise `Failure` if it is known."""
        with self._failures():
            self._decoder = self._open()

    def __iter__(self) -> Iterator[Window]:
        """Yield the windows in order; raise `Failure` as soon as one is known."""
        try:
            with self._failures():
                yield from self._read(self._decoder or self._open())
        finally:
            self._stack.close()

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """Raise what goes wrong in the block as a `Failure`."""
        try:
            yield
        except (OSError, MemoryError) as error:
            raise failure_of_machine(error) from None
        except Failure:
            # Whatever was found: what could not be read may have been taken for damage, or silence.
            self._check_reading()
            raise
        self._check_reading()

    def _check_reading(self) -> None:
        """Raise `Failure` if a part of the file could not be read."""
        if self._read_errors:
            raise failure_of_machine(self._read_errors[0]) from None

    def _read(self, decoder: AnyDecoder) -> Iterator[Window]:
        self.measures = Measures(ClippingMeter(decoder.full_scale))
        if self._piece is not None:
            yield from self._read_piece(decoder, self.pieces[self._piece], self.measures)
            return
        for piece in self.pieces:
            yield from self._read_piece(decoder, piece, self.measures)
        self.measures.check_content(self._configs)

    def _read_piece(
        self, decoder: AnyDecoder, piece: Piece, measures: Measures
    ) -> Iterator[Window]:
        streams = self._rate_streams(decoder.sample_rate, piece)
        for mono, is_last in self._blocks(decoder, piece, measures):
            for stream in streams:
                yield from stream.process(mono, last=is_last)
        for stream in streams:
            yield from stream.flush()
        measures.add_levels([stream.level for stream in streams])
        if piece.stop is None:
            measures.complete = True
            # Before `finish`, which would test the only window of a recording that is too short.
            measures.check_duration(decoder.sample_rate, self._config)
            for stream in streams:
                yield from stream.finish()
        for stream in streams:
            measures.with_speech |= stream.with_speech

    def _open(self) -> AnyDecoder:
        with timed(self.seconds, "decode"):
            file = self._stack.enter_context(self._open_file(self._path))
            self._read_errors = file.errors
            self._info = replace(self._info, size=file.size, mtime_ns=file.mtime_ns, etag=file.etag)
            decoder = open_decoder(file, single=self._piece is not None)
            self._stack.callback(decoder.close)
            self._info = replace(
                self._info, sample_rate=decoder.sample_rate, channels=decoder.channels
            )
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
        self.pieces = (WHOLE,)
        if decoder.seekable:
            self.pieces = cut(frames or 0, decoder.sample_rate, self._configs)
        if self._piece is not None and self._piece >= len(self.pieces):
            raise file_changed()
        return decoder

    def _rate_streams(self, sample_rate: int, piece: Piece) -> list[RateStream]:
        """Return a stream for each rate that is asked for, in the order of the configs."""
        by_rate: dict[int, dict[int, WindowConfig]] = {}
        for index, config in enumerate(self._configs):
            by_rate.setdefault(config.rate, {})[index] = config
        return [
            RateStream(sample_rate, rate, configs, piece, self.seconds)
            for rate, configs in by_rate.items()
        ]

    def _blocks(
        self, decoder: AnyDecoder, piece: Piece, measures: Measures
    ) -> Iterator[tuple[Float32, bool]]:
        """Yield a piece and its margins in blocks, as a mono signal; and whether one is the last.

        Only the piece itself is measured.
        """
        margins = Measures(ClippingMeter(decoder.full_scale))
        for frames, is_own, is_last in self._frames(decoder, piece):
            yield self._mono(decoder, frames, measures if is_own else margins), is_last

    def _frames(self, decoder: AnyDecoder, piece: Piece) -> Iterator[tuple[Float32, bool, bool]]:
        """Yield blocks: the frames, whether they belong to the piece, and whether one is last."""
        if len(self.pieces) == 1:
            for frames in self._timed_blocks(decoder, decoder.blocks()):
                yield frames, True, decoder.at_end
            return
        assert isinstance(decoder, (PcmDecoder, Decoder))
        window = max(config.window for config in self._configs)
        total = decoder.declared_frames or 0
        before, own, after = piece.frames(decoder.sample_rate, total, window)
        for part in (before, own, after):
            for frames in self._timed_blocks(decoder, decoder.blocks_of(part)):
                yield frames, part is own, decoder.position == after.stop

    def _timed_blocks(self, decoder: AnyDecoder, blocks: Iterator[Float32]) -> Iterator[Float32]:
        while True:
            with timed(self.seconds, "decode"):
                frames = next(blocks, None)
            if frames is None:
                return
            # Again, since a header that declares no length cannot be checked at opening.
            self._check_max_duration(decoder, decoder.position)
            yield frames

    def _mono(self, decoder: AnyDecoder, frames: Float32, measures: Measures) -> Float32:
        """Return a block as a mono signal; measure it."""
        with timed(self.seconds, "decode"):
            if self._config.channel != "mix":
                frames = frames[:, [int(self._config.channel)]]
            mono = mix(frames)
        with timed(self.seconds, "vad"):
            peak = self._peak(decoder, frames)
            if not peak < MAX_PEAK:  # Written so that NaN fails too.
                raise Failure("non_finite", "a sample is no number, or without bounds")
            measures.clipping.update(frames, peak)
            measures.frames += len(frames)
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


class RateStream:
    """Cuts a piece of a recording, block by block, into the windows of all configs of one rate.

    `configs` are these configs by their position among those passed to `read_windows`.
    """

    def __init__(
        self,
        sample_rate: int,
        rate: int,
        configs: Mapping[int, WindowConfig],
        piece: Piece,
        seconds: StageSeconds,
    ) -> None:
        self._rate = rate
        self._seconds = seconds
        self._next = piece.first * rate // sample_rate
        """The position in the whole signal of the sample that comes next."""
        self._start = piece.start * rate // sample_rate
        self._stop = None if piece.stop is None else piece.stop * rate // sample_rate
        self._cutters = {
            index: WindowCutter(
                round(config.window * rate),
                round(config.hop * rate),
                first=self._next,
                start=self._start,
                stop=self._stop,
            )
            for index, config in configs.items()
        }
        self._resampler = Resampler(sample_rate, rate) if sample_rate != rate else None
        self._last_seen = False
        self.with_speech: set[int] = set()
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
            self.level.update(self._own(signal))
            self._next += len(signal)
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

    def _own(self, signal: Float32) -> Float32:
        """Return what belongs to the piece, of the samples that come next."""
        start = max(0, self._start - self._next)
        return signal[start : None if self._stop is None else max(0, self._stop - self._next)]

    def _window(self, index: int, start: int, samples: Float32) -> Window:
        rate = self._rate
        with timed(self._seconds, "vad"):
            speech = is_speech(samples, rate)
        if speech:
            self.with_speech.add(index)
        return Window(start / rate, (start + len(samples)) / rate, samples, speech, index)
