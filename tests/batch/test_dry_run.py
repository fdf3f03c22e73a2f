"""A dry run counts what a scan would do, by the same decision, and writes nothing."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest
from scan_commands import Scan
from voices import write_voice

from batchemo.audio.file import OpenFile
from batchemo.batch.dry_run import EXAMPLES, dry_run
from batchemo.batch.options import ScanOptions
from batchemo.batch.scan import run_scan
from batchemo.bundles import Bundle
from batchemo.errors import UsageError
from batchemo.inference.settings import ModelSettings
from batchemo.sources import SourceOptions
from batchemo.workers.executor import InlineExecutor


@pytest.fixture
def options(corpus: Path, tiny_bundle: Bundle, tmp_path: Path) -> ScanOptions:
    """Options of a scan of the corpus into r.parquet."""
    sources = SourceOptions((str(corpus),))
    settings = (ModelSettings(str(tiny_bundle.path)),)
    return ScanOptions(sources, settings, output=str(tmp_path / "r.parquet"))


@pytest.fixture
def scanned(options: ScanOptions) -> ScanOptions:
    """The same options, after a scan by them."""
    run_scan(options, executor=InlineExecutor)
    return options


def counts(options: ScanOptions) -> dict[str, int]:
    """The states of a dry run that have recordings."""
    return {name: state.files for name, state in dry_run(options).states() if state.files}


def test_before_the_first_scan_all_recordings_are_new_and_a_few_are_named(
    options: ScanOptions, corpus: Path
) -> None:
    found = dry_run(options)
    assert found.new.files == 12
    assert found.new.bytes == sum(path.stat().st_size for path in corpus.rglob("*.wav"))
    assert len(found.new.examples) == EXAMPLES
    assert found.new.examples[0] == "anna/take 00.wav"
    assert not found.limited


def test_without_an_output_all_recordings_are_new(options: ScanOptions) -> None:
    assert counts(replace(options, output=None)) == {"new": 12}


def test_an_update_has_new_changed_unchanged_and_missing_recordings(
    scanned: ScanOptions, corpus: Path
) -> None:
    write_voice(corpus / "zoe" / "new.wav", seed=70)
    write_voice(corpus / "ben" / "take 06.wav", seconds=3, seed=71)
    (corpus / "anna" / "take 00.wav").unlink()
    update = replace(scanned, update=True)
    assert counts(update) == {"new": 1, "changed": 1, "unchanged": 10, "gone": 1}
    only_anna = replace(update, sources=SourceOptions((str(corpus / "anna"),)))
    assert counts(only_anna) == {"new": 5, "gone": 1, "elsewhere": 11}


def test_the_same_command_again_would_retry_what_a_fault_of_the_machine_failed(
    options: ScanOptions, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(file: OpenFile, offset: int, count: int) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(OpenFile, "read_at", fail)
        run_scan(options, executor=InlineExecutor)
    assert counts(options) == {"changed": 12}
    write_voice(corpus / "new.wav", seed=70)
    with pytest.raises(UsageError, match="exists"):
        dry_run(options)


def test_the_same_command_again_has_nothing_to_do(scanned: ScanOptions) -> None:
    assert counts(scanned) == {"unchanged": 12}


def test_the_same_command_is_refused_where_it_would_change_its_table(
    scanned: ScanOptions, corpus: Path
) -> None:
    write_voice(corpus / "new.wav", seed=3)
    with pytest.raises(UsageError, match=r"exists\. --update"):
        dry_run(scanned)
    assert counts(replace(scanned, overwrite=True)) == {"new": 13}


def test_a_dry_run_stops_at_the_limit_like_the_scan(scanned: ScanOptions, corpus: Path) -> None:
    for number in range(3):
        write_voice(corpus / f"new {number}.wav", seed=number)
    found = dry_run(replace(scanned, update=True, limit=2))
    assert found.limited
    assert found.new.files == 2


def test_sources_that_cannot_be_read_and_files_left_out_are_counted(
    options: ScanOptions, corpus: Path, tmp_path: Path
) -> None:
    (corpus / ".hidden.wav").touch()
    (corpus / "link.wav").symlink_to(corpus / "anna" / "take 00.wav")
    listed = tmp_path / "list.txt"
    listed.write_text(f"{corpus}\n{corpus}/anna/take 00.wav\n/dev/null\n")
    found = dry_run(replace(options, sources=SourceOptions(files_from=str(listed))))
    assert (found.hidden, found.links, found.duplicates) == (1, 1, 1)
    (problem,) = found.problems
    assert "/dev/null" in problem


def test_the_command_prints_each_state_and_writes_nothing(
    corpus: Path, scan_inline: Scan, tmp_path: Path
) -> None:
    out = tmp_path / "r.parquet"
    scan_inline(corpus, "-o", out)
    write_voice(corpus / "zoe" / "new.wav", seed=70)
    write_voice(corpus / "ben" / "take 06.wav", seconds=3, seed=71)
    before = sorted(os.listdir(tmp_path)), out.read_bytes()
    printed = scan_inline(corpus, "-o", out, "--update", "--dry-run").stdout
    assert "new       1 recording" in printed
    assert "zoe/new.wav" in printed
    assert "changed   1 recording" in printed
    assert "unchanged 11 recordings" in printed
    assert (sorted(os.listdir(tmp_path)), out.read_bytes()) == before
