"""Runs everything in turn, round after round, and keeps what was measured."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from speed.commands import BATCHEMO, PYTHON, Ran, run
from speed.contenders import Contender, contender_of
from speed.corpora import Corpora, Folder

OFTEN = 3
"""Short runs are repeated within a round."""

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

CoveragePoint = dict[str, list[Ran]]
"""The runs of each task by its name, in the order of rounds."""


@dataclass(frozen=True)
class PredictTask:
    """One thing to measure."""

    name: str
    run: Callable[[], Ran]
    times: int = 1
    large: bool = False
    """It takes long, and is run in every other round."""


def tasks(corpora: Corpora, contenders: Sequence[Contender], out: Path) -> Iterator[PredictTask]:
    """All that is measured in a round, in its order."""

    def scan(contender: Contender, corpus: str, folder: Folder) -> PredictTask:
        output = out / f"{corpus}-{contender.name}.parquet"
        command = contender.command(folder.path, output)
        large = corpus not in ("few", "given")
        return PredictTask(f"{corpus}/{contender.name}", partial(run, command), large=large)

    for contender in contenders:
        if contender.missing:
            continue
        yield scan(contender, "few", corpora.few)
        for corpus in contender.corpora:
            yield scan(contender, corpus, heard(corpora, contender, corpus))
    default = contenders[0]
    yield scan(default, "thousand", corpora.thousand)
    for corpus, folder in (("few", corpora.few), ("short", corpora.short)):
        output = out / f"{corpus}-{default.name}.parquet"
        words = [*default.command(folder.path, output), "--update", "--no-overwrite"]
        yield PredictTask(f"update/{corpus}", partial(run, words), OFTEN)
        yield PredictTask(f"walk/{corpus}", partial(run, [*PYTHON, WALK, str(folder.path)]), OFTEN)
    yield PredictTask("first row", partial(first_row, corpora.few, default, out), OFTEN)
    if not contender_of("loop", contenders).missing:
        yield PredictTask("import tensorflow", partial(run, [*PYTHON, "import tensorflow"]), OFTEN)


def heard(corpora: Corpora, contender: Contender, corpus: str) -> Folder:
    """What a contender is given of a corpus."""
    return corpora.part(getattr(corpora, corpus), contender.most)


def first_row(folder: Folder, contender: Contender, out: Path) -> Ran:
    """Scan, and tell when the first recordings were done and safe on disk."""
    words = ["scan", str(folder.path), "-m", contender.model, "-j", str(contender.jobs)]
    command = [*BATCHEMO, *words, "-o", str(out / "first.parquet"), "--overwrite"]
    return run([*command, "--log-json", "-"], awaited=lambda line: '"advanced"' in line)


def play(
    tasks: Sequence[PredictTask], kept: CoveragePoint, number: int, say: Callable[[str], None]
) -> None:
    """One round, the first being 0; what it measured is added to what was kept when all is done."""
    found: CoveragePoint = {}
    for task in tasks:
        if task.large and number % 2:
            continue
        found[task.name] = [task.run() for _ in range(task.times)]
        say(f"{task.name}: {', '.join(f'{ran.seconds:.2f}' for ran in found[task.name])} s")
    for name, runs in found.items():
        kept.setdefault(name, []).extend(runs)


def load(path: Path) -> CoveragePoint:
    """What earlier rounds have kept."""
    if not path.exists():
        return {}
    return {
        name: [Ran(**run) for run in runs] for name, runs in json.loads(path.read_text()).items()
    }


def save(path: Path, kept: CoveragePoint) -> None:
    """Keep what was measured."""
    told = {name: [asdict(run) for run in runs] for name, runs in kept.items()}
    path.write_text(json.dumps(told, indent=1))
