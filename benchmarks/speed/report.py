"""The tables of the page and its picture, made of what was found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from speed.contenders import EVERYTHING, Contender, contender_of
from speed.figures import Spread
from speed.findings import Findings
from speed.markdown import number, table

TITLES = {
    "given": "The recordings as they are",
    "short": "Many short recordings",
    "long": "Long recordings",
    "mix": "A mix of lengths, rates and formats",
}
OURS, OTHERS, FLOOR = "#2a6f97", "#b0b7bf", "#7fb069"


def corpora_tables(findings: Findings) -> str:
    """A table for each corpus, the contenders below each other."""
    return "\n\n".join(_corpus(findings, corpus) for corpus in TITLES)


def _corpus(findings: Findings, corpus: str) -> str:
    whole = getattr(findings.corpora, corpus)
    amount = f"{whole.recordings:,} recordings, {_time(whole.minutes)} of sound"
    titles = ["who", "heard", "recordings/s", "× real time", "times batchemo's time"]
    if corpus == "given":
        titles.insert(2, "12 recordings, cold")
    rows = [
        _row(findings, contender, corpus)
        for contender in findings.contenders
        if corpus in contender.corpora
    ]
    return f"### {TITLES[corpus]}\n\n{amount}.\n\n{table(titles, rows)}"


def _row(findings: Findings, contender: Contender, corpus: str) -> list[str]:
    cold = [""] if corpus == "given" else []
    if contender.missing:
        missing = ", ".join(contender.missing)
        return [contender.title, f"skipped: {missing} not installed", *cold, "", "", ""]
    if corpus == "given":
        few = Spread.of(findings.seconds(f"few/{contender.name}"))
        cold = [f"{number(few.median)} s"]
    folder = findings.heard(contender, corpus)
    cost = Spread.of(findings.costs(contender, corpus)).median
    pace = Spread.of(findings.paces(contender, corpus)).median
    return [
        contender.title,
        "all" if contender.most == EVERYTHING else f"{folder.recordings}, {_time(folder.minutes)}",
        *cold,
        number(1 / cost),
        number(60 / pace),
        _times(findings, contender, corpus),
    ]


def _times(findings: Findings, contender: Contender, corpus: str) -> str:
    if contender.name == contender.beside:
        return "1"
    ours = contender_of(contender.beside, findings.contenders)
    times = findings.times_ours(contender, ours, corpus)
    return f"{number(times.median)} ({number(times.least)} to {number(times.most)})"


def _time(minutes: float) -> str:
    return f"{minutes:.0f} min" if minutes < 100 else f"{minutes / 60:.1f} h"


def draw(findings: Findings, path: Path) -> None:
    """Bars of how many recordings each finishes in a second, in the steady state."""
    from matplotlib import rcParams
    from matplotlib.figure import Figure

    bars = list(_bars(findings))[::-1]
    # So that the same figures make the same file.
    rcParams["svg.hashsalt"] = "batchemo"
    figure = Figure(figsize=(8, 0.4 * len(bars) + 0.8), layout="constrained")
    axes = figure.subplots()
    drawn = axes.barh([name for name, _, _ in bars], [pace for _, pace, _ in bars])
    for bar, (_, _, colour) in zip(drawn, bars, strict=True):
        bar.set_color(colour)
    axes.bar_label(drawn, [number(pace) for _, pace, _ in bars], padding=4)
    axes.set_xscale("log")
    axes.set_xlabel("recordings a second, steady state (logarithmic)")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})


def _bars(findings: Findings) -> Iterator[tuple[str, float, str]]:
    for contender in findings.contenders:
        if contender.missing:
            continue
        pace = 1 / Spread.of(findings.costs(contender, "given")).median
        colour = OURS if not contender.module else OTHERS
        yield (
            contender.title.replace("`", ""),
            pace,
            FLOOR if contender.name == "floor" else colour,
        )
