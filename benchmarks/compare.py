"""Is a checkout slower than another? Both scan the same recordings, in turn; only ratios count.

    git worktree add ../before HEAD~20
    python benchmarks/compare.py ../before . --recordings RECORDINGS

Each round scans all recordings with each checkout, and a few to take the start off. It ends with 1
where the second checkout needs more time than the first by more than the margin, in the median.
Whether the tables are equal is told, and changes nothing: another model gives another table.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from speed.commands import BATCHEMO, Ran, run
from speed.corpora import FEW, Folder, measured, part_of
from speed.figures import Line, Spread, ratios

SLOWER = 1
OF_THE_RUN = ("model",)
"""Columns that name what made a row; the rest is what it says."""


def main() -> int:
    told = _options()
    checkouts = {"old": told.old.resolve(), "new": told.new.resolve()}
    whole = measured(told.recordings.resolve())
    few = part_of(whole, FEW, told.work.resolve() / "few")
    lines: dict[str, dict[str, list[Line]]] = {"wall": {}, "processor": {}}
    for number in range(told.rounds):
        # The one that goes first changes, so that neither always finds the machine warmer.
        for name in sorted(checkouts, reverse=bool(number % 2)):
            runs = [_scan(checkouts[name], name, folder, told) for folder in (few, whole)]
            for clock, seconds in CLOCKS.items():
                points = zip((few.recordings, whole.recordings), map(seconds, runs), strict=True)
                lines[clock].setdefault(name, []).append(Line.through(*points))
            said = f"{1 / lines['wall'][name][-1].each:.1f} recordings/s"
            print(f"round {number + 1}, {name}: {said}", file=sys.stderr, flush=True)
    slower = {clock: compared(**both) for clock, both in lines.items()}
    for clock, ratio in slower.items():
        span = f"{ratio.least:.3f} to {ratio.most:.3f}"
        print(f"{clock} time, new over old: {ratio.median:.3f} ({span}, {told.rounds} rounds)")
    print(difference(*(pq.read_table(_output(told.work, name)) for name in checkouts)))
    if slower[told.by].median > 1 + told.margin:
        print(f"slower: beyond the margin of {told.margin:.0%}")
        return SLOWER
    return 0


CLOCKS: dict[str, Callable[[Ran], float]] = {
    "wall": lambda ran: ran.seconds,
    "processor": lambda ran: ran.cpu,
}


def compared(old: list[Line], new: list[Line]) -> Spread:
    """How many times the old one's time the new one needs for a recording."""
    return ratios([line.each for line in old], [line.each for line in new])


def difference(old: pa.Table, new: pa.Table) -> str:
    """Say in words whether two tables hold the same.

    >>> one = pa.table({"emotion": ["sad"], "p_sad": [0.75]})
    >>> difference(one, one)
    'the tables are equal'
    >>> difference(one, pa.table({"emotion": ["sad"], "p_sad": [0.5]}))
    'the tables differ: p_sad in 1 row, by 0.25 at most'
    """
    old, new = (
        table.drop_columns([*set(OF_THE_RUN) & set(table.column_names)]) for table in (old, new)
    )
    if old.equals(new):
        return "the tables are equal"
    if old.column_names != new.column_names or old.num_rows != new.num_rows:
        return "the tables differ: in their columns or in the number of their rows"
    return f"the tables differ: {'; '.join(_differing(old, new))}"


def _differing(old: pa.Table, new: pa.Table) -> list[str]:
    told = []
    for name in old.column_names:
        pairs = zip(old[name].to_pylist(), new[name].to_pylist(), strict=True)
        unequal = [(one, other) for one, other in pairs if one != other]
        if not unequal:
            continue
        rows = "1 row" if len(unequal) == 1 else f"{len(unequal)} rows"
        far = [abs(a - b) for a, b in unequal if isinstance(a, float) and isinstance(b, float)]
        told.append(f"{name} in {rows}" + (f", by {max(far):.2g} at most" if far else ""))
    return told


def _scan(checkout: Path, name: str, folder: Folder, told: argparse.Namespace) -> Ran:
    output = _output(told.work, name)
    words = ["scan", str(folder.path), "--ext", "audio", "-m", told.model, "-j", str(told.jobs)]
    ran = run([*BATCHEMO, *words, "-o", str(output), "--overwrite", "-q"], checkout=checkout)
    if (rows := pq.read_metadata(output).num_rows) != folder.recordings:
        sys.exit(f"{folder.path}: {rows} of {folder.recordings} recordings were scanned: no links?")
    return ran


def _output(work: Path, name: str) -> Path:
    return work.resolve() / f"{name}.parquet"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("old", type=Path, help="a checkout of batchemo")
    parser.add_argument("new", type=Path, help="another")
    parser.add_argument("--recordings", type=Path, required=True, help="a folder of recordings")
    parser.add_argument("-m", "--model", default="default", help="its name or folder, for both")
    parser.add_argument("-j", "--jobs", type=int, default=1, help="worker processes")
    parser.add_argument("--rounds", type=int, default=5, help="how often both are run")
    parser.add_argument("--margin", type=float, default=0.05, help="so much slower is no matter")
    parser.add_argument(
        "--by",
        choices=CLOCKS,
        default="processor",
        help="the clock that decides; a busy machine disturbs the other one",
    )
    parser.add_argument("--work", type=Path, default=Path("compare.work"), help="what is kept")
    told = parser.parse_args()
    for checkout in (told.old, told.new):
        if not (checkout / "batchemo" / "__init__.py").is_file():
            parser.error(f"{checkout} is no checkout of batchemo")
    if Path(told.model).is_dir():
        told.model = str(Path(told.model).resolve())
    told.work.mkdir(parents=True, exist_ok=True)
    return told


if __name__ == "__main__":
    sys.exit(main())
