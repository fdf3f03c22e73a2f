"""How long it takes to scan recordings again by the head of an adapted model alone.

    python benchmarks/rescan.py examples/recordings --count 100000

Scans the folder, adapts the model `default` to made-up answers, and repeats the rows of the tables
as often as it takes. The recordings of the repeated rows are empty files of the same size: an
update looks at their size and time only, and decodes nothing.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import batchemo


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        output, embeddings = folder / "r.parquet", folder / "e.parquet"
        rows = batchemo.scan(
            options.folder,
            model=options.model,
            output=output,
            embeddings=embeddings,
            progress=False,
        )
        _adapt(options.model, rows, embeddings, folder)
        recordings = folder / "recordings"
        recordings.mkdir()
        names = [f"{number:09d}.wav" for number in range(options.count)]
        _repeat(output, recordings, names, make_files=True)
        _repeat(embeddings, recordings, names, make_files=False)
        started, processor = time.perf_counter(), time.process_time()
        batchemo.scan(
            recordings,
            model=folder / "mine",
            output=output,
            embeddings=embeddings,
            update=True,
            jobs=1,
            progress=False,
        )
        elapsed, used = time.perf_counter() - started, time.process_time() - processor
        models = pq.read_table(output, columns=["model"])["model"]
        assert all(str(model).startswith("mine") for model in models.unique().to_pylist())
        print(f"{options.count:,} recordings: {elapsed:.1f} s, {used:.1f} s of processor time")


def _adapt(model: str, rows: pa.Table, embeddings: Path, folder: Path) -> None:
    """Make an adapted model; whether its labels are right does not matter here."""
    labels = np.array(["happy", "sad"])[np.arange(len(rows)) % 2]
    lines = ["root,file,label"]
    for row, label in zip(rows.to_pylist(), labels, strict=True):
        lines.append(f'"{row["root"]}","{row["file"]}",{label}')
    (folder / "labels.csv").write_text("\n".join(lines))
    batchemo.adapt(
        model,
        labels=folder / "labels.csv",
        embeddings=embeddings,
        output=folder / "mine",
        force=True,
    )


def _repeat(path: Path, recordings: Path, names: list[str], *, make_files: bool) -> None:
    """Write a table again with as many rows as there are names, whose recordings these are."""
    table = pq.read_table(path)
    unfinished, start = path.with_suffix(".again"), 0
    with pq.ParquetWriter(unfinished, table.schema) as writer:
        while start < len(names):
            part = table.slice(0, len(names) - start)
            own = names[start : start + len(part)]
            if make_files:
                for name, size, mtime in zip(
                    own,
                    part["size"].to_pylist(),
                    part["mtime"].cast(pa.int64()).to_pylist(),
                    strict=True,
                ):
                    with open(recordings / name, "wb") as file:
                        file.truncate(size)
                    os.utime(recordings / name, ns=(mtime, mtime))
            for column, values in (("root", [str(recordings)] * len(own)), ("file", own)):
                index = part.schema.get_field_index(column)
                field = part.schema.field(index)
                part = part.set_column(index, field, pa.array(values).cast(field.type))
            writer.write_table(part)
            start += len(own)
    unfinished.replace(path)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="recordings; a few hundred are enough")
    parser.add_argument("--count", type=int, default=100_000, help="how many rows to scan again")
    parser.add_argument("--model", default="default", help="the model that is adapted")
    return parser.parse_args()


if __name__ == "__main__":
    main()
