"""A run is checked, locks its outputs, and decides what the existing tables and chunks mean."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from voices import write_voice

from batchemo.batch import setup
from batchemo.batch.chunk_store import PREVIOUS, ChunkStore, store_folder
from batchemo.batch.dry_run import dry_run
from batchemo.batch.options import ScanOptions
from batchemo.batch.scan import ScanResult, run_scan
from batchemo.batch.setup import (
    Decision,
    Prepared,
    decide,
    hold_outputs,
    load_known_rows,
    prepare,
    problems_of,
)
from batchemo.bundles import Bundle
from batchemo.common import locks
from batchemo.errors import LockedError, UsageError
from batchemo.inference.settings import ModelSettings
from batchemo.sources import Recording, Skipped, SourceOptions
from batchemo.tables.read import UnreadableTableError
from batchemo.tables.rows import RecordingResult, to_batch
from batchemo.workers.executor import InlineExecutor

MakeOptions = Callable[..., ScanOptions]


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """Two recordings."""
    for seed in range(2):
        write_voice(tmp_path / "in" / f"{seed}.wav", seconds=0.8, seed=seed)
    return tmp_path / "in"


@pytest.fixture
def options(recordings: Path, tmp_path: Path, tiny_bundle: Bundle) -> MakeOptions:
    """Make options of a scan of the recordings into r.parquet, and into segments s.parquet."""

    def make(**changes: Any) -> ScanOptions:
        names = {"output": str(tmp_path / "r.parquet"), "segments": str(tmp_path / "s.parquet")}
        return ScanOptions(
            SourceOptions((str(recordings),)),
            (ModelSettings(str(tiny_bundle.path)),),
            **{**names, **changes},
        )

    return make


def run(options: ScanOptions) -> ScanResult:
    return run_scan(options, executor=InlineExecutor)


def record_naming(options: ScanOptions) -> None:
    """Leave the record that an interrupted run leaves which was naming its tables."""
    folder = store_folder(str(options.output))
    folder.mkdir()
    names = [options.segments, options.summary, options.output]
    content = {"tables": [name for name in names if name], "update": False}
    (folder / "naming.json").write_text(json.dumps(content))


def write_chunk(options: ScanOptions, number: int = 0, reason: str | None = None) -> Prepared:
    """Leave the chunk of an interrupted run with the first recording; return the scan's set-up."""
    prepared = prepare(options)
    (first, *_) = prepared.recordings()
    result = RecordingResult(
        first.root,
        first.file,
        reason=reason,
        probabilities=None if reason else np.full(4, 0.25, np.float32),
        size=first.size,
        mtime_ns=first.mtime_ns,
    )
    folder = store_folder(str(options.output))
    folder.mkdir(exist_ok=True)
    schema = prepared.schema
    rows = to_batch([result], labels=schema.labels, model=prepared.model, segments=schema.segments)
    ChunkStore(folder).write(number, rows)
    return prepared


# What is decided, from what is there and what is asked for


def test_a_run_without_output_files_is_fresh(options: MakeOptions) -> None:
    for output in (None, "-"):
        assert decide(prepare(options(output=output, segments=None))) is Decision.FRESH


def test_a_run_whose_outputs_do_not_exist_is_fresh(options: MakeOptions) -> None:
    assert decide(prepare(options())) is Decision.FRESH
    assert decide(prepare(options(update=True))) is Decision.FRESH


def test_a_run_that_may_overwrite_is_fresh_whatever_exists(
    options: MakeOptions, tmp_path: Path
) -> None:
    (tmp_path / "r.parquet").write_text("anything")
    assert decide(prepare(options(overwrite=True))) is Decision.FRESH


def test_an_update_of_an_existing_table_is_an_update(options: MakeOptions, tmp_path: Path) -> None:
    (tmp_path / "r.parquet").write_text("anything")
    assert decide(prepare(options(update=True))) is Decision.UPDATE


def test_the_same_command_after_a_finished_run_repeats_it(options: MakeOptions) -> None:
    run(options())
    assert decide(prepare(options())) is Decision.REPEAT


def test_a_run_resumes_where_an_interrupted_one_had_named_the_recordings_table(
    options: MakeOptions, tmp_path: Path
) -> None:
    for name in ("r.parquet", "s.parquet"):
        (tmp_path / name).touch()
    record_naming(options())
    assert decide(prepare(options())) is Decision.RESUME


def test_a_run_is_fresh_where_an_interrupted_one_had_named_only_other_tables(
    options: MakeOptions, tmp_path: Path
) -> None:
    (tmp_path / "s.parquet").touch()
    record_naming(options())
    assert decide(prepare(options())) is Decision.FRESH


@pytest.mark.parametrize("existing", ["r.parquet", "s.parquet"])
def test_a_run_is_refused_where_some_of_its_tables_exist(
    options: MakeOptions, tmp_path: Path, existing: str
) -> None:
    (tmp_path / existing).touch()
    with pytest.raises(UsageError, match=f"{existing} exists. --update analyses only"):
        decide(prepare(options()))
    with pytest.raises(UsageError, match=f"{existing} exists"):
        dry_run(options())


