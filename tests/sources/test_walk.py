"""A walk finds every recording below a folder, whatever else the folder holds."""

import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from batchemo.errors import UsageError
from batchemo.sources import AUDIO_EXTENSIONS, VIDEO_EXTENSIONS, SourceOptions, open_sources


def test_recordings_are_ordered_by_the_bytes_of_the_parts_of_their_paths(make, find):
    root = make(
        "b.wav", "a/z.wav", "a.wav", "a-b/c.wav", "é.wav", b"\xff.wav", "B.wav", "a/B/x.wav"
    )
    assert find(root)[0] == [
        *("B.wav", "a/B/x.wav", "a/z.wav", "a-b/c.wav", "a.wav", "b.wav", "é.wav"),
        os.fsdecode(b"\xff.wav"),
    ]


def test_the_root_is_absolute_and_size_and_time_are_those_of_the_file(make, monkeypatch):
    root = make("in/a.wav", "x/b.wav")
    monkeypatch.chdir(root)
    (recording,) = open_sources(SourceOptions(paths=("x/../in",)))
    status = Path(root, "in", "a.wav").stat()
    assert (recording.root, recording.file) == (os.path.join(root, "in"), "a.wav")
    assert (recording.size, recording.mtime_ns) == (status.st_size, status.st_mtime_ns)
    assert recording.row is None


@pytest.mark.parametrize("name", [b"two\nlines.wav", b"caf\xe9.wav", b" .wav", b"a\\xff.wav"])
def test_a_file_with_an_unusual_name_can_be_opened(make, name):
    (recording,) = open_sources(SourceOptions(paths=(make(name),)))
    assert os.fsencode(recording.file) == name
    assert Path(recording.path).read_bytes() == b"sound"


def test_the_first_recording_is_given_before_the_walk_ends(make):
    root = make("a/1.wav", "b/2.wav")
    found = iter(open_sources(SourceOptions(paths=(root,))))
    assert next(found).file == "a/1.wav"
    make("b/3.wav")
    assert [recording.file for recording in found] == ["b/2.wav", "b/3.wav"]


def test_only_the_extensions_asked_for_are_taken_in_any_case(make, find):
    root = make("a.wav", "b.WAV", "c.flac", "d.txt", "wav", "e.wav.bak", "f.xyz")
    assert find(root)[0] == ["a.wav", "b.WAV", "c.flac"]
    assert find(root, extensions=("wav",))[0] == ["a.wav", "b.WAV"]
    assert find(root, extensions=("FLAC", ".txt"))[0] == ["c.flac", "d.txt"]
    assert find(root, extensions=("audio",))[0] == ["a.wav", "b.WAV", "c.flac"]
    assert len(find(root, extensions=("any",))[0]) == 7


def test_recordings_are_taken_by_default_and_videos_if_asked_for(make, find):
    root = make("a.m4a", "b.wma", "c.amr", "d.aac", "e.ac3", "f.mka", "g.mp4", "h.webm", "i.mov")
    files, skipped = find(root)
    assert files == ["a.m4a", "b.wma", "c.amr", "d.aac", "e.ac3", "f.mka"]
    assert skipped.other_recordings() == {".mp4": 1, ".webm": 1, ".mov": 1}
    assert len(find(root, extensions=("audio", "video"))[0]) == 9
    assert find(root, extensions=("video",))[0] == ["g.mp4", "h.webm", "i.mov"]


def test_the_extensions_of_audio_are_documented():
    page = Path(__file__).parents[2] / "docs" / "sources.md"
    words = re.findall(r"\w+", page.read_text("utf-8"))
    assert {*AUDIO_EXTENSIONS, *VIDEO_EXTENSIONS} <= set(words)


@pytest.mark.parametrize("extensions", [(), ("",), (".",), ("a/b",)])
def test_an_invalid_extension_is_refused(make, find, extensions):
    with pytest.raises(UsageError, match="xtension"):
        find(make("a.wav"), extensions=extensions)


