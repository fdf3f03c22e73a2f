"""What a user may name as a source, and the order and uniqueness of what several give."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from batchemo.errors import UsageError
from batchemo.sources import SourceOptions, open_sources


def find_pairs(*paths, **options):
    return [(r.root, r.file) for r in open_sources(SourceOptions(paths=paths, **options))]


def test_a_file_named_by_itself_is_taken_whatever_its_name(make):
    root = make(".notes/.take.txt")
    assert find_pairs(f"{root}/.notes/.take.txt") == [(f"{root}/.notes", ".take.txt")]


def test_patterns_without_anything_to_choose_from_are_refused(make):
    root = make("a.wav", "b.wav")
    with pytest.raises(UsageError, match="named by itself"):
        find_pairs(f"{root}/a.wav", f"{root}/b.wav", exclude=("b.*",))
    assert find_pairs(f"{root}/a.wav", root, exclude=("b.*",)) == [(root, "a.wav")]


def test_a_glob_takes_the_recordings_that_it_matches(make, monkeypatch):
    root = make("s1/a.wav", "s1/b.txt", "s2/x/a.wav", "t/a.wav", ".s3/a.wav")
    monkeypatch.chdir(root)
    assert find_pairs("s*/*.wav") == [(root, "s1/a.wav")]
    assert find_pairs(f"{root}/**/a.wav") == [
        (root, name) for name in ("s1/a.wav", "s2/x/a.wav", "t/a.wav")
    ]
    assert find_pairs("s1/*") == [(f"{root}/s1", "a.wav")]
    assert find_pairs("s1/*.txt") == [(f"{root}/s1", "b.txt")]
    assert find_pairs("./t/[a]*", hidden=True) == [(f"{root}/t", "a.wav")]


def test_a_folder_that_a_glob_matches_is_taken_with_all_its_content(make):
    root = make("s1/a.wav", "s2/x/b.wav", "t/c.wav")
    assert find_pairs(f"{root}/s*") == [(root, "s1/a.wav"), (root, "s2/x/b.wav")]


def test_a_glob_does_not_walk_other_folders(make):
    root = make("a/b/1.wav", "c/2.wav")
    sources = open_sources(SourceOptions(paths=(f"{root}/a/*/*.wav",)))
    Path(root, "c").rename(f"{root}/a/c")
    Path(root, "a", "b", "deep").symlink_to("deep")
    assert [recording.file for recording in sources] == ["b/1.wav", "c/2.wav"]
    assert sources.skipped.unreadable == []


def test_include_and_exclude_apply_to_a_glob(make):
    root = make("a/1.wav", "a/2.wav")
    assert find_pairs(f"{root}/*/*.wav", exclude=("2*",)) == [(root, "a/1.wav")]


def test_a_path_that_exists_is_no_glob(make, monkeypatch):
    root = make("take[1].wav", "take1.wav", "set[1]/a.wav", "set1/b.wav", "*/c.wav")
    monkeypatch.chdir(root)
    assert find_pairs("take[1].wav") == [(root, "take[1].wav")]
    assert find_pairs("set[1]/*.wav") == [(f"{root}/set[1]", "a.wav")]
    assert find_pairs("*") == [(f"{root}/*", "c.wav")]


def test_an_invalid_source_is_refused_at_once(make, monkeypatch):
    root = make("a.txt", "folder/b.txt")
    monkeypatch.chdir(root)
    os.mkfifo("pipe.wav")
    for path, message in [
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
        with pytest.raises(UsageError, match=message):
            open_sources(SourceOptions(paths=(path,)))


def test_naming_no_source_is_refused():
    with pytest.raises(UsageError, match="No recordings were named"):
        open_sources(SourceOptions())


@pytest.mark.parametrize("age", [-1.0, float("nan")])
def test_an_invalid_minimum_age_is_refused(make, age):
    with pytest.raises(UsageError, match="age"):
        find_pairs(make("a.wav"), min_age=age)


def test_the_manifest_comes_first_then_the_paths_in_order_then_the_list(make):
    root = make("m.wav", "p/2.wav", "p/1.wav", "q.wav", "l.wav")
    Path(root, "manifest.csv").write_text("file\nm.wav\n")
    Path(root, "list").write_text("l.wav\n")
    found = find_pairs(
        f"{root}/q.wav",
        f"{root}/p",
        files_from=f"{root}/list",
        base=root,
        manifest=f"{root}/manifest.csv",
    )
    assert [file for _, file in found] == ["m.wav", "q.wav", "1.wav", "2.wav", "l.wav"]


def test_a_file_with_several_paths_comes_once(make, find):
    root = make("a/1.wav", "a/2.wav")
    Path(root, "b").symlink_to("a")
    Path(root, "1.wav").symlink_to("a/1.wav")
    files, skipped = find(root, f"{root}/a", f"{root}/b", f"{root}/1.wav", f"{root}/*/1.wav")
    assert (files, skipped.duplicates) == (["a/1.wav", "a/2.wav"], 6)


def test_files_of_a_folder_keep_the_columns_of_a_manifest_that_names_them(make):
    root = make("a.wav", "b.wav")
    Path(root, "m.csv").write_text("file,speaker\nb.wav,7\n")
    sources = open_sources(SourceOptions(paths=(root,), manifest=f"{root}/m.csv"))
    assert [(r.file, r.row) for r in sources] == [("b.wav", 0), ("a.wav", None)]


def test_files_younger_than_the_minimum_age_are_skipped(make, find):
    root = make("old.wav", "new.wav", "future.wav")
    now = time.time()
    os.utime(f"{root}/old.wav", (now - 100, now - 100))
    os.utime(f"{root}/future.wav", (now + 100, now + 100))
    files, skipped = find(root, min_age=60)
    assert (files, skipped.young) == (["old.wav"], 2)
    assert len(find(root)[0]) == 3
    assert find(f"{root}/new.wav", min_age=60)[0] == []


def test_the_age_is_measured_when_the_sources_are_opened(make):
    root = make("a.wav")
    os.utime(f"{root}/a.wav", (time.time() - 1, time.time() - 1))
    sources = open_sources(SourceOptions(paths=(root,), min_age=1.1))
    time.sleep(0.2)
    assert (list(sources), sources.skipped.young) == ([], 1)


@pytest.mark.process
def test_a_plain_folder_is_read_without_pyarrow(make):
    program = (
        "import sys; from batchemo.sources import SourceOptions, open_sources;"
        f"print(len(list(open_sources(SourceOptions(paths=({make('a.wav')!r},))))),"
        "'pyarrow' in sys.modules, 'numpy' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.stdout.split() == ["1", "False", "False"]
