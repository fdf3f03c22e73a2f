"""What was measured, and what follows from it: no clocks here, only sums."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from batchemo.inference.settings import BATCH_SIZE

NEARLY = 0.95
"""So much of the best is as good as the best: fewer processes then leave more for others."""

CLEARLY = 0.1
"""A net must gain this part of its time for another batch size to be worth a word: rows of another
batch size are other rows to `--update`."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast so many processes are in the steady state."""

    jobs: int
    recordings: float
    """A second."""
    real_time: float
    """Seconds of sound a second."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The recordings that were measured on."""

    count: int
    seconds: float
    """Of sound, in the mean."""
    made: bool
    passed_over: int = 0
    """Recordings too large to be measured in a minute."""
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Findings:
    """All that was measured; times are seconds."""

    model: str
    sample: Sample
    stages: Mapping[str, float]
    """Of one process, a recording; what is no stage of its own is `rest`."""
    reading: float | None
    """From the disk, a recording, with nothing of it in memory; unknown of made ones."""
    paces: Sequence[Pace]
    batches: Mapping[int, float]
    """The net's time a window by the size of its batch."""

    @property
    def best_jobs(self) -> int:
        """The fewest processes that are nearly as fast as the fastest."""
        fastest = max(pace.recordings for pace in self.paces)
        return min(p.jobs for p in self.paces if p.recordings >= NEARLY * fastest)

    @property
    def best_pace(self) -> Pace:
        """The pace of that many processes."""
        return next(pace for pace in self.paces if pace.jobs == self.best_jobs)

    @property
    def best_batch(self) -> int:
        """The size of batch that is clearly faster than the default one, else that one."""
        best = min(self.batches, key=lambda size: self.batches[size])
        gained = 1 - self.batches[best] / self.batches[BATCH_SIZE]
        return best if gained > CLEARLY else BATCH_SIZE

    @property
    def bound(self) -> str:
        """The stage that most of the time goes into; `reading` where the disk is too slow."""
        if self.reading is not None and self.reading > 1 / self.best_pace.recordings:
            return "reading"
        return max(self.stages, key=lambda stage: self.stages[stage])

    @property
    def shares(self) -> dict[str, float]:
        """Each stage's part of the work, the largest first."""
        whole = sum(self.stages.values())
        ordered = sorted(self.stages.items(), key=lambda item: -item[1])
        return {stage: seconds / whole for stage, seconds in ordered}
