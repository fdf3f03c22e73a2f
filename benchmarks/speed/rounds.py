"""Measures all tasks in turn, round after round, and saves the measurements.

A round runs every task once, so that a slow moment of the machine hits all contenders alike.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from speed.commands import BATCHEMO, PYTHON, Measurement, run
from speed.contenders import Contender
from speed.corpora import Corpora, Folder

REPEATS = 3
"""How often short commands are run in a round."""

WALK = """
import os, sys
folders = [sys.argv[1]]
while folders:
    with os.scandir(folders.pop()) as entries:
        for entry in entries:
            entry.stat()
            if entry.is_dir():
                folders.append(entry.path)
"""
"""A walk over a folder with a `stat` of every file: what `--update` cannot do without."""

Measurements = dict[str, list[Measurement]]
"""The measurements of each task by its name, in the order of rounds."""


@dataclass(frozen=True)
class Task:
    """A command to measure."""

    name: str
    run: Callable[[], Measurement]
    repeats: int = 1
    large: bool = False
    """It takes long, and is run only in every other round."""


def make_tasks(corpora: Corpora, contenders: Sequence[Contender], output: Path) -> Iterator[Task]:
    """Yield all tasks of a round in their order; tables are written to the folder `output`."""

    def scan(contender: Contender, corpus: str, folder: Folder) -> Task:
        table = output / f"{corpus}-{contender.name}.parquet"
        command = contender.command(folder.path, table)
        large = corpus not in ("few", "given")
        return Task(f"{corpus}/{contender.name}", partial(run, command), large=large)

    for contender in contenders:
        if contender.missing:
            continue
        yield scan(contender, "few", corpora.few)
        for corpus in contender.corpora:
            yield scan(contender, corpus, folder_for(corpora, contender, corpus))
    default = contenders[0]
    yield scan(default, "thousand", corpora.thousand)
    for corpus, folder in (("few", corpora.few), ("short", corpora.short)):
        table = output / f"{corpus}-{default.name}.parquet"
        update = [*default.command(folder.path, table), "--update", "--no-overwrite"]
        yield Task(f"update/{corpus}", partial(run, update), REPEATS)
        yield Task(f"walk/{corpus}", partial(run, [*PYTHON, WALK, str(folder.path)]), REPEATS)
    yield Task("first row", partial(measure_first_row, corpora.few, default, output), REPEATS)
    yield Task("import numpy", partial(run, [*PYTHON, "import numpy"]), REPEATS)


def folder_for(corpora: Corpora, contender: Contender, corpus: str) -> Folder:
    """Return the part of a corpus that a contender is measured on."""
    return corpora.part(getattr(corpora, corpus), contender.max_recordings)


def measure_first_row(folder: Folder, contender: Contender, output: Path) -> Measurement:
    """Measure a scan, and when its first chunk of recordings was done and safe on disk."""
    scan = ["scan", str(folder.path), "-m", contender.model, "-j", str(contender.jobs)]
    command = [*BATCHEMO, *scan, "-o", str(output / "first.parquet"), "--overwrite"]
    return run(
        [*command, "--log-json", "-"], is_first_line=lambda line: '"event": "progress"' in line
    )


def measure_round(
    tasks: Sequence[Task],
    measurements: Measurements,
    number: int,
    on_progress: Callable[[str], None],
) -> None:
    """Measure one round, the first being 0, and add its measurements when all of it is done.

    So a round that was interrupted leaves no tasks with more measurements than others.
    """
    measured: Measurements = {}
    for task in tasks:
        if task.large and number % 2:
            continue
        measured[task.name] = [task.run() for _ in range(task.repeats)]
        seconds = ", ".join(f"{one.seconds:.2f}" for one in measured[task.name])
        on_progress(f"{task.name}: {seconds} s")
    for name, of_task in measured.items():
        measurements.setdefault(name, []).extend(of_task)


def load_measurements(path: Path) -> Measurements:
    """Return the measurements of earlier rounds."""
    if not path.exists():
        return {}
    content = json.loads(path.read_text())
    return {name: [Measurement(**values) for values in rows] for name, rows in content.items()}


def save_measurements(path: Path, measurements: Measurements) -> None:
    """Write all measurements as JSON."""
    content = {name: [asdict(one) for one in rows] for name, rows in measurements.items()}
    path.write_text(json.dumps(content, indent=1))
