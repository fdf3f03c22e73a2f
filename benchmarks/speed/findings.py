"""What the kept runs say: the start of each contender, its steady cost, and how they compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from speed.commands import Ran
from speed.contenders import Contender
from speed.corpora import Corpora, Folder
from speed.figures import Line, Spread, ratios
from speed.rounds import CoveragePoint, heard


@dataclass(frozen=True)
class Findings:
    """Runs, and the recordings that they heard."""

    kept: CoveragePoint
    corpora: Corpora
    contenders: Sequence[Contender]

    def runs(self, name: str) -> list[Ran]:
        """The runs of a task, none where it was left out."""
        return self.kept.get(name, [])

    def seconds(self, name: str) -> list[float]:
        """How long they took."""
        return [ran.seconds for ran in self.runs(name)]

    def heard(self, contender: Contender, corpus: str) -> Folder:
        """What a contender was given."""
        return heard(self.corpora, contender, corpus)

    def start(self, contender: Contender) -> float:
        """Seconds before the work begins."""
        return median(line.start for line in self._lines(contender))

    def costs(self, contender: Contender, corpus: str) -> list[float]:
        """Seconds for each recording in the steady state, round by round.

        Of other corpora than the given one, one run is measured and the start taken off.
        """
        if corpus == "given":
            return [line.each for line in self._lines(contender)]
        start = self.start(contender)
        recordings = self.heard(contender, corpus).recordings
        return [
            (taken - start) / recordings for taken in self.seconds(f"{corpus}/{contender.name}")
        ]

    def paces(self, contender: Contender, corpus: str) -> list[float]:
        """Seconds for each minute of sound in the steady state, round by round."""
        folder = self.heard(contender, corpus)
        a_minute = folder.recordings / folder.minutes
        return [cost * a_minute for cost in self.costs(contender, corpus)]

    def times_ours(self, contender: Contender, ours: Contender, corpus: str) -> Spread:
        """How many times our time a contender needs for the same sound."""
        return ratios(self.paces(ours, corpus), self.paces(contender, corpus))

    def _lines(self, contender: Contender) -> list[Line]:
        few, many = self.corpora.few.recordings, self.heard(contender, "given").recordings
        pairs = zip(
            self.seconds(f"few/{contender.name}"),
            self.seconds(f"given/{contender.name}"),
            strict=True,
        )
        return [Line.through((few, short), (many, long)) for short, long in pairs]