def test_hidden_files_and_folders_are_skipped_and_counted(make, find):
    root = make("a.wav", ".b.wav", ".c/d.wav", ".e.txt")
    files, skipped = find(root)
    assert (files, skipped.hidden) == (["a.wav"], 2)
    files, skipped = find(root, hidden=True)
    assert (files, skipped.hidden) == ([".b.wav", ".c/d.wav", "a.wav"], 0)


def test_excluded_files_do_not_count_as_hidden(make, find):
    root = make("a.wav", ".b.wav", ".git/c.wav")
    assert find(root, exclude=(".git",))[1].hidden == 1


def test_excluded_folders_are_not_listed(make, find, tmp_path):
    root = make("a.wav", "out/b.wav", "x/out/c.wav")
    Path(root, "out", "long" * 60).mkdir()
    shutil.rmtree(tmp_path / "x" / "out")
    Path(root, "x", "out").symlink_to("nowhere")
    assert find(root, exclude=("out/",), follow_links=True)[0] == ["a.wav"]


def test_include_and_exclude_can_be_combined(make, find):
    root = make("s1/a.wav", "s1/b.wav", "s2/a.wav", "s3/a.wav")
    files, _ = find(root, include=("s1", "s2/**"), exclude=("b.*",))
    assert files == ["s1/a.wav", "s2/a.wav"]


def test_a_folder_named_like_a_recording_is_a_folder(make, find):
    assert find(make("a.wav/b.wav"))[0] == ["a.wav/b.wav"]


def test_pipes_and_sockets_are_neither_opened_nor_given(make, find, monkeypatch):
    root = make("a.wav")
    monkeypatch.chdir(root)
    os.mkfifo("pipe.wav")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.wav")
        assert find(root, follow_links=True)[0] == ["a.wav"]


def test_devices_are_neither_opened_nor_given(make, find):
    root = make("a.wav")
    for name in ("null", "zero"):
        Path(root, f"{name}.wav").symlink_to(f"/dev/{name}")
    if os.geteuid() == 0:
        for name, kind in (("tape", stat.S_IFCHR), ("disk", stat.S_IFBLK)):
            os.mknod(f"{root}/{name}.wav", kind | 0o600, os.makedev(1, 8))
    for follow in (False, True):
        assert find(root, follow_links=follow)[0] == ["a.wav"]


def test_links_are_skipped_and_counted(make, find):
    root = make("real/a.wav")
    Path(root, "link.wav").symlink_to("real/a.wav")
    Path(root, "folder").symlink_to("real")
    Path(root, "self.wav").symlink_to("self.wav")
    Path(root, "broken.wav").symlink_to("nowhere")
    files, skipped = find(root)
    assert (files, skipped.links, skipped.unreadable) == (["real/a.wav"], 4, [])
    assert find(root, follow_links=True)[1].links == 0


def test_links_are_followed_on_request_and_each_file_comes_once(make, find):
    root = make("in/real/a.wav", "outside/b.wav")
    Path(root, "in", "folder").symlink_to("../outside")
    Path(root, "in", "link.wav").symlink_to("real/a.wav")
    Path(root, "in", "real", "up").symlink_to("..")
    Path(root, "in", "self.wav").symlink_to("self.wav")
    Path(root, "in", "broken.wav").symlink_to("nowhere")
    files, skipped = find(os.path.join(root, "in"), follow_links=True)
    assert files == ["folder/b.wav", "link.wav"]
    assert skipped.duplicates == 2  # real/a.wav, and the way up
    assert [folder_path for folder_path, _ in skipped.unreadable] == [f"{root}/in/self.wav"]


def test_links_between_folders_do_not_multiply_the_walk(make, find):
    names = [f"f{number:02}/a.wav" for number in range(30)]
    root = make(*names)
    for number in range(29):
        for twin in "xy":
            Path(root, f"f{number:02}", twin).symlink_to(f"../f{number + 1:02}")
    files, _ = find(root, follow_links=True)
    assert len(files) == 30


def test_a_source_that_is_a_link_is_followed(make, find):
    root = make("real/a.wav")
    Path(root, "link").symlink_to("real")
    Path(root, "link.wav").symlink_to("real/a.wav")
    assert find(os.path.join(root, "link"))[0] == ["a.wav"]
    assert find(os.path.join(root, "link.wav"))[0] == ["link.wav"]


