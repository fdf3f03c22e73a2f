"""What a user may name as a source, and what comes of naming several."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from batchemo.errors import UsageError
from batchemo.sources import SourceOptions, open_sources


def opened(*paths, **options):
    return [(r.root, r.file) for r in open_sources(SourceOptions(paths=paths, **options))]


def test_a_file_named_by_itself_is_taken_whatever_it_is_called(make):
    root = make(".notes/.take.txt")
    assert opened(f"{root}/.notes/.take.txt") == [(f"{root}/.notes", ".take.txt")]


def test_patterns_that_could_choose_nothing_are_refused(make):
    root = make("a.wav", "b.wav")
    with pytest.raises(UsageError, match="named by itself"):
        opened(f"{root}/a.wav", f"{root}/b.wav", exclude=("b.*",))
    assert opened(f"{root}/a.wav", root, exclude=("b.*",)) == [(root, "a.wav")]


def test_a_glob_takes_the_recordings_that_it_matches(make, monkeypatch):
    root = make("s1/a.wav", "s1/b.txt", "s2/x/a.wav", "t/a.wav", ".s3/a.wav")
    monkeypatch.chdir(root)
    assert opened("s*/*.wav") == [(root, "s1/a.wav")]
    assert opened(f"{root}/**/a.wav") == [
        (root, name) for name in ("s1/a.wav", "s2/x/a.wav", "t/a.wav")
    ]
    assert opened("s1/*") == [(f"{root}/s1", "a.wav")]
    assert opened("s1/*.txt") == [(f"{root}/s1", "b.txt")]
    assert opened("./t/[a]*", hidden=True) == [(f"{root}/t", "a.wav")]


def test_a_folder_that_a_glob_matches_is_taken_whole_as_the_shell_would_do(make):
    root = make("s1/a.wav", "s2/x/b.wav", "t/c.wav")
    assert opened(f"{root}/s*") == [(root, "s1/a.wav"), (root, "s2/x/b.wav")]


def test_a_glob_stays_within_its_folders(make):
    root = make("a/b/1.wav", "c/2.wav")
    sources = open_sources(SourceOptions(paths=(f"{root}/a/*/*.wav",)))
    Path(root, "c").rename(f"{root}/a/c")
    Path(root, "a", "b", "deep").symlink_to("deep")
    assert [recording.file for recording in sources] == ["b/1.wav", "c/2.wav"]
    assert sources.skipped.unreadable == []


def test_include_and_exclude_apply_to_a_glob(make):
    root = make("a/1.wav", "a/2.wav")
    assert opened(f"{root}/*/*.wav", exclude=("2*",)) == [(root, "a/1.wav")]


def test_a_path_that_exists_is_no_glob(make, monkeypatch):
    root = make("take[1].wav", "take1.wav", "set[1]/a.wav", "set1/b.wav", "*/c.wav")
    monkeypatch.chdir(root)
    assert opened("take[1].wav") == [(root, "take[1].wav")]
    assert opened("set[1]/*.wav") == [(f"{root}/set[1]", "a.wav")]
    assert opened("*") == [(f"{root}/*", "c.wav")]


def test_what_cannot_be_a_source_is_refused_at_once(make, monkeypatch):
    root = make("a.txt", "folder/b.txt")
    monkeypatch.chdir(root)
    os.mkfifo("pipe.wav")
    for path, why in [
        ("nowhere", "no file or folder 'nowhere'"),
        ("no\x1bwhere", r"no\\x1bwhere"),
        ("no\0where", "no file or folder"),
        ("a.txt/b", "cannot be read"),
        ("", "empty"),
        ("*.wav", "Nothing matches"),
        ("*/*", "Nothing matches"),
        ("nowhere/*.wav", "Nothing matches"),
        ("pipe.wav", "neither a folder nor a regular file"),
    ]:
        with pytest.raises(UsageError, match=why):
            open_sources(SourceOptions(paths=(path,)))


def test_no_source_at_all_is_refused():
    with pytest.raises(UsageError, match="No recordings were named"):
        open_sources(SourceOptions())


@pytest.mark.parametrize("age", [-1.0, float("nan")])
def test_a_senseless_age_is_refused(make, age):
    with pytest.raises(UsageError, match="age"):
        opened(make("a.wav"), min_age=age)


def test_sources_come_in_the_order_given_the_manifest_first_the_list_last(make):
    root = make("m.wav", "p/2.wav", "p/1.wav", "q.wav", "l.wav")
    Path(root, "manifest.csv").write_text("file\nm.wav\n")
    Path(root, "list").write_text("l.wav\n")
    found = opened(
        f"{root}/q.wav",
        f"{root}/p",
        files_from=f"{root}/list",
        base=root,
        manifest=f"{root}/manifest.csv",
    )
    assert [file for _, file in found] == ["m.wav", "q.wav", "1.wav", "2.wav", "l.wav"]


def test_a_file_reached_in_several_ways_comes_once(make, find):
    root = make("a/1.wav", "a/2.wav")
    Path(root, "b").symlink_to("a")
    Path(root, "1.wav").symlink_to("a/1.wav")
    files, skipped = find(root, f"{root}/a", f"{root}/b", f"{root}/1.wav", f"{root}/*/1.wav")
    assert (files, skipped.duplicates) == (["a/1.wav", "a/2.wav"], 6)


def test_a_manifest_keeps_its_columns_for_files_that_a_folder_holds_too(make):
    root = make("a.wav", "b.wav")
    Path(root, "m.csv").write_text("file,speaker\nb.wav,7\n")
    sources = open_sources(SourceOptions(paths=(root,), manifest=f"{root}/m.csv"))
    assert [(r.file, r.row) for r in sources] == [("b.wav", 0), ("a.wav", None)]


def test_young_files_are_left_for_the_next_run(make, find):
    root = make("old.wav", "new.wav", "future.wav")
    now = time.time()
    os.utime(f"{root}/old.wav", (now - 100, now - 100))
    os.utime(f"{root}/future.wav", (now + 100, now + 100))
    files, skipped = find(root, min_age=60)
    assert (files, skipped.young) == (["old.wav"], 2)
    assert len(find(root)[0]) == 3
    assert find(f"{root}/new.wav", min_age=60)[0] == []


def test_the_age_is_measured_from_the_start(make):
    root = make("a.wav")
    os.utime(f"{root}/a.wav", (time.time() - 1, time.time() - 1))
    sources = open_sources(SourceOptions(paths=(root,), min_age=1.1))
    time.sleep(0.2)
    assert (list(sources), sources.skipped.young) == ([], 1)


def test_a_plain_folder_is_read_without_pyarrow(make):
    program = (
        "import sys; from batchemo.sources import SourceOptions, open_sources;"
        f"print(len(list(open_sources(SourceOptions(paths=({make('a.wav')!r},))))),"
        "'pyarrow' in sys.modules, 'numpy' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert answer.stdout.split() == ["1", "False", "False"]
