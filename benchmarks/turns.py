"""Measures what turns cost: many of them in a long recording, against the windows that they hold.

    python benchmarks/turns.py RECORDINGS [--turns 10000] [--seconds 2] [--model mfcc40]

RECORDINGS is a folder of clips of speech, of which a long recording of as many turns is made: each
turn is a clip, cut or repeated to the same length. The scan of the turns is compared with one of
the same recording as a whole with windows of that length, which holds the same windows. It prints
the seconds of processor time of both, their largest memory, and those of a recording of ten turns.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import soundfile
import soxr

RATE = 16_000
SUFFIXES = {".wav", ".flac", ".ogg"}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("recordings", type=Path, help="a folder of clips of speech")
    parser.add_argument("--turns", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=2.0, help="length of each turn")
    parser.add_argument("--model", default="mfcc40")
    options = parser.parse_args()
    clips = [
        clip(path, options.seconds)
        for path in sorted(options.recordings.rglob("*"))[:60]
        if path.suffix in SUFFIXES
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for count in (10, options.turns):
            write(folder / str(count), clips, count, options.seconds)
        window = ("--window", options.seconds, "--hop", options.seconds)
        model = ("-m", options.model, *window)
        few = scan(folder / "10", "--turns", folder / "10.csv", *model)
        many = scan(folder / f"{options.turns}", "--turns", folder / f"{options.turns}.csv", *model)
        whole = scan(folder / f"{options.turns}", *model)
        print("| scan | processor s | memory |\n| --- | --- | --- |")
        print(f"| 10 turns | {few[0]:.1f} | {few[1]:.0f} MB |")
        print(f"| {options.turns:,} turns | {many[0]:.1f} | {many[1]:.0f} MB |")
        print(f"| the same windows, no turns | {whole[0]:.1f} | {whole[1]:.0f} MB |")
        print(f"\n{many[0] / whole[0]:.3f} times the windows; boundaries within {many[2]:.6f} s")


def clip(path: Path, seconds: float) -> np.ndarray:
    signal, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = signal.mean(axis=1)
    mono = mono if rate == RATE else soxr.resample(mono, rate, RATE)
    return np.resize(mono, round(seconds * RATE))


def write(folder: Path, clips: list[np.ndarray], count: int, seconds: float) -> None:
    folder.mkdir()
    with soundfile.SoundFile(folder / "long.wav", "w", RATE, 1, "PCM_16") as file:
        for number in range(count):
            file.write(clips[number % len(clips)])
    with folder.with_suffix(".csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(("file", "start", "end", "speaker"))
        rows.writerows(
            ("long.wav", n * seconds, (n + 1) * seconds, f"s{n % 2}") for n in range(count)
        )


def scan(folder: Path, *words: object) -> tuple[float, float, float]:
    """Return the processor time and the largest memory of a scan by one worker.

    And how far windows begin, at most, from the multiples of their length.
    """
    tables = ("-o", folder / "r.parquet", "--segments", folder / "s.parquet", "--overwrite")
    command = [sys.executable, "-m", "batchemo", "scan", folder, *words, *tables, "-j", 1, "-q"]
    process = subprocess.Popen(list(map(str, command)))
    _, status, used = os.wait4(process.pid, 0)
    assert os.waitstatus_to_exitcode(status) in (0, 3)
    rows = pq.read_table(folder / "s.parquet")
    starts, ends = (np.asarray(rows[name]) for name in ("start", "end"))
    length = np.median(ends - starts)
    off = np.abs(starts - np.round(starts / length) * length).max()
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, float(off)


if __name__ == "__main__":
    main()
