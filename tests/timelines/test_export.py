"""An export has a file for each recording, below its folder and nowhere else."""

from __future__ import annotations

import csv
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batchemo.errors import UsageError
from batchemo.timelines import Joining
from batchemo.timelines.export import KINDS, export_timelines
from batchemo.timelines.read import read_timelines

SEGMENTS = ("root", "file", "start", "end", "emotion", "confidence", "p_calm", "p_angry")


def write_csv(path: Path, columns: tuple[str, ...], *rows: tuple[object, ...]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, quoting=csv.QUOTE_NONNUMERIC)
        writer.writerow(columns)
        writer.writerows(rows)
    return path


def window(file: str, start: float, label: str, root: str = "/rec") -> tuple[object, ...]:
    calm = 0.9 if label == "calm" else 0.1
    return (root, file, start, start + 5.0, label, 0.9, calm, 1 - calm)


@pytest.fixture
def segments(tmp_path: Path) -> Path:
    return write_csv(
        tmp_path / "windows.csv",
        SEGMENTS,
        window("x/a.wav", 0.0, "calm"),
        window("x/a.wav", 5.0, "calm"),
        window("x/a.flac", 0.0, "angry"),
    )


def exported(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_each_recording_has_a_file_and_no_two_have_the_same(segments: Path, tmp_path: Path) -> None:
    count = export_timelines(segments, "audacity", tmp_path / "out")

    assert count == 2
    assert exported(tmp_path / "out") == {
        "x/a.txt": "0.000000\t10.000000\tcalm\n",
        "x/a.flac.txt": "0.000000\t5.000000\tangry\n",
    }


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_table_gives_the_same_bytes(kind: str, segments: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        export_timelines(segments, kind, tmp_path / name)

    assert exported(tmp_path / "one") == exported(tmp_path / "two") != {}


def test_recordings_of_two_roots_stay_apart(tmp_path: Path) -> None:
    table = write_csv(
        tmp_path / "windows.csv",
        SEGMENTS,
        *(window("a.wav", 0.0, "calm", root) for root in ("/x/day", "/y/day", "/z")),
    )

    export_timelines(table, "srt", tmp_path / "out")

    assert sorted(exported(tmp_path / "out")) == ["day-2/a.srt", "day/a.srt", "z/a.srt"]


def test_of_a_recordings_table_each_recording_is_one_stretch(tmp_path: Path) -> None:
    table = write_csv(
        tmp_path / "results.csv",
        ("root", "file", "emotion", "confidence", "p_calm", "p_angry", "duration"),
        ("/rec", "a.wav", "calm", 0.7, 0.7, 0.3, 4.0),
    )

    export_timelines(table, "audacity", tmp_path / "out")

    assert exported(tmp_path / "out") == {"a.txt": "0.000000\t4.000000\tcalm\n"}


@pytest.mark.parametrize("file", ["../a.wav", "/etc/a.wav", "x/../../a.wav", ""])
def test_nothing_is_written_outside_of_the_folder(file: str, tmp_path: Path) -> None:
    table = write_csv(tmp_path / "windows.csv", SEGMENTS, window(file, 0.0, "calm"))

    with pytest.raises(UsageError, match="not below its root"):
        export_timelines(table, "audacity", tmp_path / "out")

    assert exported(tmp_path / "out") == {}


def test_a_folder_with_files_is_left_alone_unless_asked(segments: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("mine")

    with pytest.raises(UsageError, match="is not empty"):
        export_timelines(segments, "audacity", tmp_path / "out")
    export_timelines(segments, "audacity", tmp_path / "out", overwrite=True)

    assert exported(tmp_path / "out")["mine.txt"] == "mine"


def test_another_table_is_refused(tmp_path: Path) -> None:
    table = write_csv(tmp_path / "counts.csv", ("root", "file", "status"), ("/rec", "a.wav", "ok"))

    with pytest.raises(UsageError, match="no segments or recordings table"):
        export_timelines(table, "audacity", tmp_path / "out")


def test_windows_of_several_models_are_tiers(tmp_path: Path) -> None:
    columns = ("root", "file", "model", *SEGMENTS[2:])
    one, two = window("a.wav", 0.0, "calm"), window("a.wav", 0.0, "angry")
    table = write_csv(
        tmp_path / "windows.csv", columns, (*one[:2], "m", *one[2:]), (*two[:2], "n", *two[2:])
    )

    (timeline,) = read_timelines(table, Joining())

    assert {tier: [s.label for s in of] for tier, of in timeline.tiers.items()} == {
        "m": ["calm"],
        "n": ["angry"],
    }
    assert timeline.duration == 5.0


def test_turns_are_stretches_in_a_tier_for_each_speaker(tmp_path: Path) -> None:
    turns = [
        (1.0, 3.0, "anna", "calm"),
        (2.5, 4.0, "ben", "angry"),
        (5.0, 6.0, "anna", None),
        (7.0, 8.0, "anna", "angry"),
        (7.5, 9.0, "anna", "calm"),
    ]
    rows = [
        {
            **{"root": "/rec", "file": "a.wav", "start": start, "end": end, "speaker": who},
            **{"channel": None, "status": "ok" if label else "failed", "emotion": label},
            **{"confidence": 0.8, "p_calm": 0.8, "p_angry": 0.2, "duration": end - start},
        }
        for start, end, who, label in turns
    ]
    table = tmp_path / "turns.parquet"
    pq.write_table(pa.Table.from_pylist(rows), table)

    (timeline,) = read_timelines(table, Joining())

    assert {
        tier: [(one.start, one.end, one.label) for one in of] for tier, of in timeline.tiers.items()
    } == {
        "anna": [(1.0, 3.0, "calm"), (7.0, 8.0, "angry")],
        "ben": [(2.5, 4.0, "angry")],
        # What overlaps cannot stand in one tier.
        "anna 2": [(7.5, 9.0, "calm")],
    }
    assert timeline.duration == 9.0
    assert export_timelines(table, "textgrid", tmp_path / "out") == 1


def test_windows_of_speakers_and_channels_are_tiers(tmp_path: Path) -> None:
    columns = ("root", "file", "speaker", "channel", *SEGMENTS[2:])
    one, two = window("a.wav", 0.0, "calm"), window("a.wav", 0.0, "angry")
    table = write_csv(
        tmp_path / "windows.csv",
        columns,
        (*one[:2], "anna", 0, *one[2:]),
        (*two[:2], "ben", 1, *two[2:]),
    )

    (timeline,) = read_timelines(table, Joining())

    assert list(timeline.tiers) == ["anna, channel 0", "ben, channel 1"]
