"""Scans into outputs that exist: only what is needed is analysed, and nothing of value is lost."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scan_commands import Scan
from voices import write_voice

from batchemo.batch import writer
from batchemo.batch.chunk_store import store_folder
from batchemo.batch.events import Event, Progressed
from batchemo.batch.options import ScanOptions
from batchemo.batch.scan import run_scan
from batchemo.bundles import Bundle
from batchemo.errors import UsageError
from batchemo.inference.settings import ModelSettings
from batchemo.sources import SourceOptions
from batchemo.workers.executor import InlineExecutor


def files(table: Path) -> list[str]:
    return [str(file) for file in pq.read_table(table, columns=["file"])["file"].to_pylist()]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "r.parquet"


@pytest.fixture
def options(corpus: Path, tiny_bundle: Bundle, out: Path) -> ScanOptions:
    """Options of a scan of the corpus into r.parquet."""
    settings = (ModelSettings(str(tiny_bundle.path)),)
    return ScanOptions(SourceOptions((str(corpus),)), settings, output=str(out))


def interrupt_after_a_chunk(options: ScanOptions) -> None:
    """Run a scan that is interrupted when its first chunk is stored."""

    def interrupt(event: Event) -> None:
        if isinstance(event, Progressed):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_scan(options, interrupt, executor=InlineExecutor)


# Without --update


def test_an_existing_output_is_not_replaced_without_being_asked(
    corpus: Path, scan_inline: Scan, out: Path
) -> None:
    out.write_bytes(b"precious")
    ended = scan_inline(corpus, "-o", out, code=2)
    assert "--update" in ended.stderr
    assert "--overwrite" in ended.stderr
    assert out.read_bytes() == b"precious"
    scan_inline(corpus, "-o", out, "--overwrite")
    assert len(files(out)) == 12


def test_existing_segments_are_not_replaced_without_being_asked(
    corpus: Path, scan_inline: Scan, tmp_path: Path, out: Path
) -> None:
    segments = tmp_path / "s.csv"
    segments.write_text("precious")
    scan_inline(corpus, "-o", out, "--segments", segments, code=2)
    assert segments.read_text() == "precious"
    assert not out.exists()


def test_the_same_command_again_finds_its_tables_finished_and_changes_none(
    corpus: Path, scan_inline: Scan, tmp_path: Path, out: Path
) -> None:
    segments = tmp_path / "s.parquet"
    words = (corpus, "-o", out, "--segments", segments)
    scan_inline(*words)
    before = out.read_bytes(), segments.read_bytes()
    assert "0 recordings analysed, 12 unchanged" in scan_inline(*words).stdout
    scan_inline(corpus / "anna", "-o", out, "--segments", segments, code=2)
    write_voice(corpus / "new.wav", seed=3)
    scan_inline(*words, code=2)
    (corpus / "new.wav").unlink()
    (corpus / "anna" / "take 00.wav").unlink()
    scan_inline(*words, code=2)
    assert (out.read_bytes(), segments.read_bytes()) == before
    assert sorted(os.listdir(tmp_path)) == ["bundles", "corpus", "r.parquet", "s.parquet"]


def test_the_same_command_with_another_summary_replaces_nothing(
    corpus: Path, scan_inline: Scan, tmp_path: Path, out: Path
) -> None:
    summary = tmp_path / "s.csv"
    scan_inline(corpus, "-o", out)
    summary.write_text("precious")
    ended = scan_inline(corpus, "-o", out, "--summary", summary, code=2)
    assert "s.csv exists" in ended.stderr
    assert summary.read_text() == "precious"
    assert sorted(os.listdir(tmp_path)) == ["bundles", "corpus", "r.parquet", "s.csv"]


def test_the_same_command_with_a_changed_manifest_replaces_nothing(
    corpus: Path, scan_inline: Scan, out: Path
) -> None:
    manifest = corpus / "m.csv"
    manifest.write_text("file,speaker\nanna/take 00.wav,anna\n")
    scan_inline("--manifest", manifest, "-o", out)
    before = out.read_bytes()
    manifest.write_text("file,speaker\nanna/take 00.wav,somebody\n")
    scan_inline("--manifest", manifest, "-o", out, code=2)
    assert out.read_bytes() == before


def test_a_failed_run_does_not_allow_the_next_to_replace_an_output(
    corpus: Path, scan_inline: Scan, out: Path
) -> None:
    scan_inline(corpus, "-o", out, "--channel", "x", code=2)
    out.write_bytes(b"precious")
    scan_inline(corpus, "-o", out, code=2)
    assert out.read_bytes() == b"precious"


# After an interruption


def test_an_interrupted_run_does_not_allow_the_next_to_replace_another_table(
    options: ScanOptions, tmp_path: Path
) -> None:
    interrupt_after_a_chunk(options)
    segments = tmp_path / "precious.parquet"
    segments.write_bytes(b"precious")
    with pytest.raises(UsageError, match=r"precious\.parquet exists"):
        run_scan(replace(options, segments=str(segments)), executor=InlineExecutor)
    assert segments.read_bytes() == b"precious"


def test_an_update_replaces_no_segments_without_their_recordings_table(
    options: ScanOptions, tmp_path: Path
) -> None:
    segments = tmp_path / "segments.parquet"
    segments.write_text("anything")
    update = replace(options, segments=str(segments), update=True)
    with pytest.raises(UsageError, match=r"segments\.parquet exists, and .*, which --update works"):
        run_scan(update, executor=InlineExecutor)
    assert segments.read_text() == "anything"
    assert not store_folder(str(options.output)).exists()


def test_a_run_resumes_from_the_chunks_of_an_interrupted_one(options: ScanOptions) -> None:
    interrupt_after_a_chunk(options)
    report = run_scan(options, executor=InlineExecutor).report
    assert (report.kept, report.analysed) == (4, 8)


def test_a_run_that_was_interrupted_after_its_tables_had_names_is_finished_by_the_same_command(
    corpus: Path, scan_inline: Scan, out: Path
) -> None:
    scan_inline(corpus, "-o", out)
    before = out.read_bytes()
    store = out.with_name("r.parquet.chunks")
    store.mkdir()
    content = {"tables": [str(out)], "update": False}
    (store / "naming.json").write_text(json.dumps(content))
    scan_inline(corpus, "-o", out)
    assert out.read_bytes() == before
    assert not store.exists()


def test_an_interrupted_update_is_resumed_by_an_update_only(
    options: ScanOptions, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(unfinished: Path, path: Path) -> None:
        raise KeyboardInterrupt

    run_scan(options, executor=InlineExecutor)
    write_voice(corpus / "new.wav", seed=5)
    with monkeypatch.context() as patch:
        patch.setattr(writer, "rename", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run_scan(replace(options, update=True), executor=InlineExecutor)
    with pytest.raises(UsageError, match="exists"):
        run_scan(options, executor=InlineExecutor)
    assert run_scan(replace(options, update=True), executor=InlineExecutor).report.kept == 13


def test_a_run_that_was_interrupted_while_it_named_its_tables_names_the_rest(
    options: ScanOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt_at_the_recordings_table(unfinished: Path, path: Path) -> None:
        if path.name == "r.parquet":
            raise KeyboardInterrupt
        unfinished.replace(path)

    options = replace(options, segments=str(tmp_path / "s.parquet"))
    with monkeypatch.context() as patch:
        patch.setattr(writer, "rename", interrupt_at_the_recordings_table)
        with pytest.raises(KeyboardInterrupt):
            run_scan(options, executor=InlineExecutor)
    assert not list(tmp_path.glob(".*"))
    assert run_scan(options, executor=InlineExecutor).report.analysed == 0
    assert sorted(os.listdir(tmp_path)) == ["bundles", "corpus", "r.parquet", "s.parquet"]


# With --update


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_an_update_analyses_what_is_new_or_changed_and_ends_in_the_bytes_of_a_fresh_scan(
    corpus: Path, scan_inline: Scan, tmp_path: Path, ending: str
) -> None:
    out, fresh = tmp_path / f"r.{ending}", tmp_path / f"fresh.{ending}"
    segments, fresh_segments = tmp_path / f"s.{ending}", tmp_path / f"fresh-s.{ending}"
    scan_inline(corpus, "-o", out, "--segments", segments)
    write_voice(corpus / "anna" / "take 05 b.wav", seed=50)
    write_voice(corpus / "ben" / "take 07.wav", seconds=2.2, seed=51)
    ended = scan_inline(corpus, "-o", out, "--segments", segments, "--update")
    assert "2 recordings analysed, 11 unchanged" in ended.stdout
    scan_inline(corpus, "-o", fresh, "--segments", fresh_segments)
    assert out.read_bytes() == fresh.read_bytes()
    assert segments.read_bytes() == fresh_segments.read_bytes()


def test_an_update_with_nothing_to_do_changes_no_byte(
    corpus: Path, scan_inline: Scan, out: Path
) -> None:
    scan_inline(corpus, "-o", out)
    before = out.read_bytes()
    ended = scan_inline(corpus, "-o", out, "--update")
    assert "0 recordings analysed, 12 unchanged" in ended.stdout
    assert out.read_bytes() == before


def test_an_update_after_a_limited_scan_ends_in_the_bytes_of_a_fresh_scan(
    corpus: Path, scan_inline: Scan, tmp_path: Path, out: Path
) -> None:
    scan_inline(corpus, "-o", out, "--limit", "6")
    assert len(files(out)) == 6
    scan_inline(corpus, "-o", out, "--update")
    scan_inline(corpus, "-o", tmp_path / "fresh.parquet")
    assert out.read_bytes() == (tmp_path / "fresh.parquet").read_bytes()


def test_a_changed_recording_beyond_the_limit_keeps_its_row(
    corpus: Path, scan_inline: Scan, out: Path
) -> None:
    scan_inline(corpus, "-o", out)
    write_voice(corpus / "anna" / "take 03.wav", seconds=2, seed=90)
    scan_inline(corpus, "-o", out, "--update", "--limit", "0")
    assert len(files(out)) == 12


def test_rows_of_another_window_are_computed_again_and_defaults_are_no_change(
    corpus: Path, scan_inline: Scan, out: Path
) -> None:
    scan_inline(corpus, "-o", out)
    ended = scan_inline(corpus, "-o", out, "--update", "--window", "3", "--hop", "1.5")
    assert "12 unchanged" in ended.stdout
    ended = scan_inline(corpus, "-o", out, "--update", "--window", "2")
    assert "12 recordings analysed" in ended.stdout
    assert all("window=2.0" in str(model) for model in pq.read_table(out)["model"].to_pylist())


def test_segments_that_are_not_there_are_computed(
    corpus: Path, scan_inline: Scan, tmp_path: Path, out: Path
) -> None:
    segments = tmp_path / "s.parquet"
    scan_inline(corpus, "-o", out)
    ended = scan_inline(corpus, "-o", out, "--segments", segments, "--update")
    assert "12 recordings analysed" in ended.stdout
    assert pq.read_table(segments).num_rows == sum(pq.read_table(out)["windows"].to_pylist())


def test_failures_are_kept_until_they_are_to_be_retried(
    corpus: Path, scan_inline: Scan, out: Path
) -> None:
    path = write_voice(corpus / "anna" / "broken.wav")
    content, status = path.read_bytes(), path.stat()
    path.write_bytes(bytes(len(content)))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    scan_inline(corpus, "-o", out, code=3)
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert "13 unchanged" in scan_inline(corpus, "-o", out, "--update", code=3).stdout
    ended = scan_inline(corpus, "-o", out, "--update", "--retry-failed")
    assert "1 recording analysed" in ended.stdout


def test_rows_of_deleted_files_stay_until_they_are_pruned(
    corpus: Path, scan_inline: Scan, out: Path
) -> None:
    scan_inline(corpus, "-o", out)
    (corpus / "anna" / "take 02.wav").unlink()
    scan_inline(corpus, "-o", out, "--update")
    assert files(out)[-1] == "anna/take 02.wav"
    dry = scan_inline(corpus, "-o", out, "--update", "--dry-run")
    assert "gone      1 recording" in dry.stdout
    scan_inline(corpus, "-o", out, "--update", "--prune")
    assert "anna/take 02.wav" not in files(out)
    assert len(files(out)) == 11


def test_pruning_keeps_rows_of_files_that_exist_and_were_left_out(
    corpus: Path, scan_inline: Scan, out: Path
) -> None:
    scan_inline(corpus, "-o", out)
    scan_inline(corpus, "--exclude", "anna", "-o", out, "--update", "--prune")
    assert len(files(out)) == 12


def test_pruning_keeps_the_rows_of_a_disk_that_is_not_mounted(
    corpus: Path, scan_inline: Scan, out: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    write_voice(other / "x.wav")
    scan_inline(corpus, other, "-o", out)
    shutil.rmtree(corpus)
    corpus.mkdir()
    ended = scan_inline(corpus, other, "-o", out, "--update", "--prune", code=3)
    assert str(corpus) in ended.stderr
    assert len(files(out)) == 13


def test_rows_of_a_manifest_whose_disk_is_not_mounted_are_kept(
    corpus: Path, scan_inline: Scan, out: Path, tmp_path: Path
) -> None:
    manifest = tmp_path / "m.csv"
    manifest.write_text("file\nanna/take 00.wav\nben/take 06.wav\n")
    words = ("--manifest", manifest, "--base", corpus, "-o", out)
    scan_inline(*words)
    before = pq.read_table(out).to_pylist()
    corpus.rename(corpus.with_name("unmounted"))
    corpus.mkdir()
    scan_inline(*words, "--update")
    assert pq.read_table(out).to_pylist() == before


def test_rows_follow_the_columns_and_the_order_of_a_changed_manifest(
    corpus: Path, scan_inline: Scan, out: Path
) -> None:
    manifest = corpus / "list.csv"
    manifest.write_text("file,speaker,age\nben/take 06.wav,b,7\nanna/take 00.wav,a,31\n")
    scan_inline("--manifest", manifest, "-o", out)
    manifest.write_text("file,speaker\nanna/take 00.wav,anna\nben/take 06.wav,ben\n")
    scan_inline("--manifest", manifest, "-o", out, "--update", "--prune")
    rows = pq.read_table(out).to_pylist()
    assert [(row["file"], row["speaker"], row["age"]) for row in rows] == [
        ("anna/take 00.wav", "anna", 31),
        ("ben/take 06.wav", "ben", 7),
    ]


def test_columns_that_somebody_added_are_kept(corpus: Path, scan_inline: Scan, out: Path) -> None:
    scan_inline(corpus, "-o", out)
    notes = pa.array([f"note {index}" for index in range(12)])
    pq.write_table(pq.read_table(out).append_column("note", notes), out)
    write_voice(corpus / "anna" / "take 99.wav", seed=99)
    scan_inline(corpus, "-o", out, "--update")
    kept = dict(zip(files(out), pq.read_table(out)["note"].to_pylist(), strict=True))
    assert kept["anna/take 00.wav"] == "note 0"
    assert kept["anna/take 99.wav"] is None


def test_a_column_whose_type_changes_becomes_text_and_loses_no_value(
    corpus: Path, scan_inline: Scan, out: Path
) -> None:
    manifest = corpus / "m.csv"
    manifest.write_text("file,speaker\nanna/take 00.wav,zz\nanna/take 01.wav,7\n")
    scan_inline("--manifest", manifest, "-o", out)
    manifest.write_text("file,speaker\nanna/take 01.wav,7\n")
    scan_inline("--manifest", manifest, "-o", out, "--update")
    speakers = dict(zip(files(out), pq.read_table(out)["speaker"].to_pylist(), strict=True))
    assert speakers == {"anna/take 01.wav": "7", "anna/take 00.wav": "zz"}
