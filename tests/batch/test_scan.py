"""A scan as a user runs it: from a folder to a table."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from scan_commands import COMMAND, Scan, reasons_by_file
from voices import write_voice

from batchemo.batch.chunk_store import ChunkStore
from batchemo.batch.options import ScanOptions
from batchemo.batch.scan import run_scan
from batchemo.bundles import Bundle
from batchemo.errors import BatchemoError
from batchemo.inference.settings import ModelSettings
from batchemo.sources import SourceOptions
from batchemo.tables.columns import RECORDINGS
from batchemo.tables.read import open_table
from batchemo.workers.executor import InlineExecutor


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "r.parquet"


@pytest.fixture
def options(corpus: Path, tiny_bundle: Bundle) -> ScanOptions:
    """Options of a scan of the corpus whose table stays in memory."""
    return ScanOptions(SourceOptions((str(corpus),)), (ModelSettings(str(tiny_bundle.path)),))


def test_every_recording_is_a_row_in_the_order_of_paths(
    corpus: Path, scan_inline: Scan, out: Path
) -> None:
    ended = scan_inline(corpus, "-o", out)
    assert "12 recordings analysed" in ended.stdout
    assert ended.stderr == ""
    table = pq.read_table(out)
    assert table["file"].to_pylist() == sorted(
        path.relative_to(corpus).as_posix() for path in corpus.rglob("*.wav")
    )
    assert set(table["root"].to_pylist()) == {str(corpus)}
    columns = [name for name in RECORDINGS if name != "p_<label>"]
    assert [name for name in table.column_names if not name.startswith("p_")] == columns


def test_probabilities_add_up_to_one_and_the_label_has_the_highest(
    corpus: Path, scan_inline: Scan, out: Path
) -> None:
    scan_inline(corpus, "-o", out)
    for row in pq.read_table(out).to_pylist():
        probabilities = {name[2:]: p for name, p in row.items() if name.startswith("p_")}
        assert sum(probabilities.values()) == pytest.approx(1, abs=1e-5)
        assert row["emotion"] == max(probabilities, key=lambda label: probabilities[label])
        second, first = sorted(probabilities.values())[-2:]
        assert row["confidence"] == first
        assert row["margin"] == pytest.approx(first - second, abs=1e-6)


@pytest.mark.process
def test_the_bytes_do_not_depend_on_the_number_of_workers(
    corpus: Path, scan: Scan, scan_inline: Scan, tmp_path: Path
) -> None:
    for index in range(60):
        shutil.copy(corpus / "anna" / "take 00.wav", corpus / "anna" / f"copy {index}.wav")
    scan_inline(corpus, "-o", tmp_path / "inline.parquet")
    for jobs in ("1", "3"):
        scan(corpus, "-o", tmp_path / f"{jobs}.parquet", "-j", jobs)
    tables = [(tmp_path / f"{name}.parquet").read_bytes() for name in ("inline", "1", "3")]
    assert tables[0] == tables[1] == tables[2]


def test_another_batch_size_changes_no_label(
    corpus: Path, scan_inline: Scan, tmp_path: Path
) -> None:
    scan_inline(corpus, "-o", tmp_path / "16.parquet")
    scan_inline(corpus, "-o", tmp_path / "3.parquet", "--batch-size", "3")
    for a, b in zip(
        pq.read_table(tmp_path / "16.parquet").to_pylist(),
        pq.read_table(tmp_path / "3.parquet").to_pylist(),
        strict=True,
    ):
        assert a["emotion"] == b["emotion"]
        assert a["confidence"] == pytest.approx(b["confidence"], abs=1e-5)
        assert b["model"] == f"{a['model']} batch_size=3"


def test_broken_files_change_no_other_row(
    corpus: Path, scan_inline: Scan, tmp_path: Path, out: Path
) -> None:
    scan_inline(corpus, "-o", tmp_path / "clean.parquet")
    (corpus / "anna" / "empty.wav").touch()
    (corpus / "anna" / "text.wav").write_text("this is not audio")
    whole = (corpus / "anna" / "take 00.wav").read_bytes()
    (corpus / "ben" / "cut.wav").write_bytes(whole[: len(whole) // 2])
    ended = scan_inline(corpus, "-o", out, code=3)
    assert "3 failed" in ended.stdout
    assert "anna/empty.wav: empty" in ended.stderr
    rows = pq.read_table(out).to_pylist()
    clean = pq.read_table(tmp_path / "clean.parquet").to_pylist()
    assert [row for row in rows if row["status"] == "ok"] == clean
    failed = {row["file"]: row for row in rows if row["status"] == "failed"}
    assert {file: row["reason"] for file, row in failed.items()} == {
        "anna/empty.wav": "empty",
        "anna/text.wav": "not_audio",
        "ben/cut.wav": "truncated",
    }
    assert all(row["emotion"] is None for row in failed.values())


def test_the_table_has_the_columns_of_the_manifest_in_its_order(
    corpus: Path, scan_inline: Scan, out: Path
) -> None:
    manifest = corpus / "list.csv"
    manifest.write_text(
        "file,speaker,age\nben/take 06.wav,b,7\nanna/take 00.wav,a,31\nnone.wav,c,\n"
    )
    ended = scan_inline("--manifest", manifest, "-o", out, code=3)
    assert "2 recordings analysed, 1 missing in" in ended.stdout
    assert "warning: 1 recording is missing: none.wav\n" in ended.stderr
    rows = pq.read_table(out).to_pylist()
    assert [(row["file"], row["speaker"], row["age"], row["reason"]) for row in rows] == [
        ("ben/take 06.wav", "b", 7, None),
        ("anna/take 00.wav", "a", 31, None),
        ("none.wav", "c", None, "missing"),
    ]


def test_a_summary_counts_by_group(
    corpus: Path, scan_inline: Scan, tmp_path: Path, out: Path
) -> None:
    summary = tmp_path / "s.parquet"
    scan_inline(corpus, "-o", out, "--summary", summary, "--group-by", "part:1")
    rows = pq.read_table(summary).to_pylist()
    assert {row["group"] for row in rows} == {"anna", "ben"}
    assert sum(row["files"] for row in rows) == 12


def test_standard_output_gets_the_table_as_csv(
    corpus: Path, scan_inline: Scan, tmp_path: Path
) -> None:
    ended = scan_inline(corpus, "-o", "-")
    scan_inline(corpus, "-o", tmp_path / "r.csv")
    assert ended.stdout == (tmp_path / "r.csv").read_text()
    assert "12 recordings analysed" in ended.stderr


@pytest.mark.process
def test_a_reader_that_closes_the_pipe_is_no_error(corpus: Path, tiny_bundle: Bundle) -> None:
    words = [*COMMAND, "scan", "-m", tiny_bundle.path, corpus, "-o", "-", "-j", "1", "-q"]
    pipe = "set -o pipefail; " + " ".join(f"'{word}'" for word in words) + " | head -1"
    ended = subprocess.run(["bash", "-c", pipe], capture_output=True, text=True)
    assert ended.stdout.startswith('"root","file"')
    assert ended.stderr == ""


def test_a_json_log_has_a_line_for_each_event(corpus: Path, scan_inline: Scan, out: Path) -> None:
    (corpus / "bad.wav").touch()
    ended = scan_inline(corpus, "-o", out, "--log-json", "-", "-q", code=3)
    events = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [events[0]["event"], events[-1]["event"]] == ["started", "finished"]
    failed = [event for event in events if event["event"] == "recording_failed"]
    assert [(event["file"], event["reason"]) for event in failed] == [("bad.wav", "empty")]
    assert events[-1]["exit_code"] == 3
    assert ended.stderr == ""


def test_quiet_prints_nothing(corpus: Path, scan_inline: Scan, out: Path) -> None:
    ended = scan_inline(corpus, "-o", out, "--quiet")
    assert (ended.stdout, ended.stderr) == ("", "")


def test_names_that_are_no_utf8_are_scanned_and_written_escaped(
    corpus: Path, scan_inline: Scan, out: Path
) -> None:
    strange = os.fsencode(corpus) + b"/caf\xe9\n=1.wav"
    shutil.copy(os.fsencode(corpus / "anna" / "take 00.wav"), strange)
    scan_inline(corpus, "-o", out)
    assert reasons_by_file(out)["caf\\xe9\n=1.wav"] is None
    assert "13 unchanged" in scan_inline(corpus, "-o", out, "--update").stdout


def test_files_that_changed_a_moment_ago_are_left_for_the_next_run(
    corpus: Path, scan_inline: Scan, out: Path
) -> None:
    old = time.time() - 3600
    for path in corpus.rglob("*.wav"):
        os.utime(path, (old, old))
    write_voice(corpus / "anna" / "just now.wav")
    ended = scan_inline(corpus, "-o", out, "--min-age", "5m")
    assert "1 modified too recently" in ended.stdout
    assert pq.read_metadata(out).num_rows == 12


def test_links_and_hidden_files_are_counted_with_the_options_that_include_them(
    corpus: Path, scan_inline: Scan, out: Path
) -> None:
    (corpus / "linked.wav").symlink_to(corpus / "anna" / "take 00.wav")
    (corpus / ".hidden.wav").touch()
    for words in ((), ("--overwrite", "--dry-run")):
        printed = scan_inline(corpus, "-o", out, *words).stdout
        assert "1 hidden file" in printed
        assert "--hidden includes them" in printed
        assert "1 link" in printed
        assert "--follow-links" in printed
    assert pq.read_metadata(out).num_rows == 12


def test_an_empty_folder_gives_an_empty_table_where_that_is_allowed(
    scan_inline: Scan, tmp_path: Path, out: Path
) -> None:
    (tmp_path / "nothing").mkdir()
    scan_inline(tmp_path / "nothing", "-o", out, "--allow-empty")
    assert pq.read_table(out).num_rows == 0
    assert open_table(out).labels


def test_the_table_records_how_it_was_made(corpus: Path, scan_inline: Scan, out: Path) -> None:
    scan_inline(corpus, "-o", out, "--hop", "1")
    provenance = open_table(out).run
    assert provenance["model"] == "tiny"
    assert provenance["hop"] == 1.0
    assert provenance["labels"] == ["neutral", "happy", "sad", "angry"]
    assert provenance["sources"]["paths"] == [str(corpus)]


def test_the_bytes_do_not_depend_on_how_a_folder_is_spelled(
    corpus: Path, scan_inline: Scan, tmp_path: Path
) -> None:
    scan_inline(corpus, "-o", tmp_path / "a.parquet")
    scan_inline(f"{corpus}/anna/../", "-o", tmp_path / "b.parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_no_more_workers_are_started_than_there_are_chunks(
    corpus: Path, scan_inline: Scan, out: Path
) -> None:
    ended = scan_inline(corpus, "-o", out, "-j", "64", "-q", "--log-json", "-")
    assert json.loads(ended.stdout.splitlines()[0])["workers"] == 2


@pytest.mark.process
def test_workers_start_before_arrow_is_imported(corpus: Path, tiny_bundle: Bundle) -> None:
    code = f"""
