"""What is known of a recording besides its windows: its properties, and what is measured of it.

The measures of the pieces of a recording, added up in order, are those of the recording.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from batchemo.audio.failure import Failure
from batchemo.audio.levels import ClippingMeter, LevelMeter
from batchemo.audio.overlap import MAX_OVERLAP
from batchemo.common.turns import Turn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchemo.audio.config import WindowConfig

END_TOLERANCE = 0.1
"""Seconds that a turn may end after its recording does: other tools round."""


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What is known of a recording, also of one that failed; None is unknown."""

    size: int | None = None
    mtime_ns: int | None = None
    etag: str | None = None
    sample_rate: int | None = None
    channels: int | None = None
    duration: float | None = None
    rms_db: float | None = None
    clipped: float | None = None
    silence: float | None = None


@dataclass(slots=True)
class Measures:
    """What has been measured so far of a recording, or of a piece of it."""

    clipping: ClippingMeter
    frames: int = 0
    """At the recording's own rate."""
    levels: tuple[LevelMeter, ...] = ()
    """One for each rate, in the order of the configs; none before a piece was read to its end."""
    with_speech: frozenset[int] = frozenset()
    """The positions of the configs that have had a window with speech."""
    complete: bool = False
    """Whether the end of the recording was reached."""

    def add_levels(self, levels: Sequence[LevelMeter]) -> None:
        """Add the levels of the next piece."""
        if not self.levels:
            self.levels = tuple(levels)
            return
        for level, later in zip(self.levels, levels, strict=True):
            level.add(later)

    def add(self, later: Measures) -> None:
        """Add the measures of the next piece."""
        self.frames += later.frames
        self.clipping.add(later.clipping)
        if later.levels:
            self.add_levels(later.levels)
        self.with_speech |= later.with_speech
        self.complete = later.complete

    def describe(self, info: AudioInfo) -> AudioInfo:
        """Return `info` with what was measured; the level and the silence are of all or unknown."""
        if self.frames and info.sample_rate:
            duration = self.frames / info.sample_rate
            info = replace(info, clipped=self.clipping.clipped, duration=duration)
        if not self.complete:
            return info
        return replace(info, rms_db=self.levels[0].rms_db, silence=self.levels[0].silence)

    def check_duration(self, sample_rate: int, config: WindowConfig) -> None:
        """Raise `Failure` for a recording that is too short."""
        seconds, limit = self.frames / sample_rate, config.min_duration
        if seconds < limit:
            raise Failure("too_short", f"{seconds:.6g} s; the least is {limit:g} s")

    def check_content(self, configs: Sequence[WindowConfig]) -> None:
        """Raise `Failure` for a recording that is silent or without speech at any of the rates.

        So all models analyse a recording, or none does: a row holds results of all or a reason.
        """
        loudest = min(level.loudest_db for level in self.levels)
        if loudest < configs[0].silent_below:
            raise Failure("silent", f"the loudest 20 ms reach {loudest:.0f} dBFS")
        if len(self.with_speech) < len(configs):
            raise Failure("no_speech", "no window holds anything like speech")


@dataclass(frozen=True, slots=True)
class TurnMeasures:
    """What has been measured of a turn, or of the part of it that lies in a piece."""

    frames: int
    """At the recording's own rate."""
    clipping: ClippingMeter
    level: LevelMeter

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the values alone: `dataclasses` looks up the fields of each object again."""
        return TurnMeasures, (self.frames, self.clipping, self.level)

    def copied(self) -> TurnMeasures:
        """Return measures that others can be added to, which leaves these as they are."""
        return deepcopy(self)

    def joined(self, later: TurnMeasures) -> TurnMeasures:
        """Add the measures of the next piece to these, and return both together."""
        self.clipping.add(later.clipping)
        self.level.add(later.level)
        return replace(self, frames=self.frames + later.frames)

    def describe(self, recording: AudioInfo) -> AudioInfo:
        """Return what is known of a turn of the recording."""
        assert recording.sample_rate is not None
        return replace(
            recording,
            duration=self.frames / recording.sample_rate,
            clipped=self.clipping.clipped,
            rms_db=self.level.rms_db,
            silence=self.level.silence,
        )


def check_turn(
    turn: Turn,
    overlap: float | None,
    measures: TurnMeasures | None,
    recording: AudioInfo,
    config: WindowConfig,
) -> None:
    """Raise `Failure` for what is wrong with one turn of a recording that was read to its end.

    `overlap` is the share of it that others talk over, if that is known.
    """
    channels, end = recording.channels or 0, recording.duration or 0.0
    if turn.channel is not None and turn.channel >= channels:
        raise Failure("no_such_channel", f"channel {turn.channel} of {channels}, counted from 0")
    if turn.start is not None and turn.end is not None:
        times = f"from {turn.start:.6g} to {turn.end:.6g} s"
        if turn.end <= turn.start:
            raise Failure("too_short", f"{times}: it ends before it begins, or as it begins")
        if turn.start < 0 or turn.end > end + END_TOLERANCE or turn.start >= end:
            raise Failure("outside_recording", f"{times}; the recording takes {end:.6g} s")
    seconds = 0.0 if measures is None else measures.frames / (recording.sample_rate or 1)
    if measures is None or seconds < config.min_duration:
        raise Failure("too_short", f"{seconds:.6g} s; the least is {config.min_duration:g} s")
    if overlap is not None and overlap > MAX_OVERLAP:
        raise Failure("overlap", f"others speak in {overlap:.0%} of it; at most {MAX_OVERLAP:.0%}")
    if measures.level.loudest_db < config.silent_below:
        loudest = measures.level.loudest_db
        raise Failure("silent", f"the loudest 20 ms reach {loudest:.0f} dBFS")
