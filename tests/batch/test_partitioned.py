"""Partitioned tables: other programs read them as one, and an update rewrites what has changed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command_line import RunCommand
from object_server import Bucket
from scan_commands import Scan
from voices import write_voice

from batchemo.batch import partitioned
from batchemo.tables.partitions import MANIFEST, partition_folder, split_rows
from batchemo.tables.read import UnreadableTableError, open_table, read_recordings_table

DAY = 86_400


def files(folder: Path) -> dict[str, tuple[int, int]]:
    """Return all files but the manifest, with what changes when one is written again."""
    return {
        str(path.relative_to(folder)): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in folder.rglob("*.parquet")
    }


def files_of(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def folders(folder: Path) -> list[str]:
    return sorted(name.rpartition("/")[0] for name in files(folder))


def sorted_rows(table: pa.Table | pd.DataFrame) -> list[dict[str, Any]]:
    if isinstance(table, pa.Table):
        table = table.to_pandas()
    return sorted(table[["file", "emotion", "p_happy"]].to_dict("records"), key=str)


@pytest.fixture
def whole(corpus: Path, scan_inline: Scan, tmp_path: Path) -> Path:
    scan_inline(corpus, "-o", tmp_path / "whole.parquet")
    return tmp_path / "whole.parquet"


def test_it_has_the_rows_of_a_table_in_one_file(
    corpus: Path, whole: Path, scan_inline: Scan, tmp_path: Path
) -> None:
    scan_inline(corpus, "-o", tmp_path / "parted", "--partition-by", "folder")
    assert folders(tmp_path / "parted") == ["folder=anna", "folder=ben"]
    table = read_recordings_table(tmp_path / "parted")
    # By folder, they are in the same order too.
    assert table.equals(pq.read_table(whole))
    assert not list(tmp_path.glob("*.chunks")) + list(tmp_path.glob(".*"))


def test_other_programs_read_it_as_one_table(
    corpus: Path, whole: Path, scan_inline: Scan, tmp_path: Path
) -> None:
    duckdb, polars = pytest.importorskip("duckdb"), pytest.importorskip("polars")
    manifest = tmp_path / "m.csv"
    speakers = {"anna": "Anna/1", "ben": ""}
    names = sorted(str(path.relative_to(corpus)) for path in corpus.rglob("*.wav"))
    lines = [f"{name},{speakers[name.split('/')[0]]}" for name in names]
    manifest.write_text("\n".join(["file,who is it", *lines]))
    words = ("--manifest", manifest, "--base", corpus, "--partition-by", "who is it")
    folder = tmp_path / "parted"
    scan_inline(*words, "-o", folder)
    assert folders(folder) == ["who is it=(none)", "who is it=Anna%2F1"]

    expected = sorted_rows(pq.read_table(whole))
    glob = f"{folder}/*/*.parquet"
    found = {
        "pandas": pd.read_parquet(folder),
        "duckdb": duckdb.sql(f"from read_parquet('{glob}', hive_partitioning=true)").df(),
        "polars": polars.read_parquet(glob, hive_partitioning=True).to_pandas(),
        "batchemo": read_recordings_table(folder).to_pandas(),
    }
    for program, table in found.items():
        assert sorted_rows(table) == expected, program
        speakers = table["who is it"].astype(object).fillna("(none)").value_counts()
        assert dict(speakers) == {"Anna/1": 6, "(none)": 6}, program
    whole_table = read_recordings_table(folder)
    assert whole_table["who is it"].null_count == 6


def test_an_update_rewrites_only_what_changed(
    corpus: Path, scan_inline: Scan, tmp_path: Path
) -> None:
    folder = tmp_path / "parted"
    words = (corpus, "-o", folder, "--partition-by", "folder")
    scan_inline(*words)
    before, manifest = files(folder), (folder / MANIFEST).stat()
    scan_inline(*words)
    assert (files(folder), (folder / MANIFEST).stat().st_ino) == (before, manifest.st_ino)

    write_voice(corpus / "ben" / "new.wav", seconds=1.0, seed=99)
    write_voice(corpus / "carl" / "new.wav", seconds=1.0, seed=100)
    ran = scan_inline(*words, "--update")
    assert "2 recordings analysed, 12 unchanged" in ran.stdout
    after = files(folder)
    assert folders(folder) == ["folder=anna", "folder=ben", "folder=carl"]
    assert {name for name in before if before[name] == after.get(name)} == {
        name for name in before if name.startswith("folder=anna")
    }
    scan_inline(corpus, "-o", tmp_path / "fresh", "--partition-by", "folder")
    assert files(tmp_path / "fresh").keys() == after.keys()


def test_its_own_files_are_no_recordings(corpus: Path, scan_inline: Scan) -> None:
    words = (corpus, "-o", corpus / "parted", "--partition-by", "folder", "--ext", "any")
    scan_inline(*words)
    ran = scan_inline(*words, "--update")
    assert "12 unchanged" in ran.stdout


def test_another_partition_replaces_all_files(
    corpus: Path, scan_inline: Scan, tmp_path: Path
) -> None:
    folder = tmp_path / "parted"
    scan_inline(corpus, "-o", folder, "--partition-by", "folder")
    for number, path in enumerate(sorted(corpus.rglob("*.wav"))):
        os.utime(path, (0, 1_700_000_000 + 10 * number * DAY))
    scan_inline(corpus, "-o", folder, "--partition-by", "month", "--update")
    months = ["2023-11", "2023-12", "2024-01", "2024-02", "2024-03"]
    assert folders(folder) == [f"month={month}" for month in months]


def test_a_run_that_is_killed_while_it_publishes_is_completed(
    corpus: Path,
    whole: Path,
    scan_inline: Scan,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder, words = tmp_path / "parted", (corpus, "-o", tmp_path / "parted")

    def fails(unfinished: Path, path: Path) -> None:
        if path.name == MANIFEST:
            raise OSError(5, "Input/output error", str(path))
        real(unfinished, path)

    real = partitioned.rename
    monkeypatch.setattr(partitioned, "rename", fails)
    scan_inline(*words, "--partition-by", "folder", code=1)
    assert folders(folder) == ["folder=anna", "folder=ben"]
    with monkeypatch.context() as restored:
        restored.setattr(partitioned, "rename", real)
        ran = scan_inline(*words, "--partition-by", "folder")
    assert "12 unchanged" in ran.stdout
    assert read_recordings_table(folder).equals(pq.read_table(whole))


def test_the_table_is_the_old_or_the_new_one_at_every_moment(
    corpus: Path, scan_inline: Scan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "parted"
    scan_inline(corpus / "anna", "-o", folder, "--partition-by", "part:1", "--allow-empty")
    write_voice(corpus / "anna" / "new.wav", seed=5)
    seen = []
    real = partitioned.rename

    def looks(unfinished: Path, path: Path) -> None:
        real(unfinished, path)
        seen.append(read_recordings_table(folder).num_rows)

    monkeypatch.setattr(partitioned, "rename", looks)
    scan_inline(corpus / "anna", "-o", folder, "--partition-by", "part:1", "--update")
    assert seen == [6, 7]


def test_rows_that_do_not_fit_into_memory_wait_on_the_disk(
    corpus: Path,
    whole: Path,
    scan_inline: Scan,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = (corpus, "--partition-by", "emotion")
    scan_inline(*words, "-o", tmp_path / "memory")
    monkeypatch.setattr(partitioned, "MAX_WAITING", 1)
    scan_inline(*words, "-o", tmp_path / "disk")
    assert files(tmp_path / "disk").keys() == files(tmp_path / "memory").keys()
    assert sorted_rows(read_recordings_table(tmp_path / "disk")) == sorted_rows(
        pq.read_table(whole)
    )


def test_every_reader_takes_any_of_its_columns(
    corpus: Path, scan_inline: Scan, tmp_path: Path
) -> None:
    scan_inline(corpus, "-o", tmp_path / "parted", "--partition-by", "status")
    table = open_table(tmp_path / "parted")
    assert table.run["model"]
    for columns in (["status"], ["file", "status"], ["file"]):
        read = pa.Table.from_batches(table.batches(columns))
        assert (read.column_names, read.num_rows) == (sorted(columns), 12)


def test_other_commands_read_it(
    corpus: Path, whole: Path, scan_inline: Scan, batchemo: RunCommand, tmp_path: Path
) -> None:
    folder = tmp_path / "parted"
    scan_inline(corpus, "-o", folder, "--partition-by", "folder", "--report", tmp_path / "r.html")
    counts = batchemo("summary", folder, "--group-by", "folder", "--json")
    assert counts.out == batchemo("summary", whole, "--group-by", "folder", "--json").out
    assert batchemo("show", folder).code == 0
    assert batchemo("report", folder, "-o", tmp_path / "again.html").code == 0
    exported = batchemo("export", folder, "-o", tmp_path / "exported", "--to", "audacity")
    assert "12 recordings" in exported.out
    for command in (
        ("merge", folder, "-o", tmp_path / "merged.parquet"),
        ("scan", "--manifest", folder, "-o", tmp_path / "x.parquet"),
    ):
        ran = batchemo(*command)
        assert ran.code in (1, 2), command
        assert "Traceback" not in ran.err
        assert str(folder) in ran.err, ran.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-o", "r.parquet"), "-o names a folder"),
        (("-o", "-"), "needs a folder"),
        (("-o", "parted", "--segments", "s.parquet"), "--segments goes with a table in one file"),
        (("-o", "s3://bucket/"), "name an object"),
        (("-o", "corpus"), "this folder holds other files"),
    ],
)
def test_what_cannot_be_is_refused(
    words: tuple[str, ...],
    message: str,
    corpus: Path,
    scan_inline: Scan,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = scan_inline(corpus, *words, "--partition-by", "folder", "--overwrite", code=2)
    assert message in ran.stderr


def test_an_unknown_grouping_and_a_forgotten_one_are_told(
    corpus: Path, scan_inline: Scan, tmp_path: Path
) -> None:
    ran = scan_inline(corpus, "-o", tmp_path / "parted", "--partition-by", "nobody", code=2)
    assert "cannot group by 'nobody'" in ran.stderr
    scan_inline(corpus, "-o", tmp_path / "parted", "--partition-by", "folder")
    ran = scan_inline(corpus, "-o", tmp_path / "parted", "--update", code=2)
    assert "give --partition-by again" in ran.stderr


def test_a_manifest_leads_to_no_other_file(corpus: Path, scan_inline: Scan, tmp_path: Path) -> None:
    folder = tmp_path / "parted"
    scan_inline(corpus, "-o", folder, "--partition-by", "folder")
    content = json.loads((folder / MANIFEST).read_text())
    for file in ("../whole.parquet", "a=../0123456789abcdef.parquet", "/etc/passwd"):
        content["files"][0]["file"] = file
        (folder / MANIFEST).write_text(json.dumps(content))
        with pytest.raises(UnreadableTableError, match="names files that are none of a table"):
            open_table(folder)
    (folder / MANIFEST).write_text("{}")
    with pytest.raises(UnreadableTableError, match="damaged"):
        open_table(folder)


def test_rows_are_split_in_their_order() -> None:
    table = pa.table({"file": ["b/1", "a/1", "b/2", "c"], "n": [1, 2, 3, 4]})
    parts = {value: rows["n"].to_pylist() for value, rows in split_rows(table, "folder")}
    assert parts == {"b": [1, 3], "a": [2], None: [4]}
    assert partition_folder("folder", "../x") == "folder=..%2Fx"


def test_it_may_be_in_a_bucket_where_an_update_writes_what_changed(
    bucket: Bucket, corpus: Path, scan_inline: Scan, tmp_path: Path
) -> None:
    (corpus / "anna").rename(corpus / "ü & %2F")
    words = (corpus, "-o", f"{bucket.url}/out/", "--partition-by", "folder")
    scan_inline(*words)
    scan_inline(corpus, "-o", tmp_path / "parted", "--partition-by", "folder")
    here = [str(path.relative_to(tmp_path / "parted")) for path in files_of(tmp_path / "parted")]
    assert bucket.listed() == sorted(f"out/{name}" for name in here)
    table = read_recordings_table(f"{bucket.url}/out")
    assert table.equals(read_recordings_table(tmp_path / "parted"))

    scan_inline(*words)  # Finds all done.
    (corpus / "ben" / "take 07.wav").unlink()
    bucket.proxy.requests.clear()
    ran = scan_inline(*words, "--update", "--prune")
    assert "11 unchanged" in ran.stdout
    put = [path.partition("/out/")[2] for method, path in bucket.proxy.requests if method == "PUT"]
    assert [name.partition("/")[0] for name in put if name] == ["folder=ben", MANIFEST]
    assert len(bucket.listed()) == 3
    assert read_recordings_table(f"{bucket.url}/out").num_rows == 11


def test_one_in_a_bucket_that_was_interrupted_is_completed(
    bucket: Bucket, corpus: Path, scan_inline: Scan, tmp_path: Path
) -> None:
    words = (corpus, "-o", f"{bucket.url}/out", "--partition-by", "folder")
    bucket.proxy.fault = lambda method, path: (
        403 if method == "PUT" and path.endswith(MANIFEST) else None
    )
    scan_inline(*words, code=1)
    assert [name.partition("=")[0] for name in bucket.listed()[-2:]] == ["out/folder"] * 2
    bucket.proxy.fault = lambda method, path: None
    assert "12 unchanged" in scan_inline(*words).stdout
    assert len(bucket.listed()) == 3


def test_one_in_a_bucket_that_lacks_a_part_is_never_taken_for_whole(
    bucket: Bucket, corpus: Path, scan_inline: Scan
) -> None:
    words = (corpus, "-o", f"{bucket.url}/out", "--partition-by", "folder")
    scan_inline(*words)
    part = bucket.listed()[1]
    bucket.delete(part)
    for more in ((), ("--update",)):
        ran = scan_inline(*words, *more, code=1)
        assert f"{bucket.url}/{part}: this part of the table is gone" in ran.stderr
    scan_inline(*words, "--overwrite")
    assert part in bucket.listed()


def test_other_objects_are_never_taken_for_partitions(
    bucket: Bucket, corpus: Path, scan_inline: Scan
) -> None:
    bucket.put("out/mine.txt", b"mine")
    words = (corpus, "-o", f"{bucket.url}/out", "--partition-by", "folder")
    assert "there are other objects here" in scan_inline(*words, "--overwrite", code=2).stderr
    assert bucket.listed() == ["out/mine.txt"]
    bucket.put("damaged/_batchemo.json", b"{}")
    words = (corpus, "-o", f"{bucket.url}/damaged", "--partition-by", "folder", "--update")
    assert "cannot be read as a partitioned table" in scan_inline(*words, code=1).stderr
