"""What follows from the measurements: the cost of a start, of a recording, and ratios of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from speed.commands import Measurement
from speed.contenders import Contender
from speed.corpora import Corpora, Folder
from speed.rounds import Measurements, folder_for


@dataclass(frozen=True)
class Cost:
    """The seconds of a command: a start, and then a constant time for each recording.

    >>> Cost.from_runs((12, 3.2), (1012, 13.2))
    Cost(start=3.08, per_recording=0.01)
    """

    start: float
    per_recording: float

    @classmethod
    def from_runs(cls, small: tuple[int, float], large: tuple[int, float]) -> Cost:
        """Return the cost by two runs, each given as its recordings and its seconds."""
        per_recording = (large[1] - small[1]) / (large[0] - small[0])
        # Rounded, so that exact inputs give exact results: clocks have no more digits.
        return cls(round(small[1] - small[0] * per_recording, 9), round(per_recording, 9))


@dataclass(frozen=True)
class Spread:
    """The median, the minimum and the maximum of some values."""

    median: float
    minimum: float
    maximum: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Summarise values.

        >>> Spread.of([3.0, 1.0, 2.0])
        Spread(median=2.0, minimum=1.0, maximum=3.0)
        """
        return cls(median(values), min(values), max(values))


def ratios(baseline: Sequence[float], other: Sequence[float]) -> Spread:
    """Return the other values as multiples of the baseline's.

    They are divided round by round, as a slow moment of the machine hits both.

    >>> ratios([1.0, 2.0, 1.0], [10.0, 22.0, 12.0]).median
    11.0
    """
    return Spread.of([b / a for a, b in zip(baseline, other, strict=True)])


@dataclass(frozen=True)
class Results:
    """All measurements, and what they were made of."""

    measurements: Measurements
    corpora: Corpora
    contenders: Sequence[Contender]

    def of_task(self, name: str) -> list[Measurement]:
        """Return the measurements of a task; none if it was left out."""
        return self.measurements.get(name, [])

    def seconds(self, name: str) -> list[float]:
        """Return the seconds of each run of a task."""
        return [measurement.seconds for measurement in self.of_task(name)]

    def folder(self, contender: Contender, corpus: str) -> Folder:
        """Return the recordings that a contender was measured on."""
        return folder_for(self.corpora, contender, corpus)

    def start(self, contender: Contender) -> float:
        """Return the median of the seconds that a start costs."""
        return median(cost.start for cost in self._costs(contender))

    def seconds_per_recording(self, contender: Contender, corpus: str) -> list[float]:
        """Return the seconds for each recording in the steady state, round by round.

        The given corpus is measured at two sizes. Of the others there is one run, from which the
        median start is subtracted.
        """
        if corpus == "given":
            return [cost.per_recording for cost in self._costs(contender)]
        start = self.start(contender)
        count = self.folder(contender, corpus).recordings
        return [(taken - start) / count for taken in self.seconds(f"{corpus}/{contender.name}")]

    def seconds_per_minute(self, contender: Contender, corpus: str) -> list[float]:
        """Return the seconds for each minute of audio in the steady state, round by round."""
        folder = self.folder(contender, corpus)
        per_minute = folder.recordings / folder.minutes
        return [cost * per_minute for cost in self.seconds_per_recording(contender, corpus)]

    def time_ratio(self, contender: Contender, baseline: Contender, corpus: str) -> Spread:
        """Return the contender's time for the same audio, as a multiple of the baseline's."""
        return ratios(
            self.seconds_per_minute(baseline, corpus), self.seconds_per_minute(contender, corpus)
        )

    def _costs(self, contender: Contender) -> list[Cost]:
        few = self.corpora.few.recordings
        many = self.folder(contender, "given").recordings
        runs = zip(
            self.seconds(f"few/{contender.name}"),
            self.seconds(f"given/{contender.name}"),
            strict=True,
        )
        return [Cost.from_runs((few, small), (many, large)) for small, large in runs]
