"""Graphs whose weights stand in other files, as exports of more than 2 GB have them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_sources import net, write_export, write_external
from voices import write_voice

from batchemo import load_bundle, scan
from batchemo.bundles.bundle import Bundle
from batchemo.bundles.schema import GRAPH_DATA
from batchemo.errors import BatchemoError, BundleError
from batchemo.importing import weights
from batchemo.importing.options import ImportOptions
from batchemo.importing.run import import_model

onnx = pytest.importorskip("onnx")


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """An export with its weights in one file."""
    folder = write_export(tmp_path / "export")
    write_external(folder / "model.onnx", net())
    assert (folder / "model.onnx_data").stat().st_size > 1000
    return folder


def imported(source: Path, name: str = "mine", **more: Any) -> Bundle:
    options = ImportOptions(source=source, output=source.parent / name, window=3.0, **more)
    return import_model(options).bundle


def probabilities(bundle: Bundle, folder: Path) -> Any:
    write_voice(folder / "voice.wav", seconds=5.0, seed=3)
    [row] = scan(folder / "voice.wav", model=str(bundle.path), jobs=1).to_pylist()
    return [row[f"p_{label}"] for label in bundle.labels]


@pytest.mark.parametrize("one_file", [True, False])
def test_weights_beside_the_graph_become_a_part_of_it(tmp_path: Path, one_file: bool) -> None:
    plain = imported(write_export(tmp_path / "whole"), "plain")
    folder = write_export(tmp_path / "export")
    write_external(folder / "model.onnx", net(), one_file=one_file)
    bundle = imported(folder)

    assert GRAPH_DATA not in bundle.info["files"]
    assert probabilities(bundle, tmp_path) == probabilities(plain, tmp_path)


def test_a_graph_that_is_too_large_has_its_weights_in_the_bundle(
    export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = imported(export, "inside")
    monkeypatch.setattr(weights, "MAX_INLINE_BYTES", 1000)
    outside = imported(export, "outside")

    sizes = outside.info["files"]
    assert sizes[GRAPH_DATA]["bytes"] == (export / "model.onnx_data").stat().st_size
    assert sizes["model.onnx"]["bytes"] < inside.info["files"]["model.onnx"]["bytes"]
    assert outside.weight_bytes > 1000
    assert probabilities(outside, tmp_path) == probabilities(inside, tmp_path)
    with pytest.raises(BatchemoError, match="more than 2 GB"):
        imported(export, "small", int8=True)


def test_data_of_a_bundle_that_were_changed_or_cut_are_refused(
    export: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "MAX_INLINE_BYTES", 1000)
    bundle = imported(export)
    path = bundle.path / GRAPH_DATA
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(BundleError, match="not the file that the bundle was made with"):
        load_bundle(bundle.path)
    path.write_bytes(content[:-4])
    with pytest.raises(BundleError, match=r"has .* bytes where"):
        load_bundle(bundle.path)


def place(key: str, value: str) -> Callable[[Path], None]:
    """Change where the graph says that its first weights stand."""

    def change(folder: Path) -> None:
        path = folder / "model.onnx"
        model = onnx.load(path, load_external_data=False)
        tensor = next(each for each in model.graph.initializer if each.data_location == 1)
        for entry in tensor.external_data:
            if entry.key == key:
                entry.value = value
        path.write_bytes(model.SerializeToString())

    return change


def as_a_link(folder: Path) -> None:
    data = folder / "model.onnx_data"
    data.rename(folder.parent / "elsewhere")
    data.symlink_to(folder.parent / "elsewhere")


def as_a_pipe(folder: Path) -> None:
    (folder / "model.onnx_data").unlink()
    os.mkfifo(folder / "model.onnx_data")


def cut(folder: Path) -> None:
    data = folder / "model.onnx_data"
    data.write_bytes(data.read_bytes()[:100])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (place("location", "/etc/passwd"), "beside the graph only"),
        (place("location", "../elsewhere"), "beside the graph only"),
        (place("location", ""), "beside the graph only"),
        (place("location", "gone"), "file of the graph's weights is missing"),
        (place("offset", "-8"), "is shorter than the graph says"),
        (place("length", "99999999"), "is shorter than the graph says"),
        (place("length", "many"), "does not say where its weights stand"),
        (as_a_link, "beside the graph only"),
        (as_a_pipe, "is missing"),
        (cut, "is shorter than the graph says"),
    ],
)
def test_weights_that_stand_elsewhere_are_refused(
    export: Path, change: Callable[[Path], None], message: str
) -> None:
    change(export)
    with pytest.raises(BatchemoError, match=message):
        imported(export)
    assert not (export.parent / "mine").exists()


def test_numbers_are_those_of_onnx_s_own_reader(export: Path) -> None:
    model = onnx.load(export / "model.onnx", load_external_data=False)
    assert weights.take_in_weights(model, export) == b""
    expected = onnx.load(export / "model.onnx")
    for ours, theirs in zip(model.graph.initializer, expected.graph.initializer, strict=True):
        np.testing.assert_array_equal(
            onnx.numpy_helper.to_array(ours), onnx.numpy_helper.to_array(theirs)
        )