def test_the_record_of_an_interrupted_run_gives_no_leave_to_replace_other_tables(
    options: MakeOptions, tmp_path: Path
) -> None:
    for name in ("r.parquet", "s.parquet"):
        (tmp_path / name).touch()
    record_naming(options(segments=None))
    decision = decide(prepare(options()))
    assert decision is Decision.REPEAT
    assert not decision.may_replace
    with pytest.raises(UsageError, match="exists"):
        run(options())
    assert (tmp_path / "s.parquet").read_bytes() == b""


def test_a_finished_run_is_not_repeated_where_an_update_was_interrupted(
    options: MakeOptions,
) -> None:
    run(options())
    write_chunk(options())
    with pytest.raises(UsageError, match="exists"):
        decide(prepare(options()))
    assert decide(prepare(options(update=True))) is Decision.UPDATE


def test_a_list_on_standard_input_is_not_repeated(
    options: MakeOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(options())
    prepared = prepare(options())
    sources = replace(prepared.options.sources, paths=(), files_from="-")
    with pytest.raises(UsageError, match="exists"):
        decide(replace(prepared, options=replace(prepared.options, sources=sources)))


# What is held while a run works


def test_all_outputs_are_locked_and_the_store_is_gone_after_the_run(
    options: MakeOptions, tmp_path: Path
) -> None:
    with hold_outputs(prepare(options())) as store:
        assert store.folder == tmp_path / "r.parquet.chunks"
        store.write(0, pa.record_batch({"file": ["a"]}))
        for name in ("r.parquet", "s.parquet"):
            with pytest.raises(LockedError), locks.hold(store_folder(tmp_path / name), wait=False):
                pass
    assert sorted(os.listdir(tmp_path)) == ["bundles", "in"]


def test_chunks_are_kept_if_the_run_fails(options: MakeOptions) -> None:
    def fail() -> None:
        with hold_outputs(prepare(options())) as store:
            store.write(0, pa.record_batch({"file": ["a"]}))
            raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        fail()
    assert ChunkStore(store_folder(str(options().output))).numbers() == [0]


def test_a_run_without_output_files_has_a_temporary_store(options: MakeOptions) -> None:
    with hold_outputs(prepare(options(output=None, segments=None))) as store:
        store.write(0, pa.record_batch({"file": ["a"]}))
    assert not store.folder.exists()


def test_a_refused_run_creates_no_lock(options: MakeOptions, tmp_path: Path) -> None:
    (tmp_path / "r.parquet").touch()
    with pytest.raises(UsageError), hold_outputs(prepare(options())):
        pass
    assert sorted(os.listdir(tmp_path)) == ["bundles", "in", "r.parquet"]


@pytest.mark.parametrize("held", ["r.parquet", "s.parquet"])
def test_a_run_on_a_locked_output_is_refused_and_holds_no_other_output(
    options: MakeOptions, tmp_path: Path, held: str
) -> None:
    with (
        locks.hold(store_folder(tmp_path / held), wait=False),
        pytest.raises(LockedError, match=f"{held}.chunks: process {os.getpid()} on"),
        hold_outputs(prepare(options())),
    ):
        pass
    assert sorted(os.listdir(tmp_path)) == ["bundles", "in"]


def test_a_run_that_waits_is_refused_before_the_wait_if_it_would_be_after_it(
    options: MakeOptions, tmp_path: Path
) -> None:
    (tmp_path / "r.parquet").touch()
    waiting = prepare(options(if_locked="wait"))
    with (
        locks.hold(store_folder(tmp_path / "r.parquet"), wait=False),
        pytest.raises(UsageError, match="exists"),
        hold_outputs(waiting),
    ):
        pass


def test_a_run_that_waits_holds_nothing_until_it_has_all_locks(
    options: MakeOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = locks.hold(store_folder(tmp_path / "s.parquet"), wait=False)
    holder.__enter__()
    hold = locks.hold

    def hold_after_release(folder: Path, *, wait: bool) -> Any:
        if wait and folder.name == "r.parquet.chunks":
            with hold(folder, wait=False):  # Nobody holds it while the run waits for the other.
                holder.__exit__(None, None, None)
        return hold(folder, wait=wait)

    monkeypatch.setattr(setup.locks, "hold", hold_after_release)
    with hold_outputs(prepare(options(if_locked="wait"))):
        pass
    assert sorted(os.listdir(tmp_path)) == ["bundles", "in"]


# What is known of earlier runs


def test_a_fresh_run_knows_the_rows_of_an_interrupted_one_and_not_those_of_the_table(
    options: MakeOptions,
) -> None:
    run(options())
    prepared = write_chunk(options(overwrite=True), number=3)
    known_rows, extras = load_known_rows(prepared, Decision.FRESH, None)
    positions = [known_rows.find(recording)[1] for recording in prepared.recordings()]
    assert positions == [(3, 0), None]
    assert extras is None


def test_an_update_knows_the_rows_of_the_table_and_of_an_interrupted_run(
    options: MakeOptions,
) -> None:
    run(options())
    prepared = write_chunk(options(update=True))
    store = ChunkStore(store_folder(str(options().output)))
    known_rows, extras = load_known_rows(prepared, Decision.UPDATE, store)
    positions = [known_rows.find(recording)[1] for recording in prepared.recordings()]
    assert positions == [(0, 0), (PREVIOUS, 1)]
    assert extras == pa.schema([])
    assert store.read_previous().num_rows == 2


def test_a_dry_run_knows_the_same_rows_and_writes_nothing(
    options: MakeOptions, tmp_path: Path
) -> None:
    run(options())
    before = sorted(os.listdir(tmp_path))
    known_rows, _ = load_known_rows(prepare(options()), Decision.REPEAT, None)
    assert len(known_rows) == 2
    assert sorted(os.listdir(tmp_path)) == before


def test_a_damaged_chunk_is_ignored(options: MakeOptions) -> None:
    prepared = write_chunk(options())
    (chunk,) = store_folder(str(options().output)).iterdir()
    chunk.write_bytes(b"no chunk")
    assert len(load_known_rows(prepared, Decision.FRESH, None)[0]) == 0


@pytest.mark.parametrize(
    ("decision", "is_valid"), [(Decision.UPDATE, False), (Decision.REPEAT, True)]
)
def test_only_an_update_retries_transient_failures_of_the_table(
    options: MakeOptions, decision: Decision, is_valid: bool
) -> None:
    prepared = write_chunk(options(), reason="worker_died")
    chunk = ChunkStore(store_folder(str(options().output)))
    table = chunk.read(0, prepared.schema.chunk_schema())
    assert table is not None
    chunk.discard()
    run(replace(options(), limit=0))
    written = pq.read_table(str(options().output)).schema
    columns = {name: table[name] for name in table.column_names if name != "segments"}
    missing = {name: [None] for name in written.names if name not in columns}
    rows = pa.table({**columns, **missing}).select(written.names).cast(written)
    pq.write_table(rows, str(options().output))
    known_rows, _ = load_known_rows(prepared, decision, None)
    first, *_ = prepared.recordings()
    assert known_rows.find(first) == (True, (PREVIOUS, 0) if is_valid else None)


def test_a_resumed_run_takes_no_columns_from_the_table_that_it_completes(
    options: MakeOptions, tmp_path: Path
) -> None:
    run(options())
    path = tmp_path / "r.parquet"
    pq.write_table(pq.read_table(path).append_column("note", pa.array(["a", "b"])), path)
    prepared = prepare(options())
    assert load_known_rows(prepared, Decision.RESUME, None)[1] is None
    extras = load_known_rows(prepared, Decision.REPEAT, None)[1]
    assert extras is not None
    assert extras.names == ["note"]


def test_a_table_that_cannot_be_read_is_refused_unless_a_run_is_resumed(
    options: MakeOptions, tmp_path: Path
) -> None:
    (tmp_path / "r.parquet").write_text("no table")
    prepared = prepare(options())
    with pytest.raises(UnreadableTableError, match="cannot be read as Parquet"):
        load_known_rows(prepared, Decision.UPDATE, None)
    with pytest.raises(UsageError, match=r"exists\. --update"):
        load_known_rows(prepared, Decision.REPEAT, None)
    assert len(load_known_rows(prepared, Decision.RESUME, None)[0]) == 0


def test_what_was_named_and_is_missing_keeps_its_row_unless_rows_are_pruned(
    options: MakeOptions, recordings: Path
) -> None:
    run(options())
    missing = Recording(str(recordings), "0.wav", None, None)
    for prune, position in ((False, (PREVIOUS, 0)), (True, None)):
        prepared = prepare(options(update=True, prune=prune))
        known_rows, _ = load_known_rows(prepared, Decision.UPDATE, None)
        assert known_rows.find(missing) == (True, position)


def test_many_sources_that_cannot_be_read_make_one_message_of_a_kind() -> None:
    few, many = Skipped(unreadable=[("/a", "Permission denied")]), Skipped()
    for number in range(1, 300_001):
        many.reject(f"row {number} of m.csv", "its file is empty")
        if number <= 2:
            few.reject(f"row {number} of m.csv", "its file is empty")
    assert problems_of(few) == (
        "/a: Permission denied",
        "row 1 of m.csv: its file is empty",
        "row 2 of m.csv: its file is empty",
    )
    (message,) = problems_of(many)
    assert message.startswith("300,000 entries of lists and manifests name no recording: row 1 of")
    assert len(message) < 300
    assert len(many.first_rejected) == 20
