"""A file appears under its name whole or not at all, and errors name it."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import pytest

from batchemo.batch.chunk_store import ChunkStore, longest_chunk_path, store_folder
from batchemo.common import files
from batchemo.common.files import (
    atomic_write,
    is_temporary,
    naming_errors,
    sync_folder,
    unfinished_path,
)

PACKAGE = Path(files.__file__).parents[1]
ALLOWED = {
    "common/files.py",
    "cli/output/event_log.py",  # A log that the user names.
    "cli/process.py",  # Descriptors that are open.
    # Folders that nobody else can write to, made for the purpose.
    "app/results.py",
    "batch/partitioned.py",
    "bundles/keras_model.py",
    "bundles/save.py",
    "importing/keras_file.py",
    "inference/gpu_pool.py",
}
"""Files that write in another way than by `open_new`, and why they may."""


def test_a_file_gets_its_name_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    with atomic_write(path) as stream:
        stream.write(b"whole")
        assert not path.exists()
        assert unfinished_path(path).exists()
    assert path.read_bytes() == b"whole"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_the_old_file_stays_if_writing_fails(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def fail_half_way() -> None:
        with atomic_write(path) as stream:
            stream.write(b"ne")
            raise ValueError("failed")

    with pytest.raises(ValueError, match="failed"):
        fail_half_way()
    assert path.read_bytes() == b"old"


def test_what_a_failed_write_left_is_replaced_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    unfinished_path(path).write_bytes(b"longer than the next content")
    with atomic_write(path) as stream:
        stream.write(b"new")
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["a.bin"]


@pytest.mark.parametrize("content", [b"precious", None])
def test_a_link_under_the_temporary_name_is_replaced_and_not_followed(
    tmp_path: Path, content: bytes | None
) -> None:
    (tmp_path / "folder").mkdir()
    path, other = tmp_path / "folder" / "a.bin", tmp_path / "other"
    if content is not None:
        other.write_bytes(content)
    unfinished_path(path).symlink_to(other)

    with atomic_write(path) as stream:
        stream.write(b"new")

    assert path.read_bytes() == b"new"
    assert not path.is_symlink()
    assert other.exists() == (content is not None)
    assert content is None or other.read_bytes() == content


def test_a_link_that_appears_between_two_steps_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, other = tmp_path / "a.bin", tmp_path / "other"
    unlink = Path.unlink

    def unlink_and_plant(self: Path, missing_ok: bool = False) -> None:
        unlink(self, missing_ok=missing_ok)
        self.symlink_to(other)

    monkeypatch.setattr(Path, "unlink", unlink_and_plant)
    with pytest.raises(FileExistsError), atomic_write(path) as stream:
        stream.write(b"new")
    assert not other.exists()


def test_no_module_opens_a_file_for_writing_but_by_a_new_name() -> None:
    """All writing goes through `open_new`, and appending only to a log that the user names."""
    opened = re.compile(r"""open\(["']?[^)]*["']([wax]b?\+?|r\+b?)["']|write_(bytes|text)\(""")
    found = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if opened.search(line) and not line.lstrip().startswith((">>>", "..."))
    }
    assert found == ALLOWED


def test_the_names_of_temporary_files_are_recognised() -> None:
    store = ChunkStore(store_folder("rec/r.parquet"))
    assert is_temporary(str(unfinished_path(Path("rec/r.parquet"))))
    assert is_temporary(str(longest_chunk_path(Path("rec/r.csv"))))
    for name in ("lock", "naming.json", "previous.arrow", "000000012.chunk.arrow"):
        assert is_temporary(str(store.folder / name))
    for name in ("rec/a.wav", "rec/a.unfinished", "rec/x.chunks/lock", "r.csv.chunks/lock.wav"):
        assert not is_temporary(name)


def test_processes_that_share_a_folder_do_not_disturb_each_other(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    with atomic_write(path, shared=True) as first, atomic_write(path, shared=True) as second:
        first.write(b"first")
        second.write(b"second")
    assert path.read_bytes() == b"first", "the outer block ends last"
    with pytest.raises(ValueError, match="failed"), atomic_write(path, shared=True):
        raise ValueError("failed")
    assert os.listdir(tmp_path) == ["a.bin"]


@pytest.mark.parametrize(
    ("durable", "expected"), [(True, ["sync", "replace", "sync"]), (False, ["replace"])]
)
def test_a_durable_file_is_synced_before_the_rename_and_its_folder_after_it(
    durable: bool, expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    replace = Path.replace

    def recorded_replace(self: Path, target: Path) -> Path:
        calls.append("replace")
        return replace(self, target)

    monkeypatch.setattr(files, "sync", lambda descriptor: calls.append("sync"))
    monkeypatch.setattr(Path, "replace", recorded_replace)
    with atomic_write(tmp_path / "a.bin", durable=durable) as stream:
        stream.write(b"whole")
    assert calls == expected


def test_an_error_of_an_open_file_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"a\.bin") as raised, naming_errors(tmp_path / "a.bin"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert raised.value.filename == str(tmp_path / "a.bin")
    with pytest.raises(OSError, match="other") as raised, naming_errors(tmp_path / "a.bin"):
        raise OSError(errno.ENOSPC, "No space left on device", "other")
    assert raised.value.filename == "other"


@pytest.mark.parametrize(("code", "raises"), [(errno.EINVAL, False), (errno.EIO, True)])
def test_a_folder_that_cannot_be_synced_is_no_error_but_a_failing_disk_is(
    code: int, raises: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(files, "sync", fail)
    if not raises:
        sync_folder(tmp_path)
        return
    with pytest.raises(OSError, match=str(tmp_path)):
        sync_folder(tmp_path)
