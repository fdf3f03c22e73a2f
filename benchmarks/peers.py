"""Compares the speed of batchemo with that of alternatives, and writes docs/performance.md.

    python benchmarks/peers.py RECORDINGS --work peers.work

RECORDINGS is a folder of WAV files, such as RAVDESS; corpora of short, long and mixed recordings
are made of them in the work folder (about 2 GB). It needs `pip install '.[peers]'`; alternatives
that are not installed are skipped, and the page says so. All commands are run in turn, `--rounds`
times. Measurements are kept in `results.json` in the work folder: further rounds are added to them,
and `--rounds 0` only writes the page and the chart again.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from speed.commands import CHECKOUT
from speed.contenders import contenders
from speed.corpora import make_corpora
from speed.gains import gains_table
from speed.markdown import replace_section
from speed.report import corpora_tables, describe_machine, draw_chart
from speed.results import Results
from speed.rounds import load_measurements, make_tasks, measure_round, save_measurements
from speed.stages import stages_table
from speed.targets import targets_table

from batchemo.workers.executor import available_cpus

PAGE = CHECKOUT / "docs" / "performance.md"
STAGES_RECORDINGS = 150
"""Recordings that the stages are measured on."""


def main() -> None:
    options = _options()
    corpora = make_corpora(
        options.recordings, options.work, short=options.short, hours=options.hours
    )
    everyone = contenders(available_cpus())
    for contender in everyone:
        for name in contender.missing:
            report_progress(f"skipped: {contender.title}: {name} is not installed")
    saved, output = options.work / "results.json", options.work / "out"
    output.mkdir(exist_ok=True)
    measurements, start = load_measurements(saved), time.monotonic()
    tasks = list(make_tasks(corpora, everyone, output))
    for number in range(options.rounds):
        seconds = time.monotonic() - start
        report_progress(f"round {number + 1} of {options.rounds}, {seconds:.0f} s so far")
        measure_round(tasks, measurements, number, report_progress)
        save_measurements(saved, measurements)
    results = Results(measurements, corpora, everyone)
    page = options.page.read_text(encoding="utf-8")
    for name, make_section in SECTIONS.items():
        page = replace_section(page, name, make_section(results))
    options.page.write_text(page, encoding="utf-8")
    draw_chart(results, options.page.with_suffix(".svg"))


def machine_section(results: Results) -> str:
    """Describe the machine, and how often and for how long was measured."""
    rounds = len(results.of_task("few/default"))
    seconds = sum(run.seconds for runs in results.measurements.values() for run in runs)
    machine = describe_machine(available_cpus())
    return f"{machine}. {rounds} rounds, {seconds / 60:.0f} minutes in all."


def stages_section(results: Results) -> str:
    """Measure the stages, on a part of the recordings."""
    corpora = results.corpora
    return stages_table(corpora.part(corpora.given, STAGES_RECORDINGS), "default")


SECTIONS: dict[str, Callable[[Results], str]] = {
    "gains": gains_table,
    "machine": machine_section,
    "targets": targets_table,
    "corpora": corpora_tables,
    "stages": stages_section,
}
"""What stands on the page between the markers of these names."""


def report_progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("recordings", type=Path, help="a folder of WAV files")
    parser.add_argument("--work", type=Path, default=Path("peers.work"), help="the work folder")
    parser.add_argument("--rounds", type=int, default=3, help="rounds to measure")
    parser.add_argument("--short", type=int, default=20_000, help="short recordings to make")
    parser.add_argument("--hours", type=int, default=3, help="recordings of an hour to make")
    parser.add_argument("--page", type=Path, default=PAGE, help="the page that has the markers")
    return parser.parse_args()


if __name__ == "__main__":
    main()
