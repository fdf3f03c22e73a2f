"""A scan as a user runs it: from a folder to a table, again and again."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from scan_commands import COMMAND, Scan
from voices import write_voice

from batchemo.batch.options import ScanOptions
from batchemo.tables.columns import RECORDINGS
from batchemo.tables.read import open_table


def files(path: Path) -> list[str]:
    return [str(file) for file in pq.read_table(path, columns=["file"])["file"].to_pylist()]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "r.parquet"


def test_every_recording_becomes_a_row_in_the_order_of_paths(
    corpus: Path, scan: Scan, out: Path
) -> None:
    ended = scan(corpus, "-o", out)
    assert "12 recordings analysed" in ended.stdout
    assert ended.stderr == ""
    table = pq.read_table(out)
    assert table["file"].to_pylist() == sorted(
        path.relative_to(corpus).as_posix() for path in corpus.rglob("*.wav")
    )
    assert set(table["root"].to_pylist()) == {str(corpus)}
    columns = [name for name in RECORDINGS if name != "p_<label>"]
    assert [name for name in table.column_names if not name.startswith("p_")] == columns


def test_probabilities_add_up_and_the_label_is_the_highest(
    corpus: Path, scan: Scan, out: Path
) -> None:
    scan(corpus, "-o", out)
    for row in pq.read_table(out).to_pylist():
        each = {name[2:]: p for name, p in row.items() if name.startswith("p_")}
        assert sum(each.values()) == pytest.approx(1, abs=1e-5)
        assert row["emotion"] == max(each, key=lambda label: each[label])
        assert row["confidence"] == max(each.values())
        ordered = sorted(each.values())
        assert row["margin"] == pytest.approx(ordered[-1] - ordered[-2], abs=1e-6)


def test_the_bytes_do_not_depend_on_the_number_of_workers(
    corpus: Path, scan: Scan, tmp_path: Path
) -> None:
    for index in range(60):
        shutil.copy(corpus / "anna" / "take 00.wav", corpus / "anna" / f"copy {index}.wav")
    for jobs in ("1", "2", "3"):
        scan(corpus, "-o", tmp_path / f"{jobs}.parquet", "-j", jobs)
    first, *others = [(tmp_path / f"{jobs}.parquet").read_bytes() for jobs in ("1", "2", "3")]
    assert all(other == first for other in others)


def test_another_batch_size_changes_no_label(corpus: Path, scan: Scan, tmp_path: Path) -> None:
    scan(corpus, "-o", tmp_path / "16.parquet")
    scan(corpus, "-o", tmp_path / "3.parquet", "--batch-size", "3")
    for a, b in zip(
        pq.read_table(tmp_path / "16.parquet").to_pylist(),
        pq.read_table(tmp_path / "3.parquet").to_pylist(),
        strict=True,
    ):
        assert a["emotion"] == b["emotion"]
        assert a["confidence"] == pytest.approx(b["confidence"], abs=1e-5)
        assert b["model"] == f"{a['model']} batch_size=3"


def test_good_rows_are_the_same_with_broken_files_among_them(
    corpus: Path, scan: Scan, tmp_path: Path
) -> None:
    scan(corpus, "-o", tmp_path / "clean.parquet")
    (corpus / "anna" / "empty.wav").touch()
    (corpus / "anna" / "text.wav").write_text("this is no sound")
    whole = (corpus / "anna" / "take 00.wav").read_bytes()
    (corpus / "ben" / "cut.wav").write_bytes(whole[: len(whole) // 2])
    ended = scan(corpus, "-o", tmp_path / "r.parquet", code=3)
    assert "3 failed" in ended.stdout
    assert "anna/empty.wav: empty" in ended.stderr
    rows = pq.read_table(tmp_path / "r.parquet").to_pylist()
    clean = pq.read_table(tmp_path / "clean.parquet").to_pylist()
    assert [row for row in rows if row["status"] == "ok"] == clean
    failed = {row["file"]: row for row in rows if row["status"] == "failed"}
    assert {file: row["reason"] for file, row in failed.items()} == {
        "anna/empty.wav": "empty",
        "anna/text.wav": "not_audio",
        "ben/cut.wav": "truncated",
    }
    assert all(row["emotion"] is row["confidence"] is None for row in failed.values())


def test_an_output_that_exists_is_not_replaced_by_surprise(
    corpus: Path, scan: Scan, out: Path
) -> None:
    out.write_bytes(b"precious")
    ended = scan(corpus, "-o", out, code=2)
    assert "--update" in ended.stderr
    assert "--overwrite" in ended.stderr
    assert out.read_bytes() == b"precious"
    scan(corpus, "-o", out, "--overwrite")
    assert len(files(out)) == 12


def test_the_same_command_once_more_finds_its_table_finished(
    corpus: Path, scan: Scan, tmp_path: Path, out: Path
) -> None:
    words = (corpus, "-o", out, "--segments", tmp_path / "s.parquet")
    scan(*words)
    before = out.read_bytes(), (tmp_path / "s.parquet").read_bytes()
    assert "0 recordings analysed, 12 kept" in scan(*words).stdout
    assert (out.read_bytes(), (tmp_path / "s.parquet").read_bytes()) == before
    scan(corpus / "anna", "-o", out, code=2)
    write_voice(corpus / "new.wav", seed=3)
    scan(*words, code=2)
    assert (out.read_bytes(), (tmp_path / "s.parquet").read_bytes()) == before


def test_segments_are_guarded_like_the_table_itself(
    corpus: Path, scan: Scan, tmp_path: Path, out: Path
) -> None:
    segments = tmp_path / "s.csv"
    segments.write_text("precious")
    scan(corpus, "-o", out, "--segments", segments, code=2)
    assert segments.read_text() == "precious"
    assert not out.exists()


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_an_update_computes_only_what_is_new_or_changed_and_ends_in_the_same_bytes(
    corpus: Path, scan: Scan, tmp_path: Path, ending: str
) -> None:
    out, fresh = tmp_path / f"r.{ending}", tmp_path / f"fresh.{ending}"
    segments, fresh_segments = tmp_path / f"s.{ending}", tmp_path / f"fresh-s.{ending}"
    new, changed = corpus / "anna" / "take 05 b.wav", corpus / "ben" / "take 07.wav"
    scan(corpus, "-o", out, "--segments", segments)
    write_voice(new, seed=50)
    write_voice(changed, seconds=2.2, seed=51)
    ended = scan(corpus, "-o", out, "--segments", segments, "--update")
    assert "2 recordings analysed, 11 kept" in ended.stdout
    scan(corpus, "-o", fresh, "--segments", fresh_segments)
    assert out.read_bytes() == fresh.read_bytes()
    assert segments.read_bytes() == fresh_segments.read_bytes()


def test_an_update_of_nothing_changes_no_byte(corpus: Path, scan: Scan, out: Path) -> None:
    scan(corpus, "-o", out)
    before = out.read_bytes()
    ended = scan(corpus, "-o", out, "--update")
    assert "0 recordings analysed, 12 kept" in ended.stdout
    assert out.read_bytes() == before


def test_half_of_the_rows_may_come_from_an_earlier_run(
    corpus: Path, scan: Scan, tmp_path: Path, out: Path
) -> None:
    scan(corpus, "-o", out, "--limit", "6")
    assert len(files(out)) == 6
    scan(corpus, "-o", out, "--update")
    scan(corpus, "-o", tmp_path / "fresh.parquet")
    assert out.read_bytes() == (tmp_path / "fresh.parquet").read_bytes()


def test_rows_of_another_model_or_window_are_computed_again(
    corpus: Path, scan: Scan, out: Path
) -> None:
    scan(corpus, "-o", out)
    ended = scan(corpus, "-o", out, "--update", "--window", "2")
    assert "12 recordings analysed" in ended.stdout
    assert {str(m) for m in pq.read_table(out)["model"].to_pylist()} != {None}
    assert all("window=2.0" in str(m) for m in pq.read_table(out)["model"].to_pylist())


def test_lost_segments_are_computed_again(
    corpus: Path, scan: Scan, tmp_path: Path, out: Path
) -> None:
    segments = tmp_path / "s.parquet"
    scan(corpus, "-o", out)
    ended = scan(corpus, "-o", out, "--segments", segments, "--update")
    assert "12 recordings analysed" in ended.stdout
    assert pq.read_table(segments).num_rows == sum(pq.read_table(out)["windows"].to_pylist())


def test_rows_of_vanished_files_stay_until_they_are_pruned(
    corpus: Path, scan: Scan, out: Path
) -> None:
    scan(corpus, "-o", out)
    (corpus / "anna" / "take 02.wav").unlink()
    scan(corpus, "-o", out, "--update")
    assert files(out)[-1] == "anna/take 02.wav"
    dry = scan(corpus, "-o", out, "--update", "--dry-run")
    assert "gone      1 recording" in dry.stdout
    scan(corpus, "-o", out, "--update", "--prune")
    assert "anna/take 02.wav" not in files(out)
    assert len(files(out)) == 11


def test_pruning_keeps_rows_of_files_that_are_there_but_were_not_asked_for(
    corpus: Path, scan: Scan, out: Path
) -> None:
    scan(corpus, "-o", out)
    scan(corpus, "--exclude", "anna", "-o", out, "--update", "--prune")
    assert len(files(out)) == 12


def test_failures_are_kept_until_they_are_to_be_retried(
    corpus: Path, scan: Scan, out: Path
) -> None:
    victim = corpus / "anna" / "memory.wav"
    write_voice(victim)
    scan(corpus, "-o", out, code=3, poison=True)
    assert "13 kept" in scan(corpus, "-o", out, "--update", code=3).stdout
    assert "1 recording analysed" in scan(corpus, "-o", out, "--update", "--retry-failed").stdout


def test_a_dry_run_tells_and_writes_nothing(corpus: Path, scan: Scan, out: Path) -> None:
    scan(corpus, "-o", out)
    write_voice(corpus / "zoe" / "new.wav", seed=70)
    write_voice(corpus / "ben" / "take 06.wav", seconds=3, seed=71)
    before = sorted(os.listdir(out.parent)), out.read_bytes()
    told = scan(corpus, "-o", out, "--update", "--dry-run").stdout
    assert "new       1 recording" in told
    assert "zoe/new.wav" in told
    assert "changed   1 recording" in told
    assert "unchanged 11 recordings" in told
    assert (sorted(os.listdir(out.parent)), out.read_bytes()) == before


def test_a_manifests_columns_are_carried_and_follow_it(
    corpus: Path, scan: Scan, tmp_path: Path, out: Path
) -> None:
    manifest = corpus / "list.csv"
    manifest.write_text(
        "file,speaker,age\nben/take 06.wav,b,7\nanna/take 00.wav,a,31\ngone.wav,c,\n"
    )
    scan("--manifest", manifest, "-o", out, code=3)
    rows = pq.read_table(out).to_pylist()
    told = [(r["file"], r["speaker"], r["age"], r["reason"]) for r in rows]
    assert told == [
        ("ben/take 06.wav", "b", 7, None),
        ("anna/take 00.wav", "a", 31, None),
        ("gone.wav", "c", None, "missing"),
    ]
    manifest.write_text("file,speaker\nanna/take 00.wav,anna\nben/take 06.wav,ben\n")
    scan("--manifest", manifest, "-o", out, "--update", "--prune")
    rows = pq.read_table(out).to_pylist()
    assert [(r["file"], r["speaker"]) for r in rows] == [
        ("anna/take 00.wav", "anna"),
        ("ben/take 06.wav", "ben"),
    ]


def test_a_summary_is_written_by_group(corpus: Path, scan: Scan, tmp_path: Path, out: Path) -> None:
    summary = tmp_path / "s.parquet"
    scan(corpus, "-o", out, "--summary", summary, "--group-by", "part:1")
    rows = pq.read_table(summary).to_pylist()
    assert {row["group"] for row in rows} == {"anna", "ben"}
    assert sum(row["files"] for row in rows) == 12


def test_standard_output_gets_csv_as_the_rows_are_found(
    corpus: Path, scan: Scan, tmp_path: Path
) -> None:
    ended = scan(corpus, "-o", "-")
    scan(corpus, "-o", tmp_path / "r.csv")
    assert ended.stdout == (tmp_path / "r.csv").read_text()
    assert "12 recordings analysed" in ended.stderr


def test_a_pipe_whose_reader_has_enough_is_no_error(corpus: Path, tiny_bundle: object) -> None:
    import subprocess

    path = getattr(tiny_bundle, "path")  # noqa: B009
    words = " ".join(f"'{word}'" for word in [*COMMAND, "scan", "-m", path, corpus, "-o", "-"])
    ended = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {words} | head -1"], capture_output=True, text=True
    )
    assert "Traceback" not in ended.stderr


def test_a_json_log_has_an_event_a_line(corpus: Path, scan: Scan, out: Path) -> None:
    (corpus / "bad.wav").touch()
    ended = scan(corpus, "-o", out, "--log-json", "-", "-q", code=3)
    events = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [events[0]["event"], events[-1]["event"]] == ["started", "finished"]
    failed = [event for event in events if event["event"] == "recording_failed"]
    assert [(event["file"], event["reason"]) for event in failed] == [("bad.wav", "empty")]
    assert events[-1]["exit_code"] == 3
    assert ended.stderr == ""


def test_quiet_says_nothing(corpus: Path, scan: Scan, out: Path) -> None:
    ended = scan(corpus, "-o", out, "--quiet")
    assert (ended.stdout, ended.stderr) == ("", "")


def test_names_that_are_no_utf8_are_scanned_and_written_escaped(
    corpus: Path, scan: Scan, out: Path
) -> None:
    strange = os.fsencode(corpus) + b"/caf\xe9\n=1.wav"
    shutil.copy(os.fsencode(corpus / "anna" / "take 00.wav"), strange)
    scan(corpus, "-o", out)
    assert "caf\\xe9\n=1.wav" in files(out)
    assert "13 kept" in scan(corpus, "-o", out, "--update").stdout


def test_young_files_are_left_for_the_next_run(corpus: Path, scan: Scan, out: Path) -> None:
    old = time.time() - 3600
    for path in corpus.rglob("*.wav"):
        os.utime(path, (old, old))
    write_voice(corpus / "anna" / "just now.wav")
    ended = scan(corpus, "-o", out, "--min-age", "5m")
    assert "1 too young" in ended.stdout
    assert len(files(out)) == 12


def test_links_and_hidden_files_are_told_with_the_option_that_takes_them(
    corpus: Path, scan: Scan, out: Path
) -> None:
    (corpus / "linked.wav").symlink_to(corpus / "anna" / "take 00.wav")
    (corpus / ".hidden.wav").touch()
    for preview in ((), ("--overwrite", "--dry-run")):
        told = scan(corpus, "-o", out, *preview).stdout
        assert "1 hidden file" in told
        assert "--hidden takes them" in told
        assert "1 link" in told
        assert "--follow-links" in told
    assert len(files(out)) == 12


def test_an_empty_folder_gives_an_empty_table(scan: Scan, tmp_path: Path, out: Path) -> None:
    (tmp_path / "nothing").mkdir()
    scan(tmp_path / "nothing", "-o", out)
    assert pq.read_table(out).num_rows == 0
    assert open_table(out).labels


def test_the_table_tells_how_it_was_made(corpus: Path, scan: Scan, out: Path) -> None:
    scan(corpus, "-o", out, "--hop", "1")
    provenance = open_table(out).run
    assert provenance["model"] == "tiny"
    assert provenance["hop"] == 1.0
    assert provenance["labels"] == ["neutral", "happy", "sad", "angry"]
    assert provenance["sources"]["paths"] == [str(corpus)]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere", "-o", "r.parquet"], "nowhere"),
        ([".", "-o", "r.xlsx"], "must end in"),
        ([".", "-o", "no/such/r.parquet"], "no such folder"),
        (["."], "-o results.parquet"),
        ([".", "-o", "r.csv", "--segments", "r.csv"], "different files"),
        ([".", "-o", "r.csv", "--group-by", "mood"], "cannot group by"),
        ([".", "-o", "r.csv", "--window", "1000"], "windows of"),
        ([".", "-o", "r.csv", "--hop", "9"], "to the length of a window"),
        ([".", "-o", "r.csv", "--prune"], "--update"),
        ([".", "-o", "-", "--update"], "need an output file"),
        ([".", "-o", "r.csv", "-0"], "--files-from"),
        ([".", "-o", "r.csv", "--base", "."], "--base"),
        (["-o", "r.csv"], "No recordings were named"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once_with_what_to_do(
    scan: Scan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = scan(*words, code=2)
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not list(tmp_path.glob("r.*"))


def test_options_know_their_defaults() -> None:
    from batchemo.sources import SourceOptions

    (settings,) = ScanOptions(SourceOptions(("x",))).settings
    assert settings.differences() == {}
