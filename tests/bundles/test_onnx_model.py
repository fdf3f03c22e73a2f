"""A graph that is harmful, or is not what its bundle says, is refused before it runs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_bundle import tiny_files, tiny_graph, tiny_info, waveform_graph

from batchemo.bundles import Bundle, list_bundles, load_bundle, open_classifier, write_bundle
from batchemo.bundles.onnx_model import check_onnx
from batchemo.errors import BundleError

onnx = pytest.importorskip("onnx")

Change = Callable[[Any], None]


def _external(tensor: Any) -> None:
    tensor.data_location = onnx.TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"


def _external_initializer(model: Any) -> None:
    _external(model.graph.initializer[0])


def _external_without_location(model: Any) -> None:
    model.graph.initializer[0].data_location = onnx.TensorProto.EXTERNAL


def _external_constant(model: Any) -> None:
    constant = onnx.helper.make_node(
        "Constant", [], ["c"], value=onnx.helper.make_tensor("t", 1, [1], [0.0])
    )
    _external(constant.attribute[0].t)
    model.graph.node.append(constant)


def _external_in_a_nested_graph(model: Any) -> None:
    inner = onnx.helper.make_graph([], "inner", [], [])
    _external(inner.initializer.add())
    model.graph.node[0].attribute.append(onnx.helper.make_attribute("body", inner))


def _sparse(model: Any) -> None:
    model.graph.sparse_initializer.add().dims.extend([2**20, 2**20])


def _operator(name: str) -> Change:
    def add(model: Any) -> None:
        model.graph.node.append(onnx.helper.make_node(name, ["x"], ["y"]))

    return add


def _huge(*sizes: int) -> Change:
    def add(model: Any) -> None:
        tensor = model.graph.initializer.add()
        tensor.dims.extend(sizes)

    return add


def _foreign_import(model: Any) -> None:
    model.opset_import.add().domain = "com.example"


def _foreign_node(model: Any) -> None:
    model.graph.node[0].domain = "com.microsoft"


def _function(model: Any) -> None:
    model.functions.add().name = "f"


def _training(model: Any) -> None:
    model.training_info.add()


def _too_deep(model: Any) -> None:
    graph = model.graph
    for _ in range(40):
        graph = graph.node.add().attribute.add().g


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_external_initializer, "external data|data in another file"),
        (_external_without_location, "data in another file"),
        (_external_constant, "external data|data in another file"),
        (_external_in_a_nested_graph, "external data|data in another file"),
        (_sparse, "sparse tensors"),
        (_operator("Loop"), "operator 'Loop'"),
        (_operator("If"), "operator 'If'"),
        (_operator("RandomNormal"), "operator 'RandomNormal'"),
        (_operator("NoSuchThing"), "operator 'NoSuchThing'"),
        (_huge(2**40), "tensor of 1,099,511,627,776 values"),
        (_huge(2**20, 2**20), "tensor of 1,099,511,627,776 values"),
        (_huge(-1), "tensor of 18,446,744,073,709,551,615 values"),
        (_foreign_import, "operators of 'com.example'"),
        (_foreign_node, "operators of 'com.microsoft'"),
        (_function, "has functions"),
        (_training, "has training part"),
        (_too_deep, "nested too deeply"),
    ],
)
def test_what_a_graph_may_not_have_is_refused(
    tiny_bundle: Bundle, change: Change, message: str
) -> None:
    model = onnx.load_from_string(tiny_bundle.read("model.onnx"))
    check_onnx(model.SerializeToString())

    change(model)

    with pytest.raises(BundleError, match=message):
        check_onnx(model.SerializeToString())


@given(st.binary(max_size=200))
def test_random_bytes_raise_nothing_but_a_bundle_error(content: bytes) -> None:
    with contextlib.suppress(BundleError):
        check_onnx(content)


@given(data=st.data())
def test_a_truncated_graph_raises_nothing_but_a_bundle_error(data: st.DataObject) -> None:
    tensor = onnx.helper.make_tensor("w", 1, [4], [1.0, 2.0, 3.0, 4.0])
    graph = onnx.helper.make_graph([], "g", [], [], [tensor])
    content = onnx.helper.make_model(graph).SerializeToString()
    cut = data.draw(st.integers(0, len(content) - 1))
    with contextlib.suppress(BundleError):
        check_onnx(content[:cut])


@pytest.mark.parametrize("name", list_bundles())
def test_the_graph_of_every_shipped_bundle_passes_the_check(name: str) -> None:
    check_onnx(load_bundle(name).read("model.onnx"))


DIMENSIONS = {
    "name": "coordinates",
    "dimensions": ["arousal", "valence"],
    "ranges": {"arousal": [0, 1], "valence": [-1, 1]},
}
EMBEDDING = {"name": "hidden", "size": 7}
OUTPUTS = {"dimensions": DIMENSIONS, "embedding": EMBEDDING}


def test_of_several_outputs_the_one_named_for_the_classes_is_used(tmp_path: Path) -> None:
    info = tiny_info(waveform=True, outputs=OUTPUTS)
    alone = tiny_info(waveform=True)
    files = tiny_files(info)
    windows = np.random.default_rng(0).normal(size=(3, 48000)).astype(np.float32)

    several = open_classifier(write_bundle(tmp_path / "several", info, files)).run(windows)
    one = open_classifier(write_bundle(tmp_path / "one", alone, files)).run(windows)

    assert several.shape == (3, 4)
    assert several.tobytes() == one.tobytes()


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
    ],
)
def test_outputs_of_another_size_are_refused(tmp_path: Path, kind: str, message: str) -> None:
    info = tiny_info(waveform=True, outputs=OUTPUTS)
    more = {"coordinates": 2, "hidden": 7}
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
