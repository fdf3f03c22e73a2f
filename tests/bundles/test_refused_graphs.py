"""A graph that could read other files or run foreign code is refused before it runs."""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchemo.bundles import Bundle, list_bundles, load_bundle
from batchemo.bundles.graphs import check_keras, check_onnx
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


def _external_in_a_branch(model: Any) -> None:
    branch = onnx.helper.make_graph([], "branch", [], [])
    _external(branch.initializer.add())
    model.graph.node.append(onnx.helper.make_node("If", ["x"], ["y"], then_branch=branch))


def _external_sparse(model: Any) -> None:
    _external(model.graph.sparse_initializer.add().values)


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
    ("change", "told"),
    [
        (_external_initializer, "external data|data in another file"),
        (_external_without_location, "data in another file"),
        (_external_constant, "external data|data in another file"),
        (_external_in_a_branch, "external data|data in another file"),
        (_external_sparse, "external data|data in another file"),
        (_foreign_import, "operators of 'com.example'"),
        (_foreign_node, "operators of 'com.microsoft'"),
        (_function, "has functions"),
        (_training, "has training part"),
        (_too_deep, "nested too deeply"),
    ],
)
def test_what_a_bundle_may_not_have_is_found(
    tiny_bundle: Bundle, change: Change, told: str
) -> None:
    model = onnx.load_from_string(tiny_bundle.read("model.onnx"))
    check_onnx(model.SerializeToString())

    change(model)

    with pytest.raises(BundleError, match=told):
        check_onnx(model.SerializeToString())


@given(st.binary(max_size=200))
def test_junk_gives_no_error_but_a_bundle_error(content: bytes) -> None:
    with contextlib.suppress(BundleError):
        check_onnx(content)


@given(data=st.data())
def test_a_graph_cut_anywhere_gives_no_error_but_a_bundle_error(data: st.DataObject) -> None:
    tensor = onnx.helper.make_tensor("w", 1, [4], [1.0, 2.0, 3.0, 4.0])
    graph = onnx.helper.make_graph([], "g", [], [], [tensor])
    content = onnx.helper.make_model(graph).SerializeToString()
    cut = data.draw(st.integers(0, len(content) - 1))
    with contextlib.suppress(BundleError):
        check_onnx(content[:cut])


@pytest.mark.parametrize("name", list_bundles())
def test_every_shipped_bundle_is_valid_and_harmless(name: str) -> None:
    bundle = load_bundle(name)

    check_onnx(bundle.read("model.onnx"))
    if bundle.has_keras:
        check_keras(bundle.read("model.keras"))


def keras_file(config: Any) -> bytes:
    """A file as Keras writes it, of which only the configuration matters here."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
    return content.getvalue()


def layer(**changes: Any) -> dict[str, Any]:
    dense = {"module": "keras.layers", "class_name": "Dense", "registered_name": None}
    return {"class_name": "Functional", "config": {"layers": [{**dense, **changes}]}}


def test_a_net_of_keras_layers_is_accepted() -> None:
    check_keras(keras_file(layer()))
    check_keras(keras_file(layer(module="keras.src.ops.numpy", class_name="Max")))


@pytest.mark.parametrize(
    "changes",
    [
        {"class_name": "Lambda"},
        {"class_name": "TFSMLayer"},
        {"module": "os", "class_name": "system"},
        {"module": "builtins", "class_name": "eval"},
        {"module": "keras.utils", "class_name": "get_file"},
        {"module": "keras.layersX", "class_name": "Dense"},
        {"registered_name": "my_package>Layer"},
        {"config": {"activation": {"module": "shutil", "class_name": "function"}}},
    ],
)
def test_a_net_that_could_run_foreign_code_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BundleError, match=r"model\.keras: (uses|has)"):
        check_keras(keras_file(layer(**changes)))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"junk"])
def test_a_file_that_is_no_zip_is_no_keras_file(content: bytes) -> None:
    with pytest.raises(BundleError, match="is no Keras file"):
        check_keras(content)


def test_a_keras_file_without_a_configuration_is_refused() -> None:
    content = io.BytesIO()
    zipfile.ZipFile(content, "w").close()
    with pytest.raises(BundleError, match="is no Keras file"):
        check_keras(content.getvalue())
