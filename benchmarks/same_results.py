"""Compares the results of two checkouts: tables, texts, event logs and exit codes.

    git worktree add ../before HEAD~20
    python benchmarks/same_results.py save ../before /tmp/before --recordings RECORDINGS
    python benchmarks/same_results.py save . /tmp/after --recordings RECORDINGS
    python benchmarks/same_results.py compare /tmp/before /tmp/after --renamed old_name=new_name

Every command is run in its own process on the examples, and on RECORDINGS with all shipped models.
Tables are saved as lines of JSON, with the provenance in their metadata. What differs from run to
run (times, digests) is masked, and names that were changed on purpose are given by `--renamed`. The
exit code is 1 if anything else differs, and the first lines of each difference are shown.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow.csv as csv
import pyarrow.parquet as pq

MODELS = [
    "default",
    "accurate",
    "functionals",
    "cnn1d",
    "melattn",
    "stats162",
    "frames62",
    "mfcc40",
]
ALL_MODELS = [word for name in MODELS for word in ("-m", name)]
FEATURE_SETS = ["stats162", "logmel128", "frames62", "mfcc40", "logmel64", "functionals"]
SHOWN_LINES = 20
"""Lines shown of the differences of one result."""

# Digests have 12 digits in names and 64 in tables; seconds are in tables, texts and logs.
MASKS = (
    (r"(?<![.0-9a-f])(?=[0-9a-f]*[a-f])[0-9a-f]{12,64}\b", "<digest>"),
    (r'"(time|elapsed|stages|times_real_time)": ("[^"]*"|\{[^}]*\}|[0-9.]+)', r'"\1": null'),
    (r"[0-9.,]+ (s|min|h)\b", "<seconds>"),
    (r"[0-9.,]+ ?(×|times|x) real time", "<speed>"),
)


def commands(examples: str, recordings: str) -> Iterator[tuple[str, list[str]]]:
    """Yield a name and the arguments of each command; those of one name share a folder."""
    scan = ["scan", "-j", "1", "--log-json", "log.jsonl"]
    scan_audio = [*scan, recordings, "--ext", "audio"]
    to_parquet = ["-o", "t.parquet", "--segments", "s.parquet", "--summary", "by.parquet"]
    to_csv = ["-o", "t.csv", "--segments", "s.csv", "--summary", "by.csv", "--group-by", "folder"]
    postprocess = ["--min-confidence", "0.4", "--dimensions"]
    yield "fresh", [*scan, examples, *to_parquet]
    yield "fresh", [*scan, examples, *to_parquet]
    yield "fresh", [*scan, examples, *to_parquet, "--min-confidence", "0.5"]
    yield "fresh", [*scan, examples, *to_parquet, "--update", "--dry-run"]
    yield "fresh", [*scan, examples, *to_parquet, "--overwrite", "--quiet"]
    yield "csv", [*scan, examples, *to_csv, *postprocess]
    yield "csv", [*scan, examples, "-o", "-", "-q"]
    yield "update", [*scan, f"{examples}/recordings/voices", "-o", "t.parquet", "--limit", "3"]
    yield "update", [*scan, examples, "-o", "t.parquet", "--update", "--segments", "s.parquet"]
    yield "update", [*scan, examples, "-o", "t.parquet", "--update", "--retry-failed", "-j", "2"]
    yield "update", [*scan, f"{examples}/broken", "-o", "t.parquet", "--update", "--prune"]
    yield "update", ["show", "t.parquet"]
    yield "update", ["summary", "t.parquet", "--group-by", "part:1", "-o", "by.csv"]
    yield "manifest", [*scan, "--manifest", "manifest.csv", *to_parquet, "--speaker", "who"]
    yield "lists", [*scan, "--files-from", "list.txt", "-o", "t.csv", "--window", "2", "--hop", "1"]
    yield "all", [*scan_audio, *to_parquet, *ALL_MODELS, *postprocess, "-j", "2"]
    yield "all", [*scan_audio, *to_csv, *ALL_MODELS, "--speaker", "folder"]
    for name in MODELS:
        yield name, [*scan_audio, "-o", "t.parquet", "-m", name]
        yield name, ["models", "verify", name]
    for name in FEATURE_SETS:
        output = f"{name}.parquet"
        yield "features", ["features", examples, "-o", output, "--feature-set", name]
    for models in (["default"], ["default", "-m", "mfcc40", "--dimensions"]):
        files = [f"{examples}/recordings/voices/stereo.wav", f"{examples}/broken/tone.wav"]
        yield "predict", ["predict", *files, "-m", *models]
        yield "predict", ["predict", *files, "-m", *models, "--json"]
    yield "wrong", [*scan, examples]
    yield "wrong", [*scan, "nowhere", "-o", "t.parquet"]
    yield "wrong", [*scan, examples, "-o", "t.xlsx"]
    yield "wrong", [*scan, examples, "-o", "t.parquet", "-m", "nobody"]
    yield "wrong", [*scan, examples, "-o", "t.parquet", "--update", "--overwrite"]


def save(checkout: Path, target: Path, recordings: Path) -> None:
    """Run every command with one checkout, and save its results as text files."""
    shutil.rmtree(target, ignore_errors=True)
    examples = Path(__file__).resolve().parent.parent / "examples"
    for number, (name, arguments) in enumerate(commands(str(examples), str(recordings.resolve()))):
        folder = target / name
        folder.mkdir(parents=True, exist_ok=True)
        _inputs(folder, examples)
        print(number, name, " ".join(arguments)[:100], file=sys.stderr, flush=True)
        process = subprocess.run(
            [sys.executable, "-c", "from batchemo.cli import main; main()", *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(checkout.resolve()), "COLUMNS": "100"},
            capture_output=True,
            check=False,
        )
        outcome = {
            "code": process.returncode,
            "out": process.stdout.decode(),
            "err": process.stderr.decode(),
        }
        lines = [
            f"{key}: {line}" for key, text in outcome.items() for line in str(text).splitlines()
        ]
        _write_masked(target / f"{number:02d}-{name}.txt", [" ".join(arguments), *lines])
        for path in sorted(folder.glob("*.*")):
            if path.suffix in (".parquet", ".csv", ".jsonl"):
                _write_masked(target / f"{number:02d}-{name}-{path.name}.txt", list(_lines(path)))


def _inputs(folder: Path, examples: Path) -> None:
    """Write the file list and the manifest that some commands read."""
    voices = sorted((examples / "recordings" / "voices").glob("*.wav"))
    (folder / "list.txt").write_text("".join(f"{path}\n" for path in voices), encoding="utf-8")
    rows = [f'"{path}",{"ab"[n % 2]},{n}\n' for n, path in enumerate(voices)]
    (folder / "manifest.csv").write_text("".join(["file,who,number\n", *rows]), encoding="utf-8")


def _lines(path: Path) -> Iterator[str]:
    """Yield the lines to save of a table or an event log."""
    if path.suffix == ".jsonl":
        yield from path.read_text(encoding="utf-8").splitlines()
        return
    if path.suffix == ".csv":
        yield from path.read_text(encoding="utf-8").splitlines()
        table = csv.read_csv(path)
    else:
        table = pq.read_table(path)
    yield str(table.schema.remove_metadata())
    run = (table.schema.metadata or {}).get(b"batchemo", b"{}")
    yield json.dumps(json.loads(run), sort_keys=True, indent=1)
    for row in table.to_pylist():
        yield json.dumps(row, default=str)


def _write_masked(path: Path, lines: list[str]) -> None:
    text = "\n".join(lines) + "\n"
    for pattern, replacement in MASKS:
        text = re.sub(pattern, replacement, text)
    path.write_text(text, encoding="utf-8")


def compare(before: Path, after: Path, renamed: list[str]) -> int:
    """Print the differences; return 1 if there are any."""
    names = sorted({path.name for folder in (before, after) for path in folder.glob("*.txt")})
    different = 0
    for name in names:
        old, new = (_read(folder / name) for folder in (before, after))
        for pair in renamed:
            old_name, _, new_name = pair.partition("=")
            old = [line.replace(old_name, new_name) for line in old]
        lines = list(difflib.unified_diff(old, new, f"before/{name}", f"after/{name}", n=0))
        different += bool(lines)
        for line in lines[:SHOWN_LINES]:
            print(line[:400])
    print(f"{len(names) - different} of {len(names)} results are equal")
    return int(different > 0)


def _read(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    actions = parser.add_subparsers(dest="action", required=True)
    saving = actions.add_parser("save", help="run all commands with a checkout")
    saving.add_argument("checkout", type=Path)
    saving.add_argument("target", type=Path)
    saving.add_argument("--recordings", type=Path, required=True)
    comparing = actions.add_parser("compare", help="compare two folders of saved results")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    comparing.add_argument("--renamed", action="append", default=[], metavar="OLD=NEW")
    options = parser.parse_args()
    if options.action == "compare":
        return compare(options.before, options.after, options.renamed)
    save(options.checkout, options.target, options.recordings)
    return 0


if __name__ == "__main__":
    sys.exit(main())