def test_hard_links_are_recordings_of_their_own(make, find):
    root = make("a.wav")
    os.link(os.path.join(root, "a.wav"), os.path.join(root, "b.wav"))
    assert find(root, root)[0] == ["a.wav", "b.wav"]


def test_a_folder_removed_meanwhile_is_reported_and_the_walk_continues(make):
    root = make("a.wav", "b/1.wav", "c/2.wav")
    Path(root, "b\x1b").mkdir()
    sources = open_sources(SourceOptions(paths=(root,)))
    found = iter(sources)
    assert next(found).file == "a.wav"
    shutil.rmtree(os.path.join(root, "b"))
    Path(root, "b\x1b").rmdir()
    assert [recording.file for recording in found] == ["c/2.wav"]
    assert [folder_path for folder_path, _ in sources.skipped.unreadable] == [
        f"{root}/b",
        f"{root}/b\\x1b",
    ]
    assert all("No such file" in reason for _, reason in sources.skipped.unreadable)


def test_a_file_removed_meanwhile_is_skipped(make):
    root = make("a.wav", "b.wav", "c.wav")
    found = iter(open_sources(SourceOptions(paths=(root,))))
    next(found)
    Path(root, "b.wav").unlink()
    assert [recording.file for recording in found] == ["c.wav"]


@pytest.mark.parametrize("replace", [os.mkfifo, lambda path: Path(path).symlink_to("a.wav")])
def test_a_file_replaced_by_something_else_is_skipped(make, replace):
    root = make("a.wav", "b.wav", "c.wav")
    found = iter(open_sources(SourceOptions(paths=(root,))))
    next(found)
    Path(root, "b.wav").unlink()
    replace(f"{root}/b.wav")
    assert [recording.file for recording in found] == ["c.wav"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_without_permission_is_reported(make, find):
    root = make("a.wav", "shut/b.wav")
    forbidden = Path(root, "shut")
    forbidden.chmod(0)
    files, skipped = find(root)
    with pytest.raises(UsageError, match="ermission"):
        find(str(forbidden))
    forbidden.chmod(0o700)
    assert files == ["a.wav"]
    assert skipped.unreadable == [(str(forbidden), "Permission denied")]


def make_deep_tree(top, name, depth):
    """Create nested folders with a recording in each, however long the path gets."""
    handle = os.open(top, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=handle)
        parent, handle = handle, os.open(name, os.O_RDONLY, dir_fd=handle)
        os.close(parent)
        os.close(os.open("x.wav", os.O_CREAT | os.O_WRONLY, dir_fd=handle))
    os.close(handle)


@pytest.fixture
def deep_folder(tmp_path):
    """A folder for trees that are too deep for any tool but `rm` to remove."""
    yield str(tmp_path)
    subprocess.run(["rm", "-rf", str(tmp_path)], check=True)


def test_a_path_that_is_too_long_is_reported(deep_folder, find):
    make_deep_tree(deep_folder, "d" * 200, 25)
    files, skipped = find(deep_folder)
    assert 15 <= len(files) < 25
    assert [reason for _, reason in skipped.unreadable] == ["File name too long"]


def test_a_tree_may_be_deeper_than_the_recursion_limit(deep_folder, find):
    depth = sys.getrecursionlimit() + 500
    make_deep_tree(deep_folder, "d", depth)
    files, skipped = find(deep_folder)
    assert len(files) == depth
    assert skipped.unreadable == []


def test_a_tree_that_is_removed_meanwhile_raises_no_error(make, find):
    root = make(*(f"{folder}/{number}.wav" for folder in range(20) for number in range(20)))

    def remove() -> None:
        # Not the root itself: were it gone before the walk begins, that would be an error.
        for folder in Path(root).iterdir():
            shutil.rmtree(folder, ignore_errors=True)

    remover = threading.Thread(target=remove)
    remover.start()
    files, _ = find(root)
    remover.join()
    assert len(files) <= 400
