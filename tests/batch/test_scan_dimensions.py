"""Models that measure dimensions: their columns, and what is done with a table without labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_bundle import LABELS
from voices import write_voice

from batchemo import scan
from batchemo.bundles import Bundle
from batchemo.errors import UsageError
from batchemo.tables.describe import describe
from batchemo.tables.read import open_table, read_recordings_table

pytest.importorskip("onnx")

DIMENSIONS = {"name": "adv", "dimensions": ["arousal", "dominance", "valence"]}
EMBEDDING = {"name": "hidden", "size": 4}


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    folder = tmp_path / "recordings"
    folder.mkdir()
    for number, seconds in enumerate((0.8, 2.0, 7.0)):
        write_voice(folder / f"{number}.wav", seconds=seconds, seed=number)
    (folder / "3.wav").write_bytes(b"no audio")
    return folder


@pytest.fixture
def measuring(make_bundle: Any) -> str:
    """A model of dimensions alone."""
    outputs = {"dimensions": DIMENSIONS, "embedding": EMBEDDING}
    return str(make_bundle(labels=(), waveform=True, name="dimensional", outputs=outputs).path)


@pytest.fixture
def both(make_bundle: Any) -> str:
    """A model of labels and dimensions."""
    outputs = {"dimensions": DIMENSIONS}
    return str(make_bundle(waveform=True, name="both", outputs=outputs).path)


def test_the_columns_stand_in_one_order_and_labels_are_null(
    recordings: Path, measuring: str, tmp_path: Path
) -> None:
    segments = tmp_path / "s.parquet"
    table = scan(recordings, model=measuring, jobs=1, output=tmp_path / "r.csv", segments=segments)

    first = table.column_names.index("detail") + 1
    assert table.column_names[first : first + 7] == [
        *("emotion", "confidence", "margin", "arousal", "valence", "dominance", "familiarity"),
    ]
    rows = table.to_pylist()
    assert [row["status"] for row in rows] == ["ok", "ok", "ok", "failed"]
    assert {row["emotion"] for row in rows} == {row["margin"] for row in rows} == {None}
    windows = read_windows(segments)
    of_last = [row["arousal"] for row in windows if row["file"] == "2.wav"]
    assert rows[2]["windows"] == len(of_last) > 1
    assert rows[2]["arousal"] == pytest.approx(np.mean(of_last), abs=1e-6)
    assert rows[3]["arousal"] is None
    from_csv = read_recordings_table(tmp_path / "r.csv").to_pylist()
    assert [row["valence"] for row in from_csv] == [row["valence"] for row in rows]


def test_measured_and_estimated_dimensions_stand_beside_each_other(
    recordings: Path, both: str
) -> None:
    table = scan(recordings, model=both, jobs=1, dimensions=True)

    names = table.column_names
    first = names.index(f"p_{LABELS[-1]}") + 1
    assert names[first : first + 6] == [
        *("arousal", "valence", "dominance", "valence_est", "arousal_est", "dominance_est"),
    ]
    assert table["emotion"].null_count == table["arousal"].null_count == 1


def test_a_manifests_column_of_that_name_is_renamed(
    recordings: Path, measuring: str, tmp_path: Path
) -> None:
    (tmp_path / "m.csv").write_text("file,arousal\n" + f"{recordings}/1.wav,high\n")
    [row] = scan(manifest=tmp_path / "m.csv", model=measuring, jobs=1).to_pylist()

    assert row["manifest_arousal"] == "high"
    assert isinstance(row["arousal"], float)


@pytest.mark.process
@pytest.mark.parametrize("beside_labels", [False, True])
def test_tables_are_the_same_bytes_for_any_number_of_workers_and_after_an_update(
    recordings: Path, measuring: str, tiny_bundle: Bundle, tmp_path: Path, beside_labels: bool
) -> None:
    models = [str(tiny_bundle.path), measuring] if beside_labels else [measuring]
    tables = ("output", "segments") if beside_labels else ("output", "segments", "embeddings")
    contents = []
    for number, jobs in enumerate((1, 2, 1)):
        folder = tmp_path / f"out{number}"
        folder.mkdir()
        names = {name: folder / f"{name}.parquet" for name in tables}
        if number == 2:
            scan(recordings, model=models, jobs=1, exclude=["2.wav"], **names)
        scan(recordings, model=models, jobs=jobs, update=number == 2, **names)
        contents.append([path.read_bytes() for path in names.values()])
    assert contents[0] == contents[1] == contents[2]


def test_an_update_keeps_what_was_measured(
    recordings: Path, measuring: str, tmp_path: Path
) -> None:
    names = {name: tmp_path / f"{name}.parquet" for name in ("output", "segments")}
    before = scan(recordings, model=measuring, jobs=1, **names)
    write_voice(recordings / "4.wav", seconds=1.0, seed=4)
    segments = names["segments"].stat().st_size
    after = scan(recordings, model=measuring, jobs=1, update=True, **names)

    assert after.slice(0, 4).to_pylist() == before.to_pylist()
    assert after.num_rows == 5
    assert names["segments"].stat().st_size != segments
    assert describe(names["segments"]).rows == sum(filter(None, after["windows"].to_pylist()))


@pytest.mark.parametrize(
    "options",
    [
        {"dimensions": True},
        {"min_confidence": 0.5},
        {"class_shares": "even"},
        {"speaker": "folder"},
    ],
)
def test_options_about_labels_are_refused(recordings: Path, measuring: str, options: Any) -> None:
    with pytest.raises(UsageError, match="no labels with probabilities"):
        scan(recordings, model=measuring, jobs=1, **options)


def test_two_models_that_measure_dimensions_are_refused(
    recordings: Path, measuring: str, both: str
) -> None:
    with pytest.raises(UsageError, match="both measure dimensions"):
        scan(recordings, model=[both, measuring], jobs=1)


def test_a_model_of_dimensions_adds_its_columns_to_those_of_another(
    recordings: Path, measuring: str, tiny_bundle: Bundle, tmp_path: Path
) -> None:
    alone = [scan(recordings, model=one, jobs=1) for one in (tiny_bundle.path, measuring)]
    segments = tmp_path / "s.parquet"
    models = [measuring, tiny_bundle.path]
    table = scan(recordings, model=models, jobs=1, output=tmp_path / "r.csv", segments=segments)

    added = [name for name in alone[1].column_names if name not in alone[0].column_names]
    assert set(table.column_names) == {*alone[0].column_names, *added}
    assert "agreement" not in table.column_names
    for one, names in zip(alone, (["emotion", "confidence", "p_happy"], added), strict=True):
        assert table.select(names).to_pylist() == one.select(names).to_pylist()
    windows = read_windows(segments)
    assert {row["model"] for row in windows} == {"dimensional", "tiny"}
    for row in windows:
        assert (row["p_happy"] is None) == (row["arousal"] is not None)
    assert read_recordings_table(tmp_path / "r.csv").num_rows == 4


def test_a_model_of_dimensions_beside_two_others_has_no_part_in_their_mean(
    recordings: Path, measuring: str, tiny_bundle: Bundle, make_bundle: Any, tmp_path: Path
) -> None:
    others = [str(tiny_bundle.path), str(make_bundle(name="other", seed=5).path)]
    without = scan(recordings, model=others, jobs=1)
    table = scan(recordings, model=[others[0], measuring, others[1]], jobs=1)

    for name in ("emotion", "confidence", "agreement", "p_sad", "p_sad_other", "emotion_tiny"):
        assert table[name].to_pylist() == without[name].to_pylist()
    assert table["arousal"].null_count == 1
    assert not [name for name in table.column_names if name.endswith("_dimensional")]


def read_windows(segments: Path) -> list[dict[str, Any]]:
    return [row for batch in open_table(segments).batches() for row in batch.to_pylist()]
