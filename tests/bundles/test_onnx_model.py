"""A graph that is not what its bundle says, or takes for ever, is refused when it is opened."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile_graphs import endless_chain, endless_operator, write_unchecked
from tiny_bundle import tiny_files, tiny_graph, tiny_info, waveform_graph

from batchemo.bundles import Bundle, load_bundle, onnx_model, open_classifier, write_bundle
from batchemo.errors import BundleError

onnx = pytest.importorskip("onnx")

DIMENSIONS = {
    "name": "coordinates",
    "dimensions": ["arousal", "valence"],
    "ranges": {"arousal": [0, 1], "valence": [-1, 1]},
}
EMBEDDING = {"name": "hidden", "size": 7}
FAMILIARITY = {"name": "familiarity"}
OUTPUTS = {"dimensions": DIMENSIONS, "embedding": EMBEDDING, "familiarity": FAMILIARITY}


def test_of_several_outputs_the_one_named_for_the_classes_is_used(tmp_path: Path) -> None:
    info = tiny_info(waveform=True, outputs=OUTPUTS)
    alone = tiny_info(waveform=True)
    files = tiny_files(info)
    windows = np.random.default_rng(0).normal(size=(3, 48000)).astype(np.float32)

    several = (
        open_classifier(write_bundle(tmp_path / "several", info, files)).run(windows).probabilities
    )
    one = open_classifier(write_bundle(tmp_path / "one", alone, files)).run(windows).probabilities

    assert several.shape == (3, 4)
    assert several.tobytes() == one.tobytes()


def test_a_graph_is_tried_unless_it_was_shipped(
    tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []
    monkeypatch.setattr(onnx_model, "_try_graph", lambda *arguments: tried.append(arguments))
    open_classifier(tiny_bundle)
    assert len(tried) == 1
    monkeypatch.setattr("batchemo.bundles.bundle.models_folder", lambda: tiny_bundle.path.parent)
    open_classifier(tiny_bundle)
    assert len(tried) == 1


@pytest.mark.parametrize(
    ("outputs", "graph", "message"),
    [
        ({}, tiny_graph(64, 2), "'logits' for the classes should give 4 numbers .* of n × 2"),
        (
            {"embedding": EMBEDDING},
            tiny_graph(64, 4),
            "has no output 'hidden' for the embedding; it has: logits",
        ),
    ],
)
def test_an_output_that_the_graph_has_not_is_refused(
    tmp_path: Path, outputs: dict[str, Any], graph: bytes, message: str
) -> None:
    info = tiny_info(outputs=outputs)
    bundle = write_bundle(tmp_path / "forged", info, {**tiny_files(info), "model.onnx": graph})

    with pytest.raises(BundleError, match=message):
        open_classifier(bundle)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("dimensions", "'coordinates' for the dimensions should give 2 numbers .* of n × 3"),
        ("embedding", "'hidden' for the embedding should give 7 numbers .* of n × 8"),
        ("familiarity", "'familiarity' for the familiarity should give 1 number .* of n × 2"),
    ],
)
def test_outputs_of_another_size_are_refused(tmp_path: Path, kind: str, message: str) -> None:
    info = tiny_info(waveform=True, outputs=OUTPUTS)
    more = {"coordinates": 2, "hidden": 7, "familiarity": 1}
    more[OUTPUTS[kind]["name"]] += 1
    files = {**tiny_files(info), "model.onnx": waveform_graph(4, more=more)}

    with pytest.raises(BundleError, match=message):
        open_classifier(write_bundle(tmp_path / "forged", info, files))


def test_a_graph_that_takes_other_features_is_refused(tmp_path: Path) -> None:
    info = tiny_info()
    files = {**tiny_files(info), "model.onnx": tiny_graph(40, 4)}

    with pytest.raises(BundleError, match=r"time × 40 a window, but .* 3 s gives 301 × 64"):
        open_classifier(write_bundle(tmp_path / "forged", info, files))


def test_a_graph_that_takes_features_cannot_take_a_waveform(tmp_path: Path) -> None:
    info = tiny_info(waveform=True)
    files = {**tiny_files(info), "model.onnx": tiny_graph(64, 4)}

    with pytest.raises(BundleError, match=r"takes arrays of time × 64 a window, but .* gives \d+ "):
        open_classifier(write_bundle(tmp_path / "forged", info, files))


def test_a_graph_of_one_length_cannot_take_the_windows_of_a_range(tmp_path: Path) -> None:
    info = tiny_info(waveform=True, window_range=[1.0, 5.0])
    model = onnx.load_from_string(tiny_files(info)["model.onnx"])
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 48000
    files = {**tiny_files(info), "model.onnx": model.SerializeToString()}

    with pytest.raises(BundleError, match="takes arrays of 48000 a window, but a window of"):
        open_classifier(write_bundle(tmp_path / "forged", info, files))
    fixed = tiny_info(waveform=True, window_range=[3.0, 3.0])
    open_classifier(write_bundle(tmp_path / "fixed", fixed, files))


@pytest.mark.parametrize("make_graph", [endless_chain, partial(endless_operator, 100_000)])
def test_a_graph_that_is_not_done_in_time_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_graph: Callable[[], bytes]
) -> None:
    monkeypatch.setattr(onnx_model, "TRIAL_SECONDS", 0.5)
    bundle = load_bundle(write_unchecked(tmp_path / "endless", make_graph()))

    with pytest.raises(BundleError, match=r"is not done with a single window after 0\.5 s"):
        open_classifier(bundle)


def test_a_file_is_never_read_in_another_format_than_the_one_that_was_checked(
    tiny_bundle: Bundle, tmp_path: Path
) -> None:
    """ONNX Runtime takes a file for its own format by four bytes, here in a field of protobuf."""
    model = onnx.load_from_string(tiny_bundle.read("model.onnx"))
    model.ClearField("producer_name")
    content = b"\x12\x06aaORTM" + model.SerializeToString()

    assert content[4:8] == b"ORTM"
    open_classifier(load_bundle(write_unchecked(tmp_path / "both", content)))
