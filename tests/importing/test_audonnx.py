"""audEERING's model: a zip archive whose model.yaml is plain data."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from made_sources import HIDDEN, MODEL_YAML, dimensional_net, write_audonnx
from voices import write_voice

from batchemo import scan
from batchemo.errors import BatchemoError
from batchemo.importing.options import ImportOptions
from batchemo.importing.run import import_model
from batchemo.tables.embeddings import read_embeddings

pytest.importorskip("onnx")
pytest.importorskip("yaml")


def imported(source: Path, **more: Any) -> Any:
    return import_model(ImportOptions(source=source, output=source.parent / "mine", **more))


def described(old: str, new: str) -> str:
    assert old in MODEL_YAML
    return MODEL_YAML.replace(old, new)


@pytest.mark.parametrize("unnamed", ["    hidden_states: null\n", ""])
def test_it_gives_its_dimensions_in_their_order_and_its_embedding(
    tmp_path: Path, unnamed: str
) -> None:
    text = described("    hidden_states: null\n", unnamed)
    result = imported(write_audonnx(tmp_path / "model.zip", None, text))

    outputs = result.bundle.outputs
    assert outputs["dimensions"]["dimensions"] == ["arousal", "dominance", "valence"]
    assert outputs["embedding"]["size"] == HIDDEN
    assert result.bundle.labels == ()
    assert set(result.comparison.differences) == {"dimensions", "embedding"}
    assert result.comparison.same_label is None
    assert "16000 Hz, as the source does not say" in result.bundle.card
    assert "softmax" not in result.bundle.card


def test_a_scan_gives_what_the_graph_gives(tmp_path: Path) -> None:
    model = imported(write_audonnx(tmp_path / "model.zip"), window=3.0).bundle
    (tmp_path / "recordings").mkdir()
    for number, seconds in enumerate((2.0, 2.7)):
        write_voice(tmp_path / "recordings" / f"{number}.wav", seconds=seconds, seed=number)
    names = {name: tmp_path / f"{name}.parquet" for name in ("output", "segments", "embeddings")}
    rows = scan(tmp_path / "recordings", model=str(model.path), jobs=1, **names).to_pylist()

    embeddings = read_embeddings(names["embeddings"]).matrix
    for number, row in enumerate(rows):
        samples, _ = soundfile.read(tmp_path / "recordings" / f"{number}.wav", dtype="float32")
        hidden, logits = run_alone(dimensional_net(), samples)
        found = [row[name] for name in ("arousal", "dominance", "valence")]
        np.testing.assert_allclose(found, logits, atol=1e-5)
        np.testing.assert_allclose(embeddings[number], hidden, atol=1e-5)
        assert (row["emotion"], row["confidence"], row["margin"]) == (None, None, None)
        assert not any(name.startswith("p_") or name.endswith("_est") for name in row)


def run_alone(content: bytes, samples: Any) -> list[Any]:
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    results = session.run(["hidden_states", "logits"], {"signal": samples[None]})
    return [result[0] for result in results]


def test_a_graph_that_holds_for_one_window_only_is_run_on_one_at_a_time(tmp_path: Path) -> None:
    free = imported(write_audonnx(tmp_path / "free.zip"), window=1.0)
    assert free.bundle.input.batch_size is None
    source = write_audonnx(tmp_path / "baked.zip", dimensional_net(is_baked_in=True))
    baked = imported(source, window=1.0, overwrite=True)

    assert baked.bundle.input.batch_size == 1
    assert baked.comparison.is_close
    write_voice(tmp_path / "long.wav", seconds=9.0, seed=1)
    [row] = scan(tmp_path / "long.wav", model=str(baked.bundle.path), jobs=1).to_pylist()
    assert row["windows"] == 9
    assert row["arousal"] is not None


def test_an_unpacked_folder_is_the_same(tmp_path: Path) -> None:
    with zipfile.ZipFile(write_audonnx(tmp_path / "model.zip")) as archive:
        archive.extractall(tmp_path / "model")

    assert imported(tmp_path / "model").bundle.dimensions == ("arousal", "dominance", "valence")


def test_names_that_are_no_dimensions_are_labels(tmp_path: Path) -> None:
    text = MODEL_YAML.replace("arousal", "happy").replace("dominance", "sad")
    text = text.replace("valence", "angry")

    assert imported(write_audonnx(tmp_path / "model.zip", None, text)).bundle.labels == (
        "happy",
        "sad",
        "angry",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (described("transform: null", "transform: !!python/name:os.system ''"), "tag or an alias"),
        (described("path: model.onnx", "path: !!python/object/apply:os.abort []"), "tag or an"),
        (described("path: model.onnx", "path: &a model.onnx\n  name: *a"), "tag or an alias"),
        (described("transform: null", "transform:\n    $os.system==1: {a: b}"), "other packages"),
        (described("$audonnx.core.model.Model==0.6.1", "$os.system"), "does not describe a model"),
        (described("path: model.onnx", "path: ../model.onnx"), "name of a file beside it"),
        (described("path: model.onnx", "path: /etc/passwd"), "name of a file beside it"),
        (described("path: model.onnx", "path: other.onnx"), "has no other.onnx"),
        (described("path: model.onnx", "path: [model.onnx]"), "name of a file beside it"),
        (described("    - valence\n", ""), "gives 3 numbers, and there are 2"),
        (described("- valence", "- smugness"), "there are columns for"),
        (described("    - arousal", "    - 2020-13-45"), "no YAML|no list of names"),
        ("[" * 10_000, "no YAML"),
        ("[]", "does not describe a model"),
        (described("hidden_states: null", "hidden_states: [a, b]"), "--classes NAME"),
    ],
)
def test_descriptions_that_are_hostile_or_do_not_fit_are_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(BatchemoError, match=message):
        imported(write_audonnx(tmp_path / "model.zip", None, text))
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize("name", ["../model.yaml", "/etc/cron.d/x", "a/../../b", "a\\b"])
def test_archives_with_paths_that_climb_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BatchemoError, match="leads out of it"):
        imported(write_audonnx(tmp_path / "model.zip", **{name: b"x"}))


def test_archives_that_are_damaged_or_hold_a_file_twice_are_refused(tmp_path: Path) -> None:
    (tmp_path / "no.zip").write_bytes(b"PK no archive")
    with pytest.raises(BatchemoError, match="is no zip archive"):
        imported(tmp_path / "no.zip")
    with pytest.warns(UserWarning, match="Duplicate"):
        twice = write_audonnx(tmp_path / "twice.zip", **{"model.yaml": b"other"})
    with pytest.raises(BatchemoError, match="holds a file twice"):
        imported(twice)
