"""batchemo beside what people would use instead, on the same recordings, in turn, in one run.

    python benchmarks/peers.py RECORDINGS --work peers.work

RECORDINGS is a folder of wav files, as that of RAVDESS; short, long and mixed corpora are made of
them in the work folder (about 2 GB). Needs `pip install '.[peers]'`; who is
not installed is left out and said to be. It writes the tables of docs/performance.md and the
picture beside it. Rounds are kept in the work folder: more of them are added to those there are,
and with --rounds 0 only the page is written anew.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from speed.commands import CHECKOUT
from speed.contenders import contenders
from speed.corpora import gather
from speed.findings import Findings
from speed.machine import machine
from speed.markdown import into_page
from speed.report import corpora_tables, draw
from speed.rounds import load, play, save, tasks
from speed.stages import stages_table
from speed.targets import targets_table

from batchemo.workers.executor import available_cpus

PAGE = CHECKOUT / "docs" / "performance.md"
STAGED = 150
"""Recordings that the stages are measured on."""


def main() -> None:
    told = _options()
    jobs = available_cpus()
    corpora = gather(told.recordings, told.work, short=told.short, hours=told.hours)
    everyone, results, out = contenders(jobs), told.work / "results.json", told.work / "out"
    out.mkdir(exist_ok=True)
    for contender in everyone:
        for name in contender.missing:
            print(f"left out: {contender.title}: {name} is not installed", file=sys.stderr)
    kept, began = load(results), time.monotonic()
    for number in range(told.rounds):
        say(f"round {number + 1} of {told.rounds}, {time.monotonic() - began:.0f} s so far")
        play(list(tasks(corpora, everyone, out)), kept, number, say)
        save(results, kept)
    findings = Findings(kept, corpora, everyone)
    page = told.page.read_text(encoding="utf-8")
    for name, write in TABLES.items():
        page = into_page(page, name, write(findings))
    told.page.write_text(page, encoding="utf-8")
    draw(findings, told.page.with_suffix(".svg"))


def measured_on(findings: Findings) -> str:
    """Say on what machine, how often and for how long."""
    rounds = len(findings.runs("few/default"))
    minutes = sum(ran.seconds for runs in findings.kept.values() for ran in runs) / 60
    return f"{machine(available_cpus())}. {rounds} rounds, {minutes:.0f} minutes in all."


def stages(findings: Findings) -> str:
    """Measure the stages, on some of the recordings."""
    corpora = findings.corpora
    return stages_table(corpora.part(corpora.given, STAGED), "default")


TABLES: dict[str, Callable[[Findings], str]] = {
    "machine": measured_on,
    "targets": targets_table,
    "corpora": corpora_tables,
    "stages": stages,
}
"""What the page has between the markers of these names."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("recordings", type=Path, help="a folder of wav files")
    parser.add_argument("--work", type=Path, default=Path("peers.work"), help="what is kept")
    parser.add_argument("--rounds", type=int, default=3, help="how often everything is run")
    parser.add_argument("--short", type=int, default=20_000, help="short recordings to make")
    parser.add_argument("--hours", type=int, default=3, help="recordings of an hour to make")
    parser.add_argument("--page", type=Path, default=PAGE, help="the page that has the markers")
    return parser.parse_args()


if __name__ == "__main__":
    main()
