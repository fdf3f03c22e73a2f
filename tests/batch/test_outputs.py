"""Outputs are checked before any work, and what exists is not replaced without being asked."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from scan_commands import Scan
from voices import write_voice

from batchemo.batch.chunk_store import store_folder
from batchemo.batch.options import ScanOptions
from batchemo.batch.outputs import (
    NamingRecord,
    OutputPaths,
    check_output,
    check_outputs,
    discard_record,
    read_record,
    refuse_foreign,
    write_record,
)
from batchemo.errors import UsageError
from batchemo.sources import Recording, SourceOptions


def options(folder: Path, **changes: str | None) -> ScanOptions:
    """Options of a scan with outputs in the folder, all three of them by default."""
    names = {"output": "r.parquet", "segments": "s.csv", "summary": "y.parquet", **changes}
    paths = {key: name and str(folder / name) for key, name in names.items()}
    return ScanOptions(SourceOptions(("/data",)), **paths)  # type: ignore[arg-type]


@pytest.fixture
def outputs(tmp_path: Path) -> OutputPaths:
    """The paths of three tables, with a chunk store."""
    store_folder(tmp_path / "r.parquet").mkdir()
    return OutputPaths(*(tmp_path / name for name in ("r.parquet", "s.csv", "y.parquet")))


def test_outputs_are_listed_with_the_recordings_table_last(tmp_path: Path) -> None:
    outputs = check_outputs(options(tmp_path))
    assert outputs is not None
    assert [path.name for path in outputs.all()] == ["s.csv", "y.parquet", "r.parquet"]
    (tmp_path / "s.csv").touch()
    assert [path.name for path in outputs.existing()] == ["s.csv"]


def test_without_an_output_file_there_are_no_outputs() -> None:
    for output in (None, "-"):
        assert check_outputs(ScanOptions(SourceOptions(("/data",)), output=output)) is None


@pytest.mark.parametrize("table", ["segments", "summary"])
@pytest.mark.parametrize("output", [None, "-"])
def test_segments_and_summary_need_an_output_file(table: str, output: str | None) -> None:
    other = {table: "t.csv"}
    with pytest.raises(UsageError, match="need a file for the main table"):
        check_outputs(ScanOptions(SourceOptions(("/data",)), output=output, **other))


@pytest.mark.parametrize("name", ["r.parquet", "./r.parquet", "link.parquet"])
def test_two_names_of_one_file_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "link.parquet").symlink_to(tmp_path / "r.parquet")
    with pytest.raises(UsageError, match="must name different files"):
        check_outputs(options(tmp_path, segments=name))


@pytest.mark.parametrize("source", ["manifest", "files_from", "paths"])
def test_a_file_that_is_read_is_no_output(tmp_path: Path, source: str) -> None:
    path = tmp_path / "r.csv"
    path.write_text("file\na.wav\n")
    sources = SourceOptions(**{source: (str(path),) if source == "paths" else str(path)})
    with pytest.raises(UsageError, match=r"r\.csv is read and written"):
        check_outputs(ScanOptions(sources, output=str(path), overwrite=True))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("r.xls", r"must end in \.parquet, \.csv"),
        ("none/r.csv", "there is no such folder"),
        ("folder.csv", "is a folder: name a file in it"),
        ("pipe.csv", "is a pipe or a device"),
        ("x" * 238 + ".parquet", "this name is too long"),
        ("x" * 292 + ".parquet", "this name is too long"),
    ],
)
def test_a_name_that_cannot_be_that_of_a_table_is_refused(
    tmp_path: Path, name: str, message: str
) -> None:
    (tmp_path / "folder.csv").mkdir()
    os.mkfifo(tmp_path / "pipe.csv")
    for option in ("output", "segments", "summary"):
        with pytest.raises(UsageError, match=message):
            check_outputs(options(tmp_path, **{option: name}))
    with pytest.raises(UsageError, match=message):
        check_output(str(tmp_path / name), overwrite=True)


def test_a_single_table_is_replaced_only_where_that_is_wanted(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    assert check_output(str(path), overwrite=False) == path
    path.touch()
    assert check_output(str(path), overwrite=True) == path
    with pytest.raises(UsageError, match=r"t\.csv exists: --overwrite replaces it"):
        check_output(str(path), overwrite=False)


def test_the_files_of_a_run_are_not_among_its_recordings(outputs: OutputPaths) -> None:
    root = str(outputs.recordings.parent)
    names = ["a.wav", "r.parquet", "r.parquet.chunks/lock", "s.csv", "s.csv.chunks/lock", "z.wav"]
    recordings = [Recording(root, name, 1, 0) for name in names]
    kept = [recording.file for recording in outputs.without_own_files(recordings)]
    assert kept == ["a.wav", "z.wav"]


@pytest.mark.parametrize("update", [False, True])
def test_names_are_recorded_until_they_are_discarded(outputs: OutputPaths, update: bool) -> None:
    assert read_record(outputs) is None
    record = NamingRecord(tuple(outputs.all()), update)
    write_record(outputs, record)
    assert read_record(outputs) == record
    discard_record(outputs)
    assert read_record(outputs) is None
    assert os.listdir(store_folder(outputs.recordings)) == []


@pytest.mark.parametrize("damage", [b"[\xff", b"[]", b"{}"])
def test_a_damaged_record_of_names_counts_as_none(outputs: OutputPaths, damage: bytes) -> None:
    (store_folder(outputs.recordings) / "naming.json").write_bytes(damage)
    assert read_record(outputs) is None


def test_only_tables_whose_names_were_recorded_may_be_replaced(outputs: OutputPaths) -> None:
    refuse_foreign(outputs)
    assert outputs.segments is not None
    outputs.segments.touch()
    with pytest.raises(UsageError, match=r"s\.csv exists. --update analyses only"):
        refuse_foreign(outputs)
    names = tuple(outputs.all())
    write_record(outputs, NamingRecord(names, update=True))
    with pytest.raises(UsageError, match=r"s\.csv exists"):
        refuse_foreign(outputs)
    write_record(outputs, NamingRecord(names))
    refuse_foreign(outputs)


def test_a_link_to_an_output_stays_a_link_and_the_file_keeps_its_permissions(
    corpus: Path, scan_inline: Scan, tmp_path: Path
) -> None:
    real, link = tmp_path / "real.parquet", tmp_path / "link.parquet"
    scan_inline(corpus, "-o", real)
    real.chmod(0o640)
    link.symlink_to(real)
    write_voice(corpus / "new.wav", seed=91)
    scan_inline(corpus, "-o", link, "--update")
    assert link.is_symlink()
    assert pq.read_metadata(real).num_rows == 13
    assert real.stat().st_mode & 0o777 == 0o640


def test_a_link_to_a_single_table_leads_to_the_file_that_is_written(tmp_path: Path) -> None:
    link = tmp_path / "link.csv"
    link.symlink_to("real.csv")
    assert check_output(str(link), overwrite=False) == tmp_path / "real.csv"
    (tmp_path / "real.csv").touch()
    with pytest.raises(UsageError, match=r"link\.csv exists"):
        check_output(str(link), overwrite=False)
    assert check_output(str(link), overwrite=True) == tmp_path / "real.csv"


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: os.symlink("/dev/null", path)])
def test_an_output_that_is_no_file_is_left_unchanged(
    corpus: Path, scan_inline: Scan, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    out = tmp_path / "r.csv"
    make(out)
    scan_inline(corpus, "-o", out, "--overwrite", code=2)
    assert not out.is_file()
    assert sorted(os.listdir(tmp_path)) == ["bundles", "corpus", "r.csv"]


def test_a_refused_name_leaves_nothing_behind(
    corpus: Path, scan_inline: Scan, tmp_path: Path
) -> None:
    ended = scan_inline(corpus, "-o", tmp_path / ("x" * 238 + ".parquet"), code=2)
    assert "this name is too long" in ended.stderr
    assert sorted(os.listdir(tmp_path)) == ["bundles", "corpus"]


def test_the_outputs_of_a_run_are_not_scanned(corpus: Path, scan_inline: Scan) -> None:
    out = corpus / "r.csv"
    scan_inline(corpus, "--ext", "any", "-o", out)
    ended = scan_inline(corpus, "--ext", "any", "-o", out, "--update")
    assert "12 unchanged" in ended.stdout
    assert "failed" not in ended.stdout


def test_outputs_in_a_folder_whose_name_is_no_utf8_are_written_and_updated(
    corpus: Path, scan_inline: Scan, tmp_path: Path
) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    manifest = folder / os.fsdecode(b"m\xff.csv")
    manifest.write_text("file\nanna/take 00.wav\nben/take 06.wav\n")
    for ending in ("parquet", "csv"):
        words = ["--manifest", manifest, "--base", corpus, "--exclude", os.fsdecode(b"\xff*")]
        words += ["-o", folder / f"r.{ending}", "--segments", folder / f"s.{ending}"]
        scan_inline(*words)
        assert "2 unchanged" in scan_inline(*words, "--update").stdout
    assert len(os.listdir(folder)) == 5
