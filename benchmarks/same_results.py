"""Does a checkout still say what another one said? Tables, texts, event logs and exit codes.

    git worktree add ../before HEAD~20
    python benchmarks/same_results.py save ../before /tmp/before --recordings RECORDINGS
    python benchmarks/same_results.py save . /tmp/after --recordings RECORDINGS
    python benchmarks/same_results.py compare /tmp/before /tmp/after --renamed old_name=new_name

Every command is run by a process of its own on the examples, and on RECORDINGS with all shipped
models. Tables are saved as lines of JSON, with the run that is in their metadata. What differs from
run to run (times, digests, folders) is blanked, and what was renamed on purpose is named by
`--renamed`. It ends with 1 where anything else differs, and shows the first lines of it.
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
FEATURES = ["stats162", "logmel128", "frames62", "mfcc40", "logmel64", "functionals"]
SHOWN_LINES = 20

BLANKED = (
    (r"\b[0-9a-f]{12,64}\b", "<digest>"),
    (r'"(time|elapsed|stages|times_real_time)": ("[^"]*"|\{[^}]*\}|[0-9.]+)', r'"\1": null'),
    (r"[0-9.,]+ (s|min|h)\b", "<seconds>"),
    (r"[0-9.,]+ ?(×|times|x) real time", "<speed>"),
)


def commands(examples: str, recordings: str) -> Iterator[tuple[str, list[str]]]:
    """Name each command and give its words; those of one name run in the same folder, in order."""
    scan = ["scan", "-j", "1", "--log-json", "log.jsonl"]
    tables = ["-o", "t.parquet", "--segments", "s.parquet", "--summary", "by.parquet"]
    texts = ["-o", "t.csv", "--segments", "s.csv", "--summary", "by.csv", "--group-by", "folder"]
    both = ["--min-confidence", "0.4", "--dimensions"]
    yield "fresh", [*scan, examples, *tables]
    yield "fresh", [*scan, examples, *tables]
    yield "fresh", [*scan, examples, *tables, "--min-confidence", "0.5"]
    yield "fresh", [*scan, examples, *tables, "--update", "--dry-run"]
    yield "fresh", [*scan, examples, *tables, "--overwrite", "--quiet"]
    yield "csv", [*scan, examples, *texts, *both]
    yield "csv", [*scan, examples, "-o", "-", "-q"]
    yield "update", [*scan, f"{examples}/voices", "-o", "t.parquet", "--limit", "3"]
    yield "update", [*scan, examples, "-o", "t.parquet", "--update", "--segments", "s.parquet"]
    yield "update", [*scan, examples, "-o", "t.parquet", "--update", "--retry-failed", "-j", "2"]
    yield "update", [*scan, f"{examples}/odd", "-o", "t.parquet", "--update", "--prune"]
    yield "update", ["show", "t.parquet"]
    yield "update", ["summary", "t.parquet", "--group-by", "part:1", "-o", "by.csv"]
    yield "manifest", [*scan, "--manifest", "manifest.csv", *tables, "--speaker", "who"]
    yield "lists", [*scan, "--files-from", "list.txt", "-o", "t.csv", "--window", "2", "--hop", "1"]
    yield "all", [*scan, recordings, "--ext", "audio", *tables, *ALL_MODELS, *both, "-j", "2"]
    yield "all", [*scan, recordings, "--ext", "audio", *texts, *ALL_MODELS, "--speaker", "folder"]
    for name in MODELS:
        yield name, [*scan, recordings, "--ext", "audio", "-o", "t.parquet", "-m", name]
        yield name, ["models", "verify", name]
    for name in FEATURES:
        words = ["features", examples, "-o", f"{name}.parquet", "--feature-set", name]
        yield "features", words
    for words in (["default"], ["default", "-m", "mfcc40", "--dimensions"]):
        files = [f"{examples}/voices/stereo.wav", f"{examples}/odd/tone.wav"]
        yield "predict", ["predict", *files, "-m", *words]
        yield "predict", ["predict", *files, "-m", *words, "--json"]
    yield "wrong", [*scan, examples]
    yield "wrong", [*scan, "nowhere", "-o", "t.parquet"]
    yield "wrong", [*scan, examples, "-o", "t.xlsx"]
    yield "wrong", [*scan, examples, "-o", "t.parquet", "-m", "nobody"]
    yield "wrong", [*scan, examples, "-o", "t.parquet", "--update", "--overwrite"]


def save(checkout: Path, target: Path, recordings: Path) -> None:
    """Run every command with one checkout, and keep what came of it."""
    shutil.rmtree(target, ignore_errors=True)
    examples = Path(__file__).resolve().parent.parent / "examples" / "recordings"
    for number, (name, words) in enumerate(commands(str(examples), str(recordings.resolve()))):
        folder = target / name
        folder.mkdir(parents=True, exist_ok=True)
        _inputs(folder, examples)
        print(number, name, " ".join(words)[:100], file=sys.stderr, flush=True)
        ran = subprocess.run(
            [sys.executable, "-c", "from batchemo.cli import main; main()", *words],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(checkout.resolve()), "COLUMNS": "100"},
            capture_output=True,
            check=False,
        )
        said = {"code": ran.returncode, "out": ran.stdout.decode(), "err": ran.stderr.decode()}
        lines = [f"{key}: {line}" for key, text in said.items() for line in str(text).splitlines()]
        _write(target / f"{number:02d}-{name}.txt", [" ".join(words), *lines])
        for path in sorted(folder.glob("*.*")):
            if path.suffix in (".parquet", ".csv", ".jsonl"):
                _write(target / f"{number:02d}-{name}-{path.name}.txt", list(_lines(path)))


def _inputs(folder: Path, examples: Path) -> None:
    """Write the list and the manifest that some commands read."""
    voices = sorted((examples / "voices").glob("*.wav"))
    (folder / "list.txt").write_text("".join(f"{path}\n" for path in voices), encoding="utf-8")
    rows = [f'"{path}",{"ab"[n % 2]},{n}\n' for n, path in enumerate(voices)]
    (folder / "manifest.csv").write_text("".join(["file,who,number\n", *rows]), encoding="utf-8")


def _lines(path: Path) -> Iterator[str]:
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


def _write(path: Path, lines: list[str]) -> None:
    text = "\n".join(lines) + "\n"
    for pattern, blank in BLANKED:
        text = re.sub(pattern, blank, text)
    path.write_text(text, encoding="utf-8")


def compare(before: Path, after: Path, renamed: list[str]) -> int:
    """Show what differs; 1 where anything does."""
    names = sorted({path.name for folder in (before, after) for path in folder.glob("*.txt")})
    different = 0
    for name in names:
        old, new = (_read(folder / name) for folder in (before, after))
        for pair in renamed:
            was, _, becomes = pair.partition("=")
            old = [line.replace(was, becomes) for line in old]
        lines = list(difflib.unified_diff(old, new, f"before/{name}", f"after/{name}", n=0))
        different += bool(lines)
        for line in lines[:SHOWN_LINES]:
            print(line[:400])
    print(f"{len(names) - different} of {len(names)} results are equal")
    return int(different > 0)


def _read(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    actions = parser.add_subparsers(dest="action", required=True)
    saving = actions.add_parser("save")
    saving.add_argument("checkout", type=Path)
    saving.add_argument("target", type=Path)
    saving.add_argument("--recordings", type=Path, required=True)
    comparing = actions.add_parser("compare")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    comparing.add_argument("--renamed", action="append", default=[], metavar="OLD=NEW")
    chosen = parser.parse_args()
    if chosen.action == "compare":
        return compare(chosen.before, chosen.after, chosen.renamed)
    save(chosen.checkout, chosen.target, chosen.recordings)
    return 0


if __name__ == "__main__":
    sys.exit(main())
