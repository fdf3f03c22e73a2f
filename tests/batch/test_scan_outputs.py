"""Nothing that a user has is lost by a scan: not tables, not rows, not columns."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scan_commands import COMMAND, Scan, wait_until
from voices import write_voice

from batchemo.batch import plan, writer
from batchemo.batch.options import ScanOptions
from batchemo.batch.scan import run_scan
from batchemo.bundles import Bundle
from batchemo.common import locks
from batchemo.common.files import rename
from batchemo.errors import UsageError
from batchemo.inference.settings import ModelSettings
from batchemo.sources import SourceOptions
from batchemo.tables.read import open_table


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "r.parquet"


def files(path: Path) -> list[str]:
    return [str(file) for file in pq.read_table(path, columns=["file"])["file"].to_pylist()]


def test_a_failed_run_gives_no_leave_to_replace_an_output(
    corpus: Path, scan: Scan, out: Path
) -> None:
    scan(corpus, "-o", out, "--channel", "x", code=2)
    out.write_bytes(b"precious")
    scan(corpus, "-o", out, code=2)
    assert out.read_bytes() == b"precious"


def test_an_interrupted_run_gives_no_leave_to_replace_other_tables(
    corpus: Path, scan: Scan, tmp_path: Path, out: Path, tiny_bundle: Bundle
) -> None:
    parts = tmp_path / "r.parquet.parts"
    command = [*COMMAND, "scan", "-m", str(tiny_bundle.path), str(corpus), "-o", str(out)]
    process = subprocess.Popen(command)
    wait_until(lambda: bool(list(parts.glob("*.part.arrow"))))
    process.kill()
    process.wait()
    segments = tmp_path / "precious.parquet"
    segments.write_bytes(b"precious")
    scan(corpus, "-o", out, "--segments", segments, code=2)
    assert segments.read_bytes() == b"precious"


def test_a_run_killed_after_the_naming_of_its_tables_is_finished_by_the_same_command(
    corpus: Path, scan: Scan, out: Path
) -> None:
    scan(corpus, "-o", out)
    before = out.read_bytes()
    parts = out.with_name("r.parquet.parts")
    parts.mkdir()
    (parts / "naming.json").write_text(json.dumps([str(out)]))
    scan(corpus, "-o", out)
    assert out.read_bytes() == before
    assert not parts.exists()


def test_the_same_command_with_another_summary_replaces_nothing(
    corpus: Path, scan: Scan, tmp_path: Path, out: Path
) -> None:
    summary = tmp_path / "s.csv"
    scan(corpus, "-o", out)
    summary.write_text("precious")
    ended = scan(corpus, "-o", out, "--summary", summary, code=2)
    assert "s.csv exists" in ended.stderr
    assert summary.read_text() == "precious"
    assert sorted(path.name for path in tmp_path.glob("*.parts")) == []
    assert not list(tmp_path.glob(".*"))


def test_the_same_command_with_a_changed_manifest_replaces_nothing(
    corpus: Path, scan: Scan, out: Path
) -> None:
    manifest = corpus / "m.csv"
    manifest.write_text("file,speaker\nanna/take 00.wav,anna\n")
    scan("--manifest", manifest, "-o", out)
    before = out.read_bytes()
    manifest.write_text("file,speaker\nanna/take 00.wav,somebody\n")
    scan("--manifest", manifest, "-o", out, code=2)
    assert out.read_bytes() == before


def test_a_stopped_update_gives_no_leave_to_begin_anew(
    corpus: Path, tmp_path: Path, out: Path, tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(unfinished: Path, path: Path) -> None:
        raise KeyboardInterrupt

    settings = (ModelSettings(str(tiny_bundle.path)),)
    options = ScanOptions(SourceOptions((str(corpus),)), settings, output=str(out), jobs=1)
    run_scan(options)
    write_voice(corpus / "new.wav", seed=5)
    monkeypatch.setattr(writer, "rename", stopped)
    with pytest.raises(KeyboardInterrupt):
        run_scan(replace(options, update=True))
    monkeypatch.undo()
    with pytest.raises(UsageError, match="exists"):
        run_scan(options)
    assert run_scan(replace(options, update=True)).report.kept == 13


def test_an_output_is_no_input(corpus: Path, scan: Scan, tmp_path: Path) -> None:
    manifest = corpus / "m.csv"
    manifest.write_text("file\nanna/take 00.wav\n")
    before = manifest.read_text()
    ended = scan("--manifest", manifest, "-o", manifest, "--overwrite", code=2)
    assert "read and written" in ended.stderr
    assert manifest.read_text() == before


def test_a_runs_own_files_are_not_scanned(corpus: Path, scan: Scan) -> None:
    out = corpus / "r.csv"
    scan(corpus, "--ext", "any", "-o", out)
    ended = scan(corpus, "--ext", "any", "-o", out, "--update")
    assert "12 kept" in ended.stdout
    assert "failed" not in ended.stdout


def test_two_runs_cannot_write_the_same_segments(
    corpus: Path, scan: Scan, tmp_path: Path, tiny_bundle: Bundle
) -> None:
    shared = tmp_path / "s.parquet"
    for index in range(300):
        shutil.copy(corpus / "anna" / "take 00.wav", corpus / "anna" / f"copy {index}.wav")
    first = [*COMMAND, "scan", "-m", str(tiny_bundle.path), str(corpus)]
    first += ["-o", str(tmp_path / "a.parquet"), "--segments", str(shared), "-q"]
    process = subprocess.Popen(first)
    lock = tmp_path / "s.parquet.parts" / "lock"
    wait_until(lambda: lock.exists() and lock.stat().st_size > 0)
    ended = scan(corpus, "-o", tmp_path / "b.parquet", "--segments", shared, code=4)
    assert "is writing this output" in ended.stderr
    assert process.wait(timeout=60) == 0
    assert not list(tmp_path.glob("*.parts"))


def test_a_changed_recording_beyond_the_limit_keeps_its_row(
    corpus: Path, scan: Scan, out: Path
) -> None:
    scan(corpus, "-o", out)
    write_voice(corpus / "anna" / "take 03.wav", seconds=2, seed=90)
    scan(corpus, "-o", out, "--update", "--limit", "0")
    assert len(files(out)) == 12


def test_columns_that_somebody_added_stay(corpus: Path, scan: Scan, out: Path) -> None:
    scan(corpus, "-o", out)
    table = pq.read_table(out)
    noted = table.append_column("note", pa.array([f"note {i}" for i in range(12)]))
    pq.write_table(noted, out)
    write_voice(corpus / "anna" / "take 99.wav", seed=99)
    scan(corpus, "-o", out, "--update")
    notes = dict(zip(files(out), pq.read_table(out)["note"].to_pylist(), strict=True))
    assert notes["anna/take 00.wav"] == "note 0"
    assert notes["anna/take 99.wav"] is None


def test_a_column_whose_type_changes_becomes_text_rather_than_losing_values(
    corpus: Path, scan: Scan, out: Path
) -> None:
    manifest = corpus / "m.csv"
    manifest.write_text("file,spk\nanna/take 00.wav,zz\nanna/take 01.wav,7\n")
    scan("--manifest", manifest, "-o", out)
    manifest.write_text("file,spk\nanna/take 01.wav,7\n")
    scan("--manifest", manifest, "-o", out, "--update")
    spoken = dict(zip(files(out), pq.read_table(out)["spk"].to_pylist(), strict=True))
    assert spoken == {"anna/take 01.wav": "7", "anna/take 00.wav": "zz"}


def test_rows_of_a_list_whose_disk_is_away_are_kept(
    corpus: Path, scan: Scan, out: Path, tmp_path: Path
) -> None:
    manifest = tmp_path / "m.csv"
    manifest.write_text("file\nanna/take 00.wav\nben/take 06.wav\n")
    words = ("--manifest", manifest, "--base", corpus, "-o", out)
    scan(*words)
    before = pq.read_table(out).to_pylist()
    away = corpus.with_name("away")
    corpus.rename(away)
    corpus.mkdir()
    scan(*words, "--update")
    assert pq.read_table(out).to_pylist() == before


def test_pruning_keeps_the_rows_of_a_disk_that_is_away(
    corpus: Path, scan: Scan, out: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    write_voice(other / "x.wav")
    scan(corpus, other, "-o", out)
    shutil.rmtree(corpus)
    corpus.mkdir()
    scan(corpus, other, "-o", out, "--update", "--prune")
    assert len(files(out)) == 13


def test_only_what_is_certainly_gone_is_gone(tmp_path: Path) -> None:
    (tmp_path / "there.wav").touch()
    assert not plan.is_gone(str(tmp_path), "there.wav")
    assert plan.is_gone(str(tmp_path), "no.wav")
    assert plan.is_gone(str(tmp_path), "there.wav/below")
    assert not plan.is_gone(str(tmp_path), "x" * 300), "a name too long may not be looked at"


def test_what_csv_cannot_hold_is_refused_before_any_work(
    corpus: Path, scan: Scan, tmp_path: Path
) -> None:
    manifest = corpus / "m.parquet"
    for column, said in (([["a"]], "nested"), ([b"\xff"], "binary")):
        pq.write_table(pa.table({"file": ["anna/take 00.wav"], "tags": column}), manifest)
        ended = scan("--manifest", manifest, "-o", tmp_path / "r.csv", code=2)
        assert f"CSV cannot hold the {said} column tags" in ended.stderr
        out = tmp_path / "r.parquet"
        scan("--manifest", manifest, "-o", out, "--group-by", "tags", code=2)
    assert sorted(path.name for path in tmp_path.glob("*r.*")) == []


def test_no_more_workers_are_started_than_there_are_chunks(
    corpus: Path, scan: Scan, tmp_path: Path, out: Path
) -> None:
    ended = scan(corpus, "-o", out, "-j", "64", "-q", "--log-json", "-")
    assert json.loads(ended.stdout.splitlines()[0])["workers"] <= 3


def test_the_models_own_defaults_are_no_settings(corpus: Path, scan: Scan, out: Path) -> None:
    scan(corpus, "-o", out)
    ended = scan(corpus, "-o", out, "--update", "--window", "3", "--hop", "1.5")
    assert "12 kept" in ended.stdout


def test_the_bytes_do_not_depend_on_how_a_folder_is_spelled(
    corpus: Path, scan: Scan, tmp_path: Path
) -> None:
    scan(corpus, "-o", tmp_path / "a.parquet")
    scan(f"{corpus}/anna/../", "-o", tmp_path / "b.parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_a_link_to_an_output_stays_a_link(corpus: Path, scan: Scan, tmp_path: Path) -> None:
    real = tmp_path / "real.parquet"
    link = tmp_path / "link.parquet"
    scan(corpus, "-o", real)
    real.chmod(0o640)
    link.symlink_to(real)
    write_voice(corpus / "new.wav", seed=91)
    scan(corpus, "-o", link, "--update")
    assert link.is_symlink()
    assert len(files(real)) == 13
    assert real.stat().st_mode & 0o777 == 0o640


def test_a_full_disk_is_told_and_nothing_is_lost(
    corpus: Path, scan: Scan, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import resource

    # The largest file that a process may write stands in for a disk with no room.
    monkeypatch.setattr(subprocess, "run", _with_small_files(subprocess.run))
    ended = scan(corpus, "-o", out, code=1)
    monkeypatch.undo()
    assert "What was finished is kept" in ended.stderr
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    scan(corpus, "-o", out)
    assert open_table(out).labels


def _with_small_files(run: object) -> object:
    import resource
    import signal

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, resource.RLIM_INFINITY))

    def limited(*args: object, **kwargs: object) -> object:
        return run(*args, **kwargs, preexec_fn=limit)  # type: ignore[operator]

    return limited


def test_a_stop_while_tables_get_their_names_leaves_no_unfinished_one(
    corpus: Path, tmp_path: Path, tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    named: list[str] = []

    def stopped_at_the_second(unfinished: Path, path: Path) -> None:
        named.append(path.name)
        if len(named) == 2:
            raise KeyboardInterrupt
        rename(unfinished, path)

    monkeypatch.setattr(writer, "rename", stopped_at_the_second)
    options = ScanOptions(
        SourceOptions((str(corpus),)),
        (ModelSettings(str(tiny_bundle.path)),),
        output=str(tmp_path / "r.parquet"),
        segments=str(tmp_path / "s.parquet"),
        jobs=1,
    )
    with pytest.raises(KeyboardInterrupt):
        run_scan(options)
    assert not list(tmp_path.glob(".*"))
    own = tmp_path / "r.parquet.parts" / "naming.json"
    assert own.exists(), "the same command may go on"
    monkeypatch.undo()
    assert run_scan(options).report.analysed == 0, "all was done before the names"
    assert files(tmp_path / "r.parquet")


HOLDER = """
import time
from batchemo.common.locks import scratch_folder
with scratch_folder() as folder:
    print(folder, flush=True)
    time.sleep(60)
"""


def test_passing_folders_of_killed_runs_are_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(locks.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(locks, "SHARED_MEMORY", tmp_path)
    foreign = tmp_path / "batchemo-other"
    foreign.mkdir()
    killed = subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True)
    assert killed.stdout is not None
    abandoned = Path(killed.stdout.readline().strip())
    semaphores = [tmp_path / f"sem.loky-{pid}-x" for pid in (killed.pid, os.getpid())]
    for semaphore in semaphores:
        semaphore.touch()
    with locks.scratch_folder() as mine:
        assert abandoned.exists(), "a run that lives keeps its folder"
        killed.kill()
        killed.communicate()
        with locks.scratch_folder():
            assert mine.exists(), "and so do we"
    assert not abandoned.exists()
    assert [semaphore.exists() for semaphore in semaphores] == [False, True]
    assert sorted(os.listdir(tmp_path)) == [foreign.name, semaphores[1].name]
