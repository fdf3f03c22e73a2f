"""The targets, and whether what was measured meets them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from speed.contenders import contender_of
from speed.figures import Spread, ratios
from speed.findings import Findings
from speed.markdown import number, table

MB = 1e6
MICRO = 1e6
SCANS = ("few", "given", "short", "long", "mix", "thousand")


@dataclass(frozen=True)
class Target:
    """What is asked for, and what was found; nothing where it was not measured."""

    what: str
    sense: Literal["at least", "at most"]
    asked: float
    unit: str
    found: Spread | None

    @property
    def met(self) -> bool | None:
        """Whether the median is good enough; unknown where nothing was measured.

        >>> Target("speed", "at least", 2.0, "×", Spread(2.1, 1.0, 3.0)).met
        True
        >>> Target("memory", "at most", 2.0, " MB", Spread(2.1, 1.0, 3.0)).met
        False
        """
        if self.found is None:
            return None
        if self.sense == "at least":
            return self.found.median >= self.asked
        return self.found.median <= self.asked

    def row(self) -> list[str]:
        """The cells of its row."""
        told = {True: "yes", False: "**no**", None: ""}[self.met]
        asked = f"{self.sense} {self.asked:g}{self.unit}"
        if self.found is None:
            return [self.what, asked, "not measured", told]
        found = self.found
        span = f"{number(found.least)} to {number(found.most)}"
        return [self.what, asked, f"{number(found.median)}{self.unit} ({span})", told]


def targets_table(findings: Findings) -> str:
    """Lay out all targets."""
    rows = (target.row() for target in targets(findings))
    return table(["steady state unless said", "target", "median (of rounds)", "met"], rows)


def targets(findings: Findings) -> Iterator[Target]:
    """All of them, in the order in which they were set."""
    yield _beside(findings, "the loop (1), `default`", "loop", "default", 40)
    yield _beside(findings, "the loop (1), `frames62`", "loop-frames62", "frames62", 20)
    yield _beside(findings, "joblib + librosa (2), `default`", "batch", "default", 6)
    default, one, floor = (
        contender_of(name, findings.contenders) for name in ("default", "default-1", "floor")
    )
    over = ratios(findings.paces(floor, "given"), findings.paces(default, "given"))
    yield Target("time of `default` over the floor's (4)", "at most", 3, "×", over)
    twice = ratios(findings.costs(default, "given"), findings.costs(one, "given"))
    yield Target(f"{default.jobs} processes against one", "at least", 1.85, "×", twice)
    yield Target(*_growth(findings))
    first = [ran.first or ran.seconds for ran in findings.runs("first row")]
    imports = findings.seconds("import tensorflow")
    what = "start to first finished row, 12 recordings, over `import tensorflow`"
    yield Target(what, "at most", 0.25, "×", ratios(imports, first) if imports else None)
    yield from _memory(findings)
    yield Target(*_update(findings))


def _beside(findings: Findings, what: str, who: str, ours: str, asked: float) -> Target:
    contender = contender_of(who, findings.contenders)
    found = None
    if not contender.missing:
        us = contender_of(ours, findings.contenders)
        found = findings.times_ours(contender, us, "given")
    return Target(f"times as fast as {what}", "at least", asked, "×", found)


def _growth(findings: Findings) -> tuple[str, Literal["at most"], float, str, Spread]:
    default = contender_of("default", findings.contenders)
    start = findings.start(default)

    def each(name: str, recordings: int) -> list[float]:
        return [(taken - start) / recordings for taken in findings.seconds(f"{name}/default")]

    corpora = findings.corpora
    few, many = corpora.thousand.recordings, corpora.short.recordings
    grown = ratios(each("thousand", few), each("short", many))
    return f"cost a file, {many:,} files over {few:,}", "at most", 1.05, "×", grown


def _memory(findings: Findings) -> Iterator[Target]:
    runs = [ran for corpus in SCANS for ran in findings.runs(f"{corpus}/default")]
    for who, asked, held in (
        ("parent", 150, [ran.parent / MB for ran in runs]),
        ("worker", 170, [ran.worker / MB for ran in runs]),
    ):
        most = Spread(max(held), min(held), max(held))
        what = f"resident memory, {who}, the most of all corpora"
        yield Target(what, "at most", asked, " MB", most if any(held) else None)


def _update(findings: Findings) -> tuple[str, Literal["at most"], float, str, Spread]:
    few, many = findings.corpora.few.recordings, findings.corpora.short.recordings

    def each(what: str) -> list[float]:
        pairs = zip(findings.seconds(f"{what}/few"), findings.seconds(f"{what}/short"), strict=True)
        return [(long - short) / (many - few) for short, long in pairs]

    beyond = [
        (ours - walk) * MICRO for ours, walk in zip(each("update"), each("walk"), strict=True)
    ]
    what = f"`--update`, {many:,} unchanged files, beyond the walk's own `stat`"
    return what, "at most", 10, " µs a file", Spread.of(beyond)
