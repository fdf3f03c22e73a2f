"""Whatever the file system does, the other recordings are analysed, and no file is lost or left."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from scan_commands import PausedRecording, Scan, StartScan, finish, reasons_by_file, wait_for_chunk
from terminal import run_on_terminal
from voices import write_voice

from batchemo.bundles import Bundle
from batchemo.common.text import from_text
from batchemo.tables.read import open_table

# From <linux/prctl.h> and <linux/capability.h>.
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 12 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=12k", "none", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small disk can only be made by a user who may mount one")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.process
def test_a_scan_that_filled_the_disk_resumes_to_the_same_bytes_when_there_is_room(
    corpus: Path, scan: Scan, scan_inline: Scan, tmp_path: Path, small_disk: Path
) -> None:
    out = small_disk / "r.parquet"
    ended = scan(corpus, "-o", out, "-j", "1", code=1)
    assert "No space left on device. What was finished is kept" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not out.exists()
    subprocess.run(["mount", "-o", "remount,size=1m", str(small_disk)], check=True)
    assert "4 unchanged" in scan_inline(corpus, "-o", out).stdout
    scan_inline(corpus, "-o", tmp_path / "expected.parquet")
    assert out.read_bytes() == (tmp_path / "expected.parquet").read_bytes()
    assert os.listdir(small_disk) == ["r.parquet"]


def limit_file_size() -> None:
    """Let the process write files of at most 3,000 bytes."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, resource.RLIM_INFINITY))


@pytest.mark.process
def test_a_file_that_cannot_grow_is_named_and_the_next_run_resumes(
    corpus: Path, start_scan: StartScan, scan_inline: Scan, tmp_path: Path
) -> None:
    out = tmp_path / "r.parquet"
    ended = finish(start_scan(corpus, "-o", out, "-j", "1", before=limit_file_size), code=1)
    assert "chunk.arrow: File too large. What was finished is kept" in ended.stderr
    assert not out.exists()
    scan_inline(corpus, "-o", out)
    assert pq.read_metadata(out).num_rows == 12


def drop_capabilities() -> None:
    """Let the permissions of files count for root too."""
    if os.geteuid() == 0:
        for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
            ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability)


