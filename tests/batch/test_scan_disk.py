"""Whatever the file system does, the rest is done, and nothing is lost or left behind."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from scan_commands import COMMAND, Scan, environment, wait_until
from terminal import run_on_terminal
from voices import write_voice

from batchemo.bundles import Bundle
from batchemo.tables.read import open_table

# From Linux's own headers.
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2


def reasons(path: Path) -> dict[str, str | None]:
    table = pq.read_table(path, columns=["file", "reason"])
    return dict(zip(table["file"].to_pylist(), table["reason"].to_pylist(), strict=True))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 12 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=12k", "none", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only who may mount can have a disk that is full")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_is_told_and_with_room_again_the_same_command_ends_in_the_same_bytes(
    corpus: Path, scan: Scan, tmp_path: Path, small_disk: Path
) -> None:
    out = small_disk / "r.parquet"
    ended = scan(corpus, "-o", out, "-j", "1", code=1)
    assert "No space left on device. What was finished is kept" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not out.exists()
    resized = ["mount", "-o", "remount,size=1m", str(small_disk)]
    subprocess.run(resized, check=True)
    assert "4 kept" in scan(corpus, "-o", out).stdout
    scan(corpus, "-o", tmp_path / "calm.parquet")
    assert out.read_bytes() == (tmp_path / "calm.parquet").read_bytes()
    assert os.listdir(small_disk) == ["r.parquet"]


def forgo_privileges() -> None:
    """Let permissions count for root too: no overriding of them, no reading past them."""
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability)


def test_what_may_not_be_read_or_written_is_told_and_hurts_nothing_else(
    corpus: Path, tmp_path: Path, tiny_bundle: Bundle
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    shut = (corpus / "ben", corpus / "anna" / "take 03.wav", out)
    for path in shut:
        path.chmod(0o555 if path == out else 0)

    def scan() -> subprocess.CompletedProcess[str]:
        words = ["scan", "-m", str(tiny_bundle.path), str(corpus), "-o", str(out / "r.parquet")]
        forgo = forgo_privileges if os.geteuid() == 0 else None
        return subprocess.run(
            [*COMMAND, *words], capture_output=True, text=True, timeout=120, preexec_fn=forgo
        )

    refused = scan()
    assert refused.returncode == 1
    assert "r.parquet.parts: Permission denied" in refused.stderr
    assert not os.listdir(out)
    out.chmod(0o755)
    ended = scan()
    assert ended.returncode == 3
    assert f"{corpus}/ben: Permission denied" in ended.stderr
    found = reasons(out / "r.parquet")
    assert found.pop("anna/take 03.wav") == "unreadable"
    assert found == {f"anna/take {n:02d}.wav": None for n in (0, 1, 2, 4, 5)}
    for path in shut:
        path.chmod(0o755)


def test_a_row_tells_of_the_file_that_was_read_whatever_the_walk_had_seen(
    scan: Scan, tmp_path: Path, tiny_bundle: Bundle
) -> None:
    corpus = tmp_path / "corpus"
    first, changed, grown, gone, pipe = (
        write_voice(corpus / f"{name}.wav", seed=seed)
        for seed, name in enumerate(["0 wait", "1 other", "2 grown", "3 gone", "4 pipe"])
    )
    out = tmp_path / "r.parquet"
    manifest = tmp_path / "m.csv"
    manifest.write_text("file\n" + "".join(f"{p.name}\n" for p in sorted(corpus.iterdir())))
    words = ["--manifest", str(manifest), "--base", str(corpus), "-o", str(out)]
    command = [*COMMAND, "scan", "-m", str(tiny_bundle.path), *words, "-q", "-j", "1"]
    process = subprocess.Popen(command, env=environment(poison=True))
    # The decoder waits with the first in its hands; all others were looked up before.
    wait_until(Path(f"{first}.seen").exists)
    write_voice(changed, seconds=2.5, seed=7)
    with grown.open("ab") as stream:
        stream.write(bytes(1000))
    gone.unlink()
    pipe.unlink()
    os.mkfifo(pipe)
    Path(f"{first}.go").touch()
    assert process.wait(timeout=60) == 3
    rows = {row["file"]: row for row in pq.read_table(out).to_pylist()}
    failed = {file: row["reason"] for file, row in rows.items() if row["reason"]}
    assert failed == {gone.name: "missing", pipe.name: "not_a_file"}
    for path in (changed, grown):
        status = path.stat()
        row = rows[path.name]
        assert (row["size"], row["mtime"].value) == (status.st_size, status.st_mtime_ns)
    pipe.unlink()
    scan(*words, "--update", code=3)
    scan(*words[:-1], tmp_path / "fresh.parquet", code=3)
    assert out.read_bytes() == (tmp_path / "fresh.parquet").read_bytes()


def test_what_happens_in_the_folder_of_the_output_meanwhile_costs_nothing_of_anybody(
    scan: Scan, tmp_path: Path, tiny_bundle: Bundle
) -> None:
    corpus, out = tmp_path / "corpus", tmp_path / "r.parquet"
    first = write_voice(corpus / "0 wait.wav")
    for number in range(1, 5):  # More than a chunk: a part lies there when the last one comes.
        write_voice(corpus / f"{number}.wav", seed=number)
    last = write_voice(corpus / "9 wait.wav")
    scan(corpus, "-o", tmp_path / "calm.parquet")
    command = [*COMMAND, "scan", "-m", str(tiny_bundle.path), str(corpus), "-o", str(out)]
    process = subprocess.Popen(
        [*command, "-q", "-j", "1"], env=environment(poison=True), stderr=subprocess.PIPE, text=True
    )
    Path(f"{first}.go").touch()
    wait_until(Path(f"{last}.seen").exists)
    wait_until(lambda: any(tmp_path.glob("*.chunks/0*.arrow")))
    (part,) = tmp_path.glob("*.chunks/0*.arrow")
    part.write_bytes(b"no part")
    Path(f"{last}.go").touch()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert len(said.splitlines()) == 1
    assert "was damaged while the scan ran" in said

    # The first is in the part that was damaged.
    Path(f"{first}.go").unlink()
    Path(f"{first}.seen").unlink()
    process = subprocess.Popen([*command, "-q"], env=environment(poison=True))
    wait_until(Path(f"{first}.seen").exists)
    out.write_text("somebody's")
    Path(f"{first}.go").touch()
    assert process.wait(timeout=60) == 2
    assert out.read_text() == "somebody's"
    scan(corpus, "-o", out, "--overwrite")
    assert out.read_bytes() == (tmp_path / "calm.parquet").read_bytes()


@pytest.fixture
def pit(tmp_path: Path) -> Iterator[Path]:
    """A folder for what only `rm` can remove again."""
    folder = tmp_path / "deep"
    folder.mkdir()
    yield folder
    subprocess.run(["rm", "-rf", str(folder)], check=True)


def test_a_path_of_four_thousand_bytes_is_scanned(scan: Scan, pit: Path) -> None:
    voice = write_voice(pit / "a.wav")
    deep = os.open(pit, os.O_RDONLY)
    length, part = len(str(pit)), "d" * 198
    while length < 3800:
        os.mkdir(part, dir_fd=deep)
        above, deep = deep, os.open(part, os.O_RDONLY, dir_fd=deep)
        os.close(above)
        length += 1 + len(part)
    name = "x" * (3995 - length) + ".wav"
    os.link(voice, name, dst_dir_fd=deep)
    os.close(deep)
    scan(pit, "-o", pit / "r.parquet")
    found = reasons(pit / "r.parquet")
    assert set(found.values()) == {None}
    assert max(len(f"{pit}/{file}") for file in found) == 4000


HOSTILE = [
    b"two\nlines.wav",
    b"=cmd().wav",
    b"-rf.wav",
    b"@home.wav",
    b"\t+1.wav",
    b"quote\"s and 'tis.wav",
    b"a,b;c.wav",
    b"\x1b[2J\x1b]0;owned\x07.wav",
    "\u202ertl\u2066.wav".encode(),
    b"caf\xe9 \xff.wav",
    b"back\\xff.wav",
    b"[bold]markup.wav",
    b"\rover.wav",
    "＝wide.wav".encode(),
]


def test_hostile_names_are_shown_harmless_written_safely_and_read_back_equal(
    scan: Scan, tmp_path: Path, tiny_bundle: Bundle
) -> None:
    corpus = tmp_path / os.fsdecode(b"=r\n\xfc\x1bt")
    corpus.mkdir()
    for name in HOSTILE:
        (corpus / os.fsdecode(name)).touch()
    table, log = tmp_path / "r.csv", tmp_path / "log.jsonl"
    words = (corpus, "-o", table, "--segments", tmp_path / "s.parquet", "--log-json", log)
    ended = scan(*words, code=3)
    for text in (ended.stdout, ended.stderr):
        assert all(line.isprintable() for line in text.splitlines()), text
        assert len(text.splitlines()) <= len(HOSTILE) + 1
    shown = run_on_terminal(["scan", "-m", tiny_bundle.path, corpus, "-o", tmp_path / "t.parquet"])
    assert not [mark for mark in ("\x1b[2J", "\x1b]0;", "\x07", "\u202e") if mark in shown]
    assert "[bold]markup.wav" in shown

    for path in (table, tmp_path / "t.parquet"):
        (batch,) = open_table(path).batches(["root", "file"])
        assert {os.fsencode(text.from_text(row["file"])) for row in batch.to_pylist()} == set(
            HOSTILE
        )
        assert {text.from_text(row["root"]) for row in batch.to_pylist()} == {str(corpus)}
    failed = [json.loads(line) for line in log.read_text().splitlines()]
    files = {event["file"] for event in failed if event["event"] == "recording_failed"}
    assert {os.fsencode(text.from_text(file)) for file in files} == set(HOSTILE)
    assert f"{len(HOSTILE)} kept" in scan(*words, "--update", code=3).stdout


def test_an_output_in_a_folder_whose_name_is_no_utf8_is_written_and_updated(
    corpus: Path, scan: Scan, tmp_path: Path
) -> None:
    place = tmp_path / os.fsdecode(b"caf\xe9")
    place.mkdir()
    manifest = place / os.fsdecode(b"m\xff.csv")
    manifest.write_text("file\nanna/take 00.wav\nben/take 06.wav\n")
    for ending in ("parquet", "csv"):
        words = ["--manifest", manifest, "--base", corpus, "--exclude", os.fsdecode(b"\xff*")]
        words += ["-o", place / f"r.{ending}", "--segments", place / f"s.{ending}"]
        scan(*words)
        assert "2 kept" in scan(*words, "--update").stdout
    assert len(os.listdir(place)) == 5


@pytest.mark.parametrize("what", [os.mkfifo, lambda path: os.symlink("/dev/null", path)])
def test_an_output_that_is_no_file_is_left_as_it_is(
    corpus: Path, scan: Scan, tmp_path: Path, what: Callable[[Path], None]
) -> None:
    out = tmp_path / "r.csv"
    what(out)
    scan(corpus, "-o", out, "--overwrite", code=2)
    assert not out.is_file()
    assert sorted(os.listdir(tmp_path)) == ["bundles", "corpus", "r.csv"]


@pytest.mark.parametrize("length", [246, 300])
def test_an_output_whose_name_leaves_no_room_beside_it_is_refused_at_once(
    corpus: Path, scan: Scan, tmp_path: Path, length: int
) -> None:
    ended = scan(corpus, "-o", tmp_path / ("x" * (length - 8) + ".parquet"), code=2)
    assert "name is too long" in ended.stderr
    assert sorted(os.listdir(tmp_path)) == ["bundles", "corpus"]
