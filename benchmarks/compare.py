"""Compares the speed of two checkouts, which scan the same recordings in turn.

    python benchmarks/compare.py $(git describe --tags --abbrev=0) . --recordings RECORDINGS

A checkout is a folder, or a revision such as a tag, which is checked out into the work folder.

Each round scans all recordings with each checkout, and a few recordings to subtract the start. The
median of the ratios of the rounds counts. The exit code is 1 if the second checkout is slower than
the first by more than `--margin`. It also prints whether the tables are equal, which does not
change the exit code: another model gives another table.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from speed.commands import BATCHEMO, CHECKOUT, Measurement, run
from speed.corpora import FEW, Folder, measure_folder, part_of
from speed.results import Cost, Spread, ratios

SLOWER = 1
IGNORED_COLUMNS = ("model",)
"""Columns that name the model; the others hold what it predicts."""

CLOCKS: dict[str, Callable[[Measurement], float]] = {
    "wall": lambda measurement: measurement.seconds,
    "processor": lambda measurement: measurement.cpu,
}


def main() -> int:
    options = _options()
    checkouts = {"old": options.old, "new": options.new}
    whole = measure_folder(options.recordings.resolve())
    few = part_of(whole, FEW, options.work.resolve() / "few")
    costs: dict[str, dict[str, list[Cost]]] = {"wall": {}, "processor": {}}
    for number in range(options.rounds):
        # The order alternates, so that a machine that warms up or slows down favours neither.
        for name in sorted(checkouts, reverse=bool(number % 2)):
            small, large = (
                _scan(checkouts[name], name, folder, options) for folder in (few, whole)
            )
            for clock, seconds in CLOCKS.items():
                cost = Cost.from_runs(
                    (few.recordings, seconds(small)), (whole.recordings, seconds(large))
                )
                costs[clock].setdefault(name, []).append(cost)
            speed = 1 / costs["wall"][name][-1].per_recording
            progress = f"round {number + 1}, {name}: {speed:.1f} recordings/s"
            print(progress, file=sys.stderr, flush=True)
    time_ratios = {clock: cost_ratio(**both) for clock, both in costs.items()}
    for clock, ratio in time_ratios.items():
        span = f"{ratio.minimum:.3f} to {ratio.maximum:.3f}"
        print(f"{clock} time, new over old: {ratio.median:.3f} ({span}, {options.rounds} rounds)")
    tables = (pq.read_table(_output(options.work, name)) for name in checkouts)
    print(describe_difference(*tables))
    if time_ratios[options.by].median > 1 + options.margin:
        print(f"slower: beyond the margin of {options.margin:.0%}")
        return SLOWER
    return 0


def find_checkout(name: str, place: Path) -> Path:
    """Return the folder of a checkout; a revision of this one is checked out at `place`."""
    folder = Path(name).resolve()
    if not folder.is_dir():
        folder = place.resolve()
        shutil.rmtree(folder, ignore_errors=True)
        git = ["git", "-C", str(CHECKOUT)]
        subprocess.run([*git, "worktree", "prune"], check=True)
        add = [*git, "worktree", "add", "--quiet", "--detach", str(folder), name]
        done = subprocess.run(add, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ValueError(f"{name} is neither a folder nor a revision: {done.stderr.strip()}")
    if not (folder / "batchemo" / "__init__.py").is_file():
        raise ValueError(f"{name} is not a checkout of batchemo")
    return folder


def cost_ratio(old: list[Cost], new: list[Cost]) -> Spread:
    """Return the new cost of a recording as a multiple of the old one."""
    return ratios([cost.per_recording for cost in old], [cost.per_recording for cost in new])


def describe_difference(old: pa.Table, new: pa.Table) -> str:
    """Say whether two tables are equal, and else which columns differ and how much.

    >>> one = pa.table({"emotion": ["sad"], "p_sad": [0.75]})
    >>> describe_difference(one, one)
    'the tables are equal'
    >>> describe_difference(one, pa.table({"emotion": ["sad"], "p_sad": [0.5]}))
    'the tables differ: p_sad in 1 row, by 0.25 at most'
    """
    old, new = (
        table.drop_columns([*set(IGNORED_COLUMNS) & set(table.column_names)])
        for table in (old, new)
    )
    if old.equals(new):
        return "the tables are equal"
    if old.column_names != new.column_names or old.num_rows != new.num_rows:
        return "the tables differ: in their columns or in the number of their rows"
    return f"the tables differ: {'; '.join(_differing_columns(old, new))}"


def _differing_columns(old: pa.Table, new: pa.Table) -> list[str]:
    descriptions = []
    for name in old.column_names:
        pairs = zip(old[name].to_pylist(), new[name].to_pylist(), strict=True)
        unequal = [(a, b) for a, b in pairs if a != b]
        if not unequal:
            continue
        rows = "1 row" if len(unequal) == 1 else f"{len(unequal)} rows"
        numbers = [abs(a - b) for a, b in unequal if isinstance(a, float) and isinstance(b, float)]
        distance = f", by {max(numbers):.2g} at most" if numbers else ""
        descriptions.append(f"{name} in {rows}{distance}")
    return descriptions


def _scan(checkout: Path, name: str, folder: Folder, options: argparse.Namespace) -> Measurement:
    output = _output(options.work, name)
    scan = ["scan", str(folder.path), "--ext", "audio", "-m", options.model]
    scan += ["-j", str(options.jobs), "-o", str(output), "--overwrite", "-q"]
    measurement = run([*BATCHEMO, *scan], checkout=checkout)
    if (rows := pq.read_metadata(output).num_rows) != folder.recordings:
        sys.exit(
            f"{folder.path}: {rows} of {folder.recordings} recordings were scanned. Does the "
            "folder contain links, which a scan leaves out?"
        )
    return measurement


def _output(work: Path, name: str) -> Path:
    return work.resolve() / f"{name}.parquet"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("old", help="a checkout of batchemo, or a revision of this one")
    parser.add_argument("new", help="another checkout or revision")
    parser.add_argument("--recordings", type=Path, required=True, help="a folder of recordings")
    parser.add_argument("-m", "--model", default="default", help="its name or folder, for both")
    parser.add_argument("-j", "--jobs", type=int, default=1, help="worker processes")
    parser.add_argument("--rounds", type=int, default=5, help="scans with each checkout")
    parser.add_argument("--margin", type=float, default=0.05, help="tolerated slowdown")
    parser.add_argument(
        "--by",
        choices=CLOCKS,
        default="processor",
        help="the clock that decides; other programs disturb the wall clock more",
    )
    parser.add_argument("--work", type=Path, default=Path("compare.work"), help="the work folder")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    for name in ("old", "new"):
        try:
            setattr(options, name, find_checkout(getattr(options, name), options.work / name))
        except ValueError as error:
            parser.error(str(error))
    # Relative to this folder, not to that of the checkout.
    if Path(options.model).is_dir():
        options.model = str(Path(options.model).resolve())
    return options


if __name__ == "__main__":
    sys.exit(main())