@pytest.mark.process
def test_what_may_not_be_read_or_written_is_reported_and_the_rest_analysed(
    corpus: Path, start_scan: StartScan, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    forbidden = {corpus / "ben": 0, corpus / "anna" / "take 03.wav": 0, folder: 0o555}
    for path, mode in forbidden.items():
        path.chmod(mode)
    words = (corpus, "-o", folder / "r.parquet", "-j", "1")

    refused = finish(start_scan(*words, before=drop_capabilities), code=1)
    assert "r.parquet.chunks: Permission denied" in refused.stderr
    assert not os.listdir(folder)
    folder.chmod(0o755)
    ended = finish(start_scan(*words, before=drop_capabilities), code=3)
    assert f"{corpus}/ben: Permission denied" in ended.stderr
    reasons = reasons_by_file(folder / "r.parquet")
    assert reasons.pop("anna/take 03.wav") == "unreadable"
    assert reasons == {f"anna/take {n:02d}.wav": None for n in (0, 1, 2, 4, 5)}
    for path in forbidden:
        path.chmod(0o755)


@pytest.mark.process
def test_a_row_describes_the_file_that_was_read_and_not_the_one_that_was_found(
    start_scan: StartScan, scan_inline: Scan, tmp_path: Path
) -> None:
    corpus, out, manifest = tmp_path / "corpus", tmp_path / "r.parquet", tmp_path / "m.csv"
    paused = PausedRecording.write(corpus, "0 wait")
    changed, grown, removed, pipe = (
        write_voice(corpus / f"{name}.wav", seed=seed)
        for seed, name in enumerate(["1 other", "2 grown", "3 removed", "4 pipe"], start=1)
    )
    manifest.write_text("file\n" + "".join(f"{p.name}\n" for p in sorted(corpus.iterdir())))
    sources = ("--manifest", manifest, "--base", corpus)
    process = start_scan(*sources, "-o", out, "-q", "-j", "1", poison=True)
    paused.wait()  # All others were found before.
    write_voice(changed, seconds=2.5, seed=7)
    with grown.open("ab") as stream:
        stream.write(bytes(1000))
    removed.unlink()
    pipe.unlink()
    os.mkfifo(pipe)
    paused.release()
    finish(process, code=3)
    rows = {row["file"]: row for row in pq.read_table(out).to_pylist()}
    failed = {file: row["reason"] for file, row in rows.items() if row["reason"]}
    assert failed == {removed.name: "missing", pipe.name: "not_a_file"}
    for path in (changed, grown):
        status, row = path.stat(), rows[path.name]
        assert (row["size"], row["mtime"].value) == (status.st_size, status.st_mtime_ns)
    pipe.unlink()
    scan_inline(*sources, "-o", out, "--update", code=3)
    scan_inline(*sources, "-o", tmp_path / "fresh.parquet", code=3)
    assert out.read_bytes() == (tmp_path / "fresh.parquet").read_bytes()


@pytest.mark.process
def test_a_chunk_that_is_damaged_meanwhile_ends_the_run_with_a_message(
    start_scan: StartScan, scan_inline: Scan, tmp_path: Path
) -> None:
    corpus, out = tmp_path / "corpus", tmp_path / "r.parquet"
    for number in range(5):  # More than a chunk: one is stored when the last recording comes.
        write_voice(corpus / f"{number}.wav", seed=number)
    paused = PausedRecording.write(corpus, "9 wait")
    process = start_scan(corpus, "-o", out, "-q", "-j", "1", poison=True)
    paused.wait()
    wait_for_chunk(out)
    (chunk,) = tmp_path.glob("*.chunks/0*.arrow")
    chunk.write_bytes(b"no chunk")
    paused.release()
    (message,) = finish(process, code=1).stderr.splitlines()
    assert "was damaged while the scan ran" in message
    assert "2 unchanged" in scan_inline(corpus, "-o", out).stdout, "the other chunk is kept"


@pytest.mark.process
def test_a_file_that_appears_in_the_place_of_the_output_meanwhile_is_not_replaced(
    start_scan: StartScan, scan_inline: Scan, tmp_path: Path
) -> None:
    corpus, out = tmp_path / "corpus", tmp_path / "r.parquet"
    paused = PausedRecording.write(corpus)
    process = start_scan(corpus, "-o", out, "-q", "-j", "1", poison=True)
    paused.wait()
    out.write_text("somebody's")
    paused.release()
    finish(process, code=2)
    assert out.read_text() == "somebody's"
    scan_inline(corpus, "-o", out, "--overwrite")
    assert pq.read_metadata(out).num_rows == 1


@pytest.fixture
def deep_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder for what only `rm` can remove again."""
    folder = tmp_path / "deep"
    folder.mkdir()
    yield folder
    subprocess.run(["rm", "-rf", str(folder)], check=True)


def test_a_path_of_four_thousand_bytes_is_scanned(scan_inline: Scan, deep_folder: Path) -> None:
    recording = write_voice(deep_folder / "a.wav")
    descriptor = os.open(deep_folder, os.O_RDONLY)
    length, part = len(str(deep_folder)), "d" * 198
    while length < 3800:
        os.mkdir(part, dir_fd=descriptor)
        above, descriptor = descriptor, os.open(part, os.O_RDONLY, dir_fd=descriptor)
        os.close(above)
        length += 1 + len(part)
    name = "x" * (3995 - length) + ".wav"
    os.link(recording, name, dst_dir_fd=descriptor)
    os.close(descriptor)
    scan_inline(deep_folder, "-o", deep_folder / "r.parquet")
    reasons = reasons_by_file(deep_folder / "r.parquet")
    assert set(reasons.values()) == {None}
    assert max(len(f"{deep_folder}/{file}") for file in reasons) == 4000


HOSTILE_NAMES = [
    b"two\nlines.wav",
    b"=cmd().wav",
    b"-rf.wav",
    b"@home.wav",
    b"\t+1.wav",
    b"quote\"s and 'tis.wav",
    b"a,b;c.wav",
    b"\x1b[2J\x1b]0;title\x07.wav",
    "\u202ertl\u2066.wav".encode(),
    b"caf\xe9 \xff.wav",
    b"back\\xff.wav",
    b"[bold]markup.wav",
    b"\rover.wav",
    "＝wide.wav".encode(),
]


@pytest.fixture
def hostile_corpus(tmp_path: Path) -> Path:
    """Empty files of hostile names, in a folder of such a name."""
    folder = tmp_path / os.fsdecode(b"=r\n\xfc\x1bt")
    folder.mkdir()
    for name in HOSTILE_NAMES:
        (folder / os.fsdecode(name)).touch()
    return folder


def test_hostile_names_are_printed_escaped_and_read_back_equal(
    hostile_corpus: Path, scan_inline: Scan, tmp_path: Path
) -> None:
    table, log = tmp_path / "r.csv", tmp_path / "log.jsonl"
    words = (hostile_corpus, "-o", table, "--segments", tmp_path / "s.parquet", "--log-json", log)
    ended = scan_inline(*words, code=3)
    for text in (ended.stdout, ended.stderr):
        assert all(line.isprintable() for line in text.splitlines()), text
        assert len(text.splitlines()) <= len(HOSTILE_NAMES) + 1
    scan_inline(hostile_corpus, "-o", tmp_path / "r.parquet", code=3)
    for path in (table, tmp_path / "r.parquet"):
        (batch,) = open_table(path).batches(["root", "file"])
        files = {os.fsencode(from_text(file)) for file in batch["file"].to_pylist()}
        assert files == set(HOSTILE_NAMES)
        assert {from_text(root) for root in batch["root"].to_pylist()} == {str(hostile_corpus)}
    events = [json.loads(line) for line in log.read_text().splitlines()]
    failed = {event["file"] for event in events if event["event"] == "recording_failed"}
    assert {os.fsencode(from_text(file)) for file in failed} == set(HOSTILE_NAMES)
    assert f"{len(HOSTILE_NAMES)} unchanged" in scan_inline(*words, "--update", code=3).stdout


@pytest.mark.process
def test_hostile_names_do_no_harm_on_a_terminal(
    hostile_corpus: Path, tiny_bundle: Bundle, tmp_path: Path
) -> None:
    words = ["scan", "-m", tiny_bundle.path, hostile_corpus, "-o", tmp_path / "r.parquet"]
    shown = run_on_terminal(words)
    assert not [code for code in ("\x1b[2J", "\x1b]0;", "\x07", "\u202e") if code in shown]
    assert "[bold]markup.wav" in shown
