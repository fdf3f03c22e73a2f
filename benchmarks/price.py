"""Measures what the shipped models cost: the processor time of a scan with each of them.

    python benchmarks/price.py RECORDINGS --models default accurate functionals

Each model scans the same folder in one process, in turn, `--rounds` times; the median counts. The
start of the command, measured by a scan of one recording, is subtracted.
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
            start, whole = (cpu_seconds_of_scan(name, part) for part in (files[:1], files))
            seconds.append((whole - start) / (len(files) - 1))
            print(f"round {number + 1}, {name}: {seconds[-1] * 1e3:.1f} ms", file=sys.stderr)
    medians = {name: statistics.median(seconds) for name, seconds in times.items()}
    print("| model | ms per recording | relative to the first |\n| --- | --- | --- |")
    for name, median in medians.items():
        print(f"| `{name}` | {median * 1e3:.1f} | {median / medians[options.models[0]]:.2f} |")


def cpu_seconds_of_scan(model: str, files: list[Path]) -> float:
    """Return the processor seconds of a scan, including those of its worker."""
    names = "\n".join(str(path.resolve()) for path in files).encode()
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "results.parquet"
        command = [sys.executable, "-c", "from batchemo.cli import main; main()"]
        scan = ["scan", "--files-from", "-", "-m", model, "-o", str(output), "-j", "1", "-q"]
        before = _cpu_seconds_of_children()
        subprocess.run([*command, *scan], input=names, check=True)
        return _cpu_seconds_of_children() - before


def _cpu_seconds_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="a folder of WAV files")
    parser.add_argument("--models", nargs="+", default=["default", "accurate", "functionals"])
    parser.add_argument("--rounds", type=int, default=3, help="scans with each model")
    return parser.parse_args()


if __name__ == "__main__":
    main()
