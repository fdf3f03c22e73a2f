"""A feature table has the features of every window, and nothing else is left beside it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
from voices import write_voice

from batchemo.batch import feature_table
from batchemo.batch.chunk_store import store_folder
from batchemo.batch.events import Event, Progressed, RecordingFailed
from batchemo.batch.feature_table import (
    FeatureTableOptions,
    FeatureTableReport,
    write_feature_table,
)
from batchemo.common import locks
from batchemo.errors import BatchemoError, LockedError, UsageError
from batchemo.features import FeatureSet, extract, get_feature_set
from batchemo.sources import SourceOptions
from batchemo.tables.read import open_table
from batchemo.workers.executor import InlineExecutor

MEANS = get_feature_set("mfcc40")
FRAMES = get_feature_set("logmel64")

MakeTable = Callable[..., FeatureTableReport]


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """Recordings of 1 s and 2 s, and one that is not audio."""
    for seconds in (1, 2):
        path = tmp_path / "in" / f"{seconds}.wav"
        write_voice(path, seconds=seconds, rate=MEANS.rate, seed=seconds)
    (tmp_path / "in" / "broken.wav").write_text("not a recording")
    return tmp_path / "in"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "f.parquet"


@pytest.fixture
def make(recordings: Path, out: Path) -> MakeTable:
    """Write the table f.parquet of windows of 1 s, in this process."""

    def run(on_event: Callable[[Event], None] = lambda event: None, **changes: Any) -> Any:
        sources = SourceOptions((str(recordings),))
        options = {"sources": sources, "features": MEANS, "output": str(out), "window": 1.0}
        return write_feature_table(
            FeatureTableOptions(**options | changes), on_event, executor=InlineExecutor
        )

    return run


def test_a_row_has_the_features_of_a_window_bit_for_bit(
    make: MakeTable, recordings: Path, out: Path
) -> None:
    report = make()
    assert (report.recordings, report.failed, report.windows) == (3, 1, 3)
    rows = pq.read_table(out).to_pylist()
    assert [(row["file"], row["start"], row["end"]) for row in rows] == [
        ("1.wav", 0.0, 1.0),
        ("2.wav", 0.0, 1.0),
        ("2.wav", 1.0, 2.0),
        ("broken.wav", None, None),
    ]
    samples, _ = soundfile.read(recordings / "2.wav", dtype="float32")
    expected = extract(MEANS, samples[MEANS.rate :], 1.0)
    assert np.array_equal([rows[2][name] for name in MEANS.names], expected)


def test_a_failed_recording_is_a_row_with_its_reason_and_no_features(
    make: MakeTable, out: Path
) -> None:
    assert make().exit_code == 3
    row = pq.read_table(out).to_pylist()[-1]
    assert (row["status"], row["reason"]) == ("failed", "not_audio")
    assert {row[name] for name in (*MEANS.names, "start", "speech")} == {None}


def test_frames_of_a_window_are_numbered_rows(make: MakeTable, out: Path) -> None:
    make(features=FRAMES)
    rows = [row for row in pq.read_table(out).to_pylist() if row["file"] == "2.wav"]
    per_window = FRAMES.shape(1.0)[0]
    assert [row["frame"] for row in rows] == [*range(per_window)] * 2
    assert [row["start"] for row in rows] == [0.0] * per_window + [1.0] * per_window


@pytest.mark.parametrize("features", [MEANS, FRAMES], ids=["means", "frames"])
def test_the_bytes_do_not_depend_on_how_much_is_read_at_a_time(
    make: MakeTable, out: Path, monkeypatch: pytest.MonkeyPatch, features: Any
) -> None:
    make(features=features)
    expected = out.read_bytes()
    monkeypatch.setattr(feature_table, "BYTES_PER_BATCH", 1)
    make(features=features, overwrite=True)
    assert out.read_bytes() == expected


def test_window_and_hop_are_by_default_those_of_the_feature_set_without_overlap() -> None:
    options = FeatureTableOptions(SourceOptions(), FRAMES, "f.csv")
    config = options.window_config
    assert (config.window, config.hop, config.rate) == (FRAMES.window, FRAMES.window, FRAMES.rate)
    options = FeatureTableOptions(SourceOptions(), FRAMES, "f.csv", window=2.0, hop=0.5)
    assert (options.window_config.window, options.window_config.hop) == (2.0, 0.5)


def test_an_unknown_channel_is_refused() -> None:
    with pytest.raises(UsageError, match="the channel is 'left'"):
        FeatureTableOptions(SourceOptions(), MEANS, "f.csv", channel="left")


def test_rows_have_the_columns_of_the_manifest(
    make: MakeTable, recordings: Path, tmp_path: Path, out: Path
) -> None:
    manifest = tmp_path / "m.csv"
    manifest.write_text("file,speaker\n2.wav,b\nnone.wav,c\n1.wav,a\n")
    make(sources=SourceOptions(manifest=str(manifest), base=str(recordings)))
    rows = pq.read_table(out).to_pylist()
    assert [(row["file"], row["speaker"]) for row in rows] == [
        ("2.wav", "b"),
        ("2.wav", "b"),
        ("none.wav", "c"),
        ("1.wav", "a"),
    ]


def test_the_table_records_how_it_was_made(make: MakeTable, recordings: Path, out: Path) -> None:
    make(hop=0.5)
    run = open_table(out).run
    assert FeatureSet.from_dict(run["features"]) == MEANS
    assert (run["window"], run["hop"], run["options"]) == (1.0, 0.5, {"channel": "mix"})
    assert run["sources"]["paths"] == [str(recordings)]


def test_progress_and_failures_are_reported(make: MakeTable) -> None:
    events: list[Event] = []
    make(events.append)
    failed = [event for event in events if isinstance(event, RecordingFailed)]
    assert [(event.file, event.reason) for event in failed] == [("broken.wav", "not_audio")]
    last = events[-1]
    assert isinstance(last, Progressed)
    assert (last.done, last.failed, last.seconds) == (3, 1, 3.0)


def test_sources_that_cannot_be_read_are_reported(make: MakeTable, tmp_path: Path) -> None:
    listed = tmp_path / "list.txt"
    listed.write_text("in/1.wav\n/dev/null\n")
    report = make(sources=SourceOptions(files_from=str(listed), base=str(tmp_path)))
    (problem,) = report.problems
    assert "/dev/null" in problem
    assert (report.failed, report.exit_code) == (0, 3)


def test_without_any_recording_no_table_is_written(
    make: MakeTable, recordings: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(BatchemoError, match="empty: no recordings were found"):
        make(sources=SourceOptions((str(empty),)))
    assert sorted(os.listdir(tmp_path)) == ["empty", "in"]
    report = make(sources=SourceOptions((str(empty), str(recordings / "1.wav"))))
    assert (report.recordings, len(report.empty), report.exit_code) == (1, 1, 3)


def test_an_existing_table_is_not_replaced_without_being_asked(make: MakeTable, out: Path) -> None:
    out.write_text("precious")
    with pytest.raises(UsageError, match="exists"):
        make()
    assert out.read_text() == "precious"
    make(overwrite=True)
    assert pq.read_metadata(out).num_rows == 4


def test_a_second_run_is_refused_and_harms_no_file_of_the_first(make: MakeTable, out: Path) -> None:
    with locks.hold(store_folder(out), wait=False):
        spilled = store_folder(out) / "x.features"
        spilled.touch()
        with pytest.raises(LockedError, match="another run is writing this table"):
            make()
        assert spilled.exists()


def test_files_of_a_killed_run_are_removed(make: MakeTable, out: Path, tmp_path: Path) -> None:
    store_folder(out).mkdir()
    (store_folder(out) / "x.features").touch()
    make()
    assert sorted(os.listdir(tmp_path)) == ["f.parquet", "in"]


def test_a_run_that_fails_leaves_no_files(make: MakeTable, tmp_path: Path) -> None:
    def interrupt(event: Event) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(interrupt)
    assert os.listdir(tmp_path) == ["in"]
