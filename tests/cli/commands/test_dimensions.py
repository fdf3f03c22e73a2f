"""Commands with a model of dimensions alone: they work, or say what they need."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from command_line import RunCommand
from voices import write_voice

from batchemo import scan
from batchemo.bundles import Bundle

pytest.importorskip("onnx")

DIMENSIONS = {"name": "adv", "dimensions": ["arousal", "dominance", "valence"]}


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
    outputs = {"dimensions": DIMENSIONS}
    return str(make_bundle(labels=(), waveform=True, name="dimensional", outputs=outputs).path)


def test_predict_prints_what_was_measured(
    batchemo: RunCommand, recordings: Path, measuring: str
) -> None:
    printed = batchemo("predict", recordings / "2.wav", "-m", measuring)
    assert printed.code == 0
    assert printed.out.count("arousal ") > 2
    [found] = json.loads(batchemo("predict", recordings / "2.wav", "-m", measuring, "--json").out)
    assert found["emotion"] is found["windows"][0]["probabilities"] is None
    assert isinstance(found["valence"], float)
    assert isinstance(found["windows"][0]["valence"], float)


def test_predict_prints_labels_of_one_model_and_dimensions_of_another(
    batchemo: RunCommand, recordings: Path, measuring: str, tiny_bundle: Bundle
) -> None:
    words = ("predict", recordings / "2.wav", "-m", measuring, "-m", tiny_bundle.path)
    printed = batchemo(*words)
    assert printed.code == 0
    assert printed.out.count("arousal ") == 1
    assert "\n  tiny\n" in printed.out
    assert "\n  dimensional\n" not in printed.out
    [found] = json.loads(batchemo(*words, "--json").out)
    assert found.keys().isdisjoint({"agreement", "models"})
    assert isinstance(found["arousal"], float)
    assert found["emotion"] in found["probabilities"]
    for window in found["windows"]:
        assert (window["model"] == "tiny") == (window["arousal"] is None)
        assert (window["model"] == "tiny") == (window["emotion"] is not None)


def test_commands_about_labels_say_that_there_are_none(
    batchemo: RunCommand, recordings: Path, measuring: str, tmp_path: Path
) -> None:
    table, other = tmp_path / "r.parquet", tmp_path / "o.parquet"
    scan(recordings, model=measuring, jobs=1, output=table)
    for command in (
        ("report", table, "-o", tmp_path / "r.html"),
        ("scan", recordings, "-m", measuring, "-o", other, "--report", tmp_path / "r.html"),
        ("review", table, "--list"),
        ("export", table, "-o", tmp_path / "labels", "--to", "audacity"),
        ("app", "-m", measuring, "--no-browser"),
        ("evaluate", measuring, recordings, "--label", "recordings=happy"),
    ):
        refused = batchemo(*command)
        assert (refused.code, refused.out) == (2, ""), command
        assert "labels" in refused.err, command
    assert not other.exists()


def test_a_summary_counts_recordings_without_labels(
    batchemo: RunCommand, recordings: Path, measuring: str, tmp_path: Path
) -> None:
    table = tmp_path / "r.parquet"
    scan(recordings, model=measuring, jobs=1, output=table, summary=tmp_path / "s.parquet")
    shown = batchemo("show", table).out
    assert "gives     arousal, dominance, valence\n" in shown
    assert "labels" not in shown.partition("columns")[0]
    printed = batchemo("summary", table).out
    assert "(no labels)" in printed
    assert "mean arousal " in printed
    rows = pq.read_table(tmp_path / "s.parquet").to_pylist()
    assert [(row["status"], row["emotion"], row["files"]) for row in rows] == [
        ("ok", None, 3),
        ("failed", None, 1),
    ]
    assert rows[0]["mean_confidence"] is None
    assert list(rows[0])[-3:] == ["mean_arousal", "mean_valence", "mean_dominance"]
    values = [value for value in pq.read_table(table)["valence"].to_pylist() if value is not None]
    assert rows[0]["mean_valence"] == pytest.approx(sum(values) / 3)
    assert rows[1]["mean_valence"] is None
    counted = tmp_path / "counted.parquet"
    assert batchemo("summary", table, "-o", counted).code == 0
    assert pq.read_table(counted).to_pylist() == rows
