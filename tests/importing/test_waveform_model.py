"""Graphs that take samples, from one file or from an export, become what a bundle has."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_sources import HIDDEN, LABELS, net, whisper_net, write_export

from batchemo.errors import BundleError, UsageError
from batchemo.importing.options import ImportedModel, ImportOptions
from batchemo.importing.waveform_model import import_onnx_file, import_optimum

pytest.importorskip("onnx")


def imported(folder: Path, **more: Any) -> ImportedModel:
    return import_optimum(ImportOptions(source=folder, output=folder / "out", **more))


def from_file(path: Path, content: bytes, **more: Any) -> ImportedModel:
    path.write_bytes(content)
    told = {"input": "waveform", "rate": 16000, "labels": ("a", "b", "c", "d"), **more}
    return import_onnx_file(ImportOptions(source=path, output=path.parent / "out", **told))


def run(content: bytes, batch: Any) -> dict[str, Any]:
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    assert [each.name for each in session.get_inputs()] == ["samples"]
    names = [each.name for each in session.get_outputs()]
    return dict(zip(names, session.run(None, {"samples": batch}), strict=True))


def noise(*shape: int) -> Any:
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("changes", [{}, {"mask": True}, {"channel": True}, {"softmax": True}])
def test_the_graph_takes_samples_alone_and_gives_logits_and_the_embedding(
    tmp_path: Path, changes: Any
) -> None:
    model = imported(write_export(tmp_path / "export", net(hidden_states=True, **changes)))

    found = run(model.graph, noise(3, 8000))
    plain = run_plain(net(), noise(3, 8000))
    assert set(found) == {"logits", "embedding"}
    np.testing.assert_allclose(found["logits"], plain, atol=1e-5)
    assert found["embedding"].shape == (3, HIDDEN)
    assert model.outputs == {
        "classes": {"name": "logits", "labels": ["neutral", "happy", "angry", "sad"]},
        "embedding": {"name": "embedding", "size": HIDDEN},
    }


def run_plain(content: bytes, batch: Any) -> Any:
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"input_values": batch})[0]


def test_the_input_is_as_the_export_says(tmp_path: Path) -> None:
    folder = write_export(tmp_path, preprocessor={"sampling_rate": 8000, "do_normalize": False})

    assert imported(folder).input == {
        "type": "waveform",
        "rate": 8000,
        "window": 10.0,
        "hop": 10.0,
        "window_range": [0.25, 30.0],
        "normalisation": "none",
        "padding": "forbidden",
    }
    assert imported(folder, normalise=True).input["normalisation"] == "zero_mean_unit_variance"


def test_a_graph_of_one_length_gets_windows_of_that_length(tmp_path: Path) -> None:
    model = from_file(tmp_path / "net.onnx", net(samples=32000))

    assert model.input["window_range"] == [2.0, 2.0]
    assert model.input["padding"] == "trained"
    with pytest.raises(UsageError, match="takes 2 s only"):
        from_file(tmp_path / "net.onnx", net(samples=32000), window=3.0)


def test_labels_are_those_of_the_export_or_those_that_are_given(tmp_path: Path) -> None:
    folder = write_export(tmp_path)

    assert imported(folder, own_labels=True).outputs["classes"]["labels"] == list(LABELS)
    named = imported(folder, labels=("q", "r", "s", "t"))
    assert named.outputs["classes"]["labels"] == ["q", "r", "s", "t"]


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        ({"batch": 2}, "first dimension that is free"),
        ({"extra_input": True}, "takes input_values, speaker"),
        ({"labels": 5}, "gives 5 numbers, and there are 4 labels"),
        ({"operator": "Loop"}, "operator 'Loop'"),
    ],
)
def test_graphs_that_no_scan_can_run_are_refused_in_words(
    tmp_path: Path, graph: Any, message: str
) -> None:
    folder = write_export(tmp_path, net(**graph))

    with pytest.raises((BundleError, UsageError), match=message):
        imported(folder)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"id2label": {"0": "a", "2": "b"}}, "does not number the labels from 0"),
        ({"id2label": ["a", "b"]}, "does not number the labels from 0"),
        ({"id2label": {str(n): f"LABEL_{n}" for n in range(4)}}, "have no names"),
        ({"id2label": {"0": "a", "1": "b"}}, "gives 4 numbers, and there are 2 labels"),
        ({"problem_type": "multi_label_classification"}, "is for multi_label_classification"),
    ],
)
def test_configs_that_do_not_fit_are_refused(tmp_path: Path, config: Any, message: str) -> None:
    with pytest.raises((BundleError, UsageError), match=message):
        imported(write_export(tmp_path, config=config))


@pytest.mark.parametrize(
    ("preprocessor", "message"),
    [
        ({"sampling_rate": "16000"}, "sampling_rate should be a whole number"),
        ({"feature_extractor_type": "ASTFeatureExtractor"}, "ASTFeatureExtractor makes features"),
        ({"feature_extractor_type": "WhisperFeatureExtractor", "n_fft": 512}, "n_fft is 512"),
    ],
)
def test_preprocessors_that_do_not_fit_are_refused(
    tmp_path: Path, preprocessor: Any, message: str
) -> None:
    with pytest.raises(BundleError, match=message):
        imported(write_export(tmp_path, preprocessor=preprocessor))


def test_files_that_are_missing_or_broken_are_named(tmp_path: Path) -> None:
    folder = write_export(tmp_path)
    (folder / "config.json").write_text("[" * 100_000)
    with pytest.raises(BundleError, match=r"config\.json: is no JSON"):
        imported(folder)
    (folder / "config.json").unlink()
    with pytest.raises(UsageError, match=r"config\.json: is missing"):
        imported(folder)


@pytest.mark.parametrize("name", ["config.json", "model.onnx"])
def test_a_pipe_in_place_of_a_file_is_refused(tmp_path: Path, name: str) -> None:
    folder = write_export(tmp_path)
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with pytest.raises((BundleError, UsageError), match="is no regular file"):
        imported(folder)


def test_no_embedding_is_given_that_tables_could_not_hold(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("batchemo.importing.graph_outputs.MAX_EMBEDDING_SIZE", HIDDEN - 1)
    assert set(imported(write_export(tmp_path)).outputs) == {"classes"}


def test_one_file_needs_what_it_does_not_say(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="add --input waveform, --rate 16000 and --labels"):
        from_file(tmp_path / "net.onnx", net(), rate=None)
    with pytest.raises(UsageError, match="has no output scores: frames, logits"):
        from_file(tmp_path / "net.onnx", net(hidden_states=True), classes="scores")


@pytest.mark.parametrize("opset", [13, 17, 18])
def test_whispers_features_become_a_part_of_the_graph(tmp_path: Path, opset: int) -> None:
    settings = {
        "feature_extractor_type": "WhisperFeatureExtractor",
        "feature_size": 80,
        "do_normalize": False,
    }
    folder = write_export(tmp_path, whisper_net(opset=opset), preprocessor=settings)
    model = imported(folder)

    voice = noise(2, 40_000) * np.sin(np.arange(40_000) / 2000).astype(np.float32)
    logits = run(model.graph, voice)["logits"]
    for window, row in zip(voice, logits, strict=True):
        np.testing.assert_allclose(row, model.original(window)["classes"], atol=1e-4)
    assert model.input["padding"] == "masked"
    assert json.loads((folder / "config.json").read_text())["id2label"]["0"] == "neu"
