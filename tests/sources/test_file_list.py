"""Lists of files, as other programs write them to a file or a pipe."""

import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from batchemo.errors import UsageError
from batchemo.sources import SourceOptions, open_sources


def read_list(root, entries, **options):
    path = Path(root, "entries.list")
    path.write_bytes(entries)
    sources = open_sources(SourceOptions(files_from=str(path), **{"base": root, **options}))
    return [(recording.root, recording.file) for recording in sources], sources.skipped


def test_each_line_names_a_file(make):
    root = make("b.wav", "a.wav", ".h.txt", b"\xff.wav")
    entries = b"b.wav\n\na.wav\r\n.h.txt\n\xff.wav"
    files = ["b.wav", "a.wav", ".h.txt", os.fsdecode(b"\xff.wav")]
    assert read_list(root, entries)[0] == [(root, file) for file in files]


def test_entries_separated_by_nul_may_hold_any_character(make):
    root = make("two\nlines.wav", "cr\r", " ")
    entries = b"two\nlines.wav\0\0cr\r\0 \0"
    found, _ = read_list(root, entries, null_separated=True)
    assert [file for _, file in found] == ["two\nlines.wav", "cr\r", " "]


def test_a_byte_order_mark_is_not_part_of_a_name(make):
    root = make("a.wav")
    assert read_list(root, b"\xef\xbb\xbfa.wav\n")[0] == [(root, "a.wav")]


def test_the_root_is_the_base_or_for_files_outside_of_it_their_own_folder(make):
    root = make("in/x/a.wav", "out/b.wav")
    base = f"{root}/in"
    entries = f"{root}/in/x/a.wav\nx/../x/../c.wav\n../out/b.wav\n{root}/inner.wav\n"
    assert read_list(root, entries.encode(), base=base)[0] == [
        (base, "x/a.wav"),
        (base, "c.wav"),
        (f"{root}/out", "b.wav"),
        (root, "inner.wav"),
    ]


def test_the_base_is_the_current_folder_unless_given(make, monkeypatch):
    root = make("sub/a.wav")
    monkeypatch.chdir(f"{root}/sub")
    assert read_list(root, b"a.wav", base=None)[0] == [(f"{root}/sub", "a.wav")]


def test_a_folder_in_a_list_is_walked(make):
    root = make("s/b/1.wav", "s/2.wav", "s/.3.wav", "s/4.txt", "a.wav")
    found, skipped = read_list(root, b"s/\na.wav\n")
    assert found == [(f"{root}/s", "2.wav"), (f"{root}/s", "b/1.wav"), (root, "a.wav")]
    assert skipped.hidden == 1


def test_a_missing_file_is_given_without_size_and_time(make):
    root = make("a.wav")
    Path(root, "entries.list").write_text("gone.wav\na.wav/b\n" + "long" * 1000 + "\n")
    sources = open_sources(SourceOptions(files_from=f"{root}/entries.list", base=root))
    assert [(r.file[:8], r.size, r.mtime_ns) for r in sources] == [
        ("gone.wav", None, None),
        ("a.wav/b", None, None),
        ("longlong", None, None),
    ]


def test_include_and_exclude_choose_among_the_entries(make):
    root = make("a/1.wav", "a/2.wav", "b/1.wav")
    found, _ = read_list(root, b"a/1.wav\na/2.wav\nb/1.wav", include=("a",), exclude=("2*",))
    assert found == [(root, "a/1.wav")]


def test_entries_that_name_no_recording_are_reported_and_the_others_are_read(make):
    root = make("a.wav", "b.wav")
    os.mkfifo(f"{root}/pipe.wav")
    entries = b"a.wav\0a.wav\npipe.wav\n" + b"x" * 300_000 + b"\nb.wav\n"
    found, skipped = read_list(root, entries)
    assert found == [(root, "b.wav")]
    title = f"{root}/entries.list"
    assert [entry for entry, _ in skipped.first_rejected] == [
        f"entry {n} of {title}" for n in (1, 2, 3)
    ]
    reasons = zip(("NUL", "regular", "longer"), skipped.first_rejected, strict=True)
    assert all(word in reason for word, (_, reason) in reasons)


def test_a_list_without_line_ends_needs_no_memory(make):
    root = make("a.wav")
    tracemalloc.start()
    try:
        found, _ = read_list(root, bytes(8_000_000), null_separated=False)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found == []
    assert peak < 9_000_000  # The test's own bytes, and no second copy.


def test_an_entry_named_twice_comes_once(make):
    root = make("a.wav")
    found, skipped = read_list(root, b"a.wav\n./a.wav\ngone\ngone\n")
    assert ([file for _, file in found], skipped.duplicates) == (["a.wav", "gone"], 2)


@pytest.mark.parametrize("size", [1, 65_530, 65_536, 200_000])
def test_entries_across_blocks_are_joined(make, size):
    root = make()
    names = [f"{number:06}" for number in range(size // 7 + 1)]
    found, _ = read_list(root, "\n".join(names).encode())
    assert [file for _, file in found] == names


def test_a_list_that_cannot_be_read_is_refused(make):
    root = make("a.wav")
    for path in (root, f"{root}/nowhere", ""):
        with pytest.raises(UsageError, match="list"):
            open_sources(SourceOptions(files_from=path))
    with pytest.raises(UsageError, match="base"):
        read_list(root, b"a.wav", base=f"{root}/a.wav")


@pytest.mark.process
def test_recordings_are_given_while_the_pipe_is_still_open(make):
    root = make("a.wav", "b.wav")
    program = (
        "from batchemo.sources import SourceOptions, open_sources\n"
        "for recording in open_sources(SourceOptions(files_from='-')):\n"
        "    print(recording.file, recording.size, flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=root,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path or os.curdir for path in sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        process.stdin.write(b"a.wav\nb.")
        process.stdin.flush()
        assert process.stdout.readline() == b"a.wav 5\n"
        process.stdin.write(b"wav\n")
        process.stdin.close()
        assert process.stdout.read() == b"b.wav 5\n"


def test_without_a_standard_input_the_list_is_refused(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(UsageError, match="standard input"):
        open_sources(SourceOptions(files_from="-"))