import sys
from batchemo.batch import scan
from batchemo.workers.executor import ProcessExecutor
submit = ProcessExecutor.submit
def checked(*arguments):
    print("pyarrow" in sys.modules)
    return submit(*arguments)
ProcessExecutor.submit = checked
from batchemo.cli import main
sys.argv = ["batchemo", "scan", {str(corpus)!r}, "-m", {str(tiny_bundle.path)!r}, "-q", "-o"]
sys.argv.append({str(corpus.parent / "r.parquet")!r})
main()
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[0] == "False"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere", "-o", "r.parquet"], "nowhere"),
        ([".", "-o", "r.xls"], "must end in"),
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
def test_wrong_usage_is_refused_before_any_work_with_what_to_do(
    scan_inline: Scan,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = scan_inline(*words, code=2)
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not list(tmp_path.glob("r.*"))


def test_columns_that_csv_cannot_hold_are_refused_before_any_work(
    corpus: Path, scan_inline: Scan, tmp_path: Path, out: Path
) -> None:
    manifest = corpus / "m.parquet"
    for column, kind in (([["a"]], "nested"), ([b"\xff"], "binary")):
        pq.write_table(pa.table({"file": ["anna/take 00.wav"], "tags": column}), manifest)
        ended = scan_inline("--manifest", manifest, "-o", tmp_path / "r.csv", code=2)
        assert f"CSV cannot hold the {kind} column tags" in ended.stderr
        scan_inline("--manifest", manifest, "-o", out, "--group-by", "tags", code=2)
    assert sorted(path.name for path in tmp_path.glob("*r.*")) == []


def test_without_an_output_the_table_is_returned(
    options: ScanOptions, scan_inline: Scan, corpus: Path, out: Path
) -> None:
    result = run_scan(options, executor=InlineExecutor)
    scan_inline(corpus, "-o", out)
    assert result.table == pq.read_table(out)
    assert (result.report.analysed, result.report.exit_code) == (12, 0)
    assert result.report.times_real_time > 0


def test_a_stream_gets_the_rows_while_they_are_found(options: ScanOptions) -> None:
    stream = io.BytesIO()
    rows_after: list[int] = []
    run_scan(
        options,
        lambda event: rows_after.append(stream.getvalue().count(b"\n")),
        stream,
        executor=InlineExecutor,
    )
    # A line of names at the start; then chunks of 4 and of 8 recordings.
    assert rows_after == [1, 5, 13, 13]
    assert pyarrow.csv.read_csv(io.BytesIO(stream.getvalue())).num_rows == 12


class RecordingExecutor(InlineExecutor):
    """An inline executor that notes whether it was shut down."""

    shut_down: list[bool]

    def shutdown(self, *, kill: bool) -> None:
        self.shut_down.append(kill)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), MemoryError()])
def test_workers_have_ended_when_an_error_is_raised(
    options: ScanOptions, out: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(store: ChunkStore, number: int, batch: pa.RecordBatch) -> None:
        raise error

    monkeypatch.setattr(ChunkStore, "write", fail)
    for output, expected in ((None, type(error)), (str(out), BatchemoError)):
        RecordingExecutor.shut_down = []
        changed = ScanOptions(options.sources, options.settings, output=output)
        with pytest.raises(expected) as raised:
            run_scan(changed, executor=RecordingExecutor)
        assert RecordingExecutor.shut_down == [True]
        if output is not None:
            assert "What was finished is kept" in str(raised.value)
