"""The same scan every night, over a folder that grows and loses files."""

from __future__ import annotations

import errno
import json
import os
import resource
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from scan_commands import Scan, StartScan, finish


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_only_rows_without_their_segments_are_computed_again(
    corpus: Path, scan_inline: Scan, tmp_path: Path, ending: str
) -> None:
    out, segments = tmp_path / f"r.{ending}", tmp_path / f"s.{ending}"
    scan_inline(corpus, "-o", out)
    (corpus / "anna" / "take 00.wav").unlink()
    update = (corpus, "-o", out, "--update", "--segments", segments)
    assert "11 recordings analysed" in scan_inline(*update).stdout
    first = out.read_bytes(), segments.read_bytes()
    for _ in range(2):
        assert "0 recordings analysed" in scan_inline(*update).stdout
        assert (out.read_bytes(), segments.read_bytes()) == first


def test_segments_of_another_table_are_not_trusted(
    corpus: Path, scan_inline: Scan, tmp_path: Path
) -> None:
    out, segments = tmp_path / "r.parquet", tmp_path / "s.parquet"
    tables = ("-o", out, "--segments", segments)
    scan_inline(corpus, *tables)
    whole = segments.read_bytes()
    rows = pq.read_table(segments)
    pq.write_table(rows.take(list(range(rows.num_rows))[::-1]), segments)
    assert "12 recordings analysed" in scan_inline(corpus, *tables, "--update").stdout
    assert segments.read_bytes() == whole


def test_a_scan_of_a_manifest_can_be_repeated_although_a_recording_is_missing(
    corpus: Path, scan_inline: Scan, tmp_path: Path
) -> None:
    manifest, out = tmp_path / "m.csv", tmp_path / "r.parquet"
    manifest.write_text("file\nanna/take 00.wav\nanna/gone.wav\n")
    scan = ("--manifest", manifest, "--base", corpus, "-o", out)
    scan_inline(*scan, code=3)
    before = out.read_bytes()
    ended = scan_inline(*scan, code=3)
    assert "0 recordings analysed, 1 missing" in ended.stdout
    assert "could not be reached" not in ended.stderr
    assert out.read_bytes() == before
    shutil.copy(corpus / "anna" / "take 01.wav", corpus / "anna" / "gone.wav")
    assert "exists" in scan_inline(*scan, code=2).stderr


def test_an_empty_folder_ends_in_an_error_that_names_it_and_writes_no_table(
    scan_inline: Scan, tmp_path: Path
) -> None:
    share = tmp_path / "share"
    share.mkdir()
    out = tmp_path / "r.parquet"
    ended = scan_inline(share, "-o", out, "--quiet", code=1)
    assert f"{share}: no recordings were found (no files at all: is it mounted?)" in ended.stderr
    assert sorted(tmp_path.glob("r.*")) == []
    (share / "notes.txt").touch()
    (share / "take.MP4").touch()
    ended = scan_inline(share, "-o", out, "--update", code=1)
    assert (
        "no recordings were found, but 1 .mp4, 1 .txt (--ext audio,video includes them"
        in ended.stderr
    )
    assert "0 recordings analysed" in scan_inline(share, "-o", out, "--allow-empty").stdout
    assert pq.read_table(out).num_rows == 0


def test_an_unmounted_share_leaves_the_table_as_it_is(
    corpus: Path, scan_inline: Scan, tmp_path: Path
) -> None:
    out = tmp_path / "r.parquet"
    scan_inline(corpus, "-o", out)
    before = out.read_bytes()
    corpus.rename(tmp_path / "elsewhere")
    corpus.mkdir()
    for prune in ((), ("--prune",)):
        scan_inline(corpus, "-o", out, "--update", *prune, code=1)
        assert out.read_bytes() == before
        assert sorted(path.name for path in tmp_path.glob("r.*")) == ["r.parquet"]


def test_one_empty_source_among_others_costs_the_others_nothing(
    corpus: Path, scan_inline: Scan, tmp_path: Path
) -> None:
    share, out = tmp_path / "share", tmp_path / "r.parquet"
    share.mkdir()
    ended = scan_inline(corpus, share, "-o", out, "--quiet", code=3)
    assert f"{share}: no recordings were found" in ended.stderr
    assert pq.read_table(out).num_rows == 12
    assert scan_inline(corpus, share, "-o", out, "--quiet", "--allow-empty").stderr == ""


