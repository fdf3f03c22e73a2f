"""What the shipped models cost: the processor time of a scan with each, as ratios in one run.

    python benchmarks/price.py RECORDINGS --models default accurate functionals

Each model scans the same folder in one process, in turn, `--rounds` times; the median counts. The
start of the command is measured beside it, by a scan of one recording, and taken off.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path


def main() -> None:
    options = _options()
    files = sorted(path for path in options.folder.rglob("*.wav"))
    times: dict[str, list[float]] = {name: [] for name in options.models}
    for number in range(options.rounds):
        for name, seconds in times.items():
            start, whole = (_scan(name, some) for some in (files[:1], files))
            seconds.append((whole - start) / (len(files) - 1))
            print(f"round {number + 1}, {name}: {seconds[-1] * 1e3:.1f} ms", file=sys.stderr)
    medians = {name: statistics.median(seconds) for name, seconds in times.items()}
    print("| model | ms a recording | to the first |\n| --- | --- | --- |")
    for name, median in medians.items():
        print(f"| `{name}` | {median * 1e3:.1f} | {median / medians[options.models[0]]:.2f} |")


def _scan(model: str, files: list[Path]) -> float:
    """The processor seconds of a scan, those of its worker included."""
    names = "\n".join(str(path.resolve()) for path in files).encode()
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "results.parquet"
        command = [sys.executable, "-c", "from batchemo.cli import main; main()"]
        words = ["scan", "--files-from", "-", "-m", model, "-o", str(output), "-j", "1", "-q"]
        before = _spent()
        subprocess.run([*command, *words], input=names, check=True)
        return _spent() - before


def _spent() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="a folder of wav files")
    parser.add_argument("--models", nargs="+", default=["default", "accurate", "functionals"])
    parser.add_argument("--rounds", type=int, default=3, help="scans of each model")
    return parser.parse_args()


if __name__ == "__main__":
    main()
