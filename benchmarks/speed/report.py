"""The page docs/performance.md: the machine, the tables of all corpora, and the chart."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from speed.contenders import ALL, Contender, find_contender
from speed.markdown import number, table
from speed.results import Results, Spread

PACKAGES = (
    *("numpy", "scipy", "soundfile", "soxr", "onnxruntime", "pyarrow", "librosa", "tensorflow"),
    *("joblib", "opensmile", "audinterface"),
)
CORPUS_TITLES = {
    "given": "The given recordings",
    "short": "Many short recordings",
    "long": "Long recordings",
    "mix": "A mix of lengths, rates and formats",
}
BATCHEMO_COLOUR, OTHER_COLOUR, FLOOR_COLOUR = "#2a6f97", "#b0b7bf", "#7fb069"


def describe_machine(cpus: int) -> str:
    """Describe the machine and the installed packages, without anything that identifies it."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    python = platform.python_version()
    system = f"{platform.system()}, {platform.machine()}"
    packages = ", ".join(f"{name} {_version(name)}" for name in PACKAGES)
    return f"{cpus} cores, {memory:.0f} GiB of memory, {system}, Python {python}; {packages}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(not installed)"


def corpora_tables(results: Results) -> str:
    """Return a table for each corpus, with a row for each contender."""
    return "\n\n".join(_corpus_table(results, corpus) for corpus in CORPUS_TITLES)


def _corpus_table(results: Results, corpus: str) -> str:
    folder = getattr(results.corpora, corpus)
    amount = f"{folder.recordings:,} recordings, {_duration(folder.minutes)} of audio"
    titles = ["contender", "measured on", "recordings/s", "× real time", "× batchemo's time"]
    if corpus == "given":
        titles.insert(2, "12 recordings, cold")
    rows = [
        _row(results, contender, corpus)
        for contender in results.contenders
        if corpus in contender.corpora
    ]
    return f"### {CORPUS_TITLES[corpus]}\n\n{amount}.\n\n{table(titles, rows)}"


def _row(results: Results, contender: Contender, corpus: str) -> list[str]:
    cold = [""] if corpus == "given" else []
    if contender.missing:
        missing = ", ".join(contender.missing)
        return [contender.title, f"skipped: {missing} not installed", *cold, "", "", ""]
    if corpus == "given":
        few = Spread.of(results.seconds(f"few/{contender.name}"))
        cold = [f"{number(few.median)} s"]
    folder = results.folder(contender, corpus)
    per_recording = Spread.of(results.seconds_per_recording(contender, corpus)).median
    per_minute = Spread.of(results.seconds_per_minute(contender, corpus)).median
    is_all = contender.max_recordings == ALL
    return [
        contender.title,
        "all" if is_all else f"{folder.recordings}, {_duration(folder.minutes)}",
        *cold,
        number(1 / per_recording),
        number(60 / per_minute),
        _time_ratio(results, contender, corpus),
    ]


def _time_ratio(results: Results, contender: Contender, corpus: str) -> str:
    if contender.name == contender.baseline:
        return "1"
    baseline = find_contender(contender.baseline, results.contenders)
    ratio = results.time_ratio(contender, baseline, corpus)
    return f"{number(ratio.median)} ({number(ratio.minimum)} to {number(ratio.maximum)})"


def _duration(minutes: float) -> str:
    return f"{minutes:.0f} min" if minutes < 100 else f"{minutes / 60:.1f} h"


def draw_chart(results: Results, path: Path) -> None:
    """Write a bar chart of the recordings per second of each contender, in the steady state."""
    from matplotlib import rcParams
    from matplotlib.figure import Figure

    bars = list(_bars(results))[::-1]
    # Otherwise the ids in the file are random, and the same results give another file.
    rcParams["svg.hashsalt"] = "batchemo"
    figure = Figure(figsize=(8, 0.4 * len(bars) + 0.8), layout="constrained")
    axes = figure.subplots()
    drawn = axes.barh([name for name, _, _ in bars], [speed for _, speed, _ in bars])
    for bar, (_, _, colour) in zip(drawn, bars, strict=True):
        bar.set_color(colour)
    axes.bar_label(drawn, [number(speed) for _, speed, _ in bars], padding=4)
    axes.set_xscale("log")
    axes.set_xlabel("recordings per second, steady state (logarithmic)")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})


def _bars(results: Results) -> Iterator[tuple[str, float, str]]:
    for contender in results.contenders:
        if contender.missing:
            continue
        speed = 1 / Spread.of(results.seconds_per_recording(contender, "given")).median
        colour = OTHER_COLOUR if contender.module else BATCHEMO_COLOUR
        if contender.name == "floor":
            colour = FLOOR_COLOUR
        yield contender.title.replace("`", ""), speed, colour