def test_an_empty_folder_keeps_the_chunks_of_an_interrupted_run(
    corpus: Path, scan_inline: Scan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "r.parquet"
    with monkeypatch.context() as patch:
        patch.setattr("batchemo.batch.scan.write_tables", _full_disk)
        scan_inline(corpus, "-o", out, code=1)
    corpus.rename(tmp_path / "elsewhere")
    corpus.mkdir()
    scan_inline(corpus, "-o", out, code=1)
    corpus.rmdir()
    (tmp_path / "elsewhere").rename(corpus)
    assert "0 recordings analysed, 12 unchanged" in scan_inline(corpus, "-o", out).stdout


def _full_disk(*arguments: object, **options: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_recordings_of_other_formats_are_counted_with_the_option_that_takes_them(
    corpus: Path, scan_inline: Scan, tmp_path: Path
) -> None:
    for name in ("a.mp3", "b.MP3", "c.flac", "notes.txt"):
        (corpus / name).touch()
    only_wav = (corpus, "-o", tmp_path / "r.parquet", "--ext", "wav")
    ended = scan_inline(*only_wav)
    text = "3 recordings in other formats skipped (2 .mp3, 1 .flac; --ext audio includes them)"
    assert text in ended.stdout
    dry = scan_inline(*only_wav, "--update", "--dry-run").stdout
    assert "2 .mp3 files: --ext audio includes them" in dry


def test_a_folder_of_all_sorts_is_taken_but_for_its_videos_which_are_counted(
    corpus: Path, scan_inline: Scan, tmp_path: Path
) -> None:
    for name in ("meeting.mp4", "call.webm", "notes.txt", "cover.jpg"):
        (corpus / name).touch()
    for number in range(20):
        (corpus / f"{number}.mp3").touch()
    ended = scan_inline(corpus, "-o", tmp_path / "r.parquet", code=3)
    assert "32 recordings analysed, 20 failed" in ended.stdout
    for words in ("2 recordings in other formats skipped", "1 .mp4", "--ext audio,video includes"):
        assert words in ended.stdout


def test_new_failures_are_told_from_those_of_the_earlier_table(
    corpus: Path, scan_inline: Scan, tmp_path: Path
) -> None:
    out, log = tmp_path / "r.parquet", tmp_path / "log.jsonl"
    (corpus / "a.wav").touch()
    first = scan_inline(corpus, "-o", out, "--fail-on", "new", code=3)
    assert "13 recordings analysed, 1 failed in" in first.stdout
    update = (corpus, "-o", out, "--update", "--log-json", log)
    assert "1 failed (0 new)" in scan_inline(*update, code=3).stdout
    scan_inline(*update, "--fail-on", "new")
    (corpus / "b.wav").touch()
    ended = scan_inline(*update, "--fail-on", "new", "--retry-failed", code=3)
    assert "2 recordings analysed, 2 failed (1 new)" in ended.stdout
    events = [json.loads(line) for line in log.read_text().splitlines()]
    failed = [event for event in events if event["event"] == "recording_failed"]
    assert [(event["file"], event["new"]) for event in failed] == [
        ("a.wav", False),
        ("b.wav", True),
    ]
    assert events[-1]["new_failures"] == 1
    scan_inline(corpus, "-o", out, "--fail-on", "none")


def test_failures_of_an_interrupted_run_are_new_to_the_table(
    corpus: Path, scan_inline: Scan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "r.parquet"
    scan_inline(corpus, "-o", out)
    (corpus / "a.wav").touch()
    with monkeypatch.context() as patch:
        patch.setattr("batchemo.batch.scan.write_tables", _full_disk)
        scan_inline(corpus, "-o", out, "--update", code=1)
    ended = scan_inline(corpus, "-o", out, "--update", "--fail-on", "new", code=3)
    assert "0 recordings analysed, 1 failed, 13 unchanged" in ended.stdout


@pytest.mark.process
@pytest.mark.parametrize("megabytes", [200, 240, 300, 380])
def test_too_little_memory_for_the_libraries_ends_the_run_in_words(
    corpus: Path, start_scan: StartScan, tmp_path: Path, megabytes: int
) -> None:
    out, limit = tmp_path / "r.parquet", megabytes * 2**20
    process = start_scan(
        *(corpus, "-o", out, "-j", "1"),
        before=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )
    ended = finish(process, code=1)
    assert ended.stderr.startswith("batchemo: there is not enough memory")
    assert ended.stderr.count("\n") == 1
    assert list(tmp_path.glob("r.*")) == []
