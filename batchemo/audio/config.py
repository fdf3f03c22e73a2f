"""How a recording is read and cut into windows."""

from __future__ import annotations

from dataclasses import dataclass

from batchemo.errors import UsageError


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
