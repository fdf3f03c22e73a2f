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
from batchemo.bundles.keras_model import check_keras
from batchemo.bundles.onnx_model import check_onnx
from batchemo.errors import BundleError

onnx = pytest.importorskip("onnx")
h5py = pytest.importorskip("h5py")

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


def _external_in_a_graph_within(model: Any) -> None:
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
    ("change", "told"),
    [
        (_external_initializer, "external data|data in another file"),
        (_external_without_location, "data in another file"),
        (_external_constant, "external data|data in another file"),
        (_external_in_a_graph_within, "external data|data in another file"),
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


WEIGHTS = "model.weights.h5"


def weights_file(fill: Callable[[Any], object] = lambda file: None) -> bytes:
    """An HDF5 file of one array, and what else is put into it."""
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file.create_dataset("layers/dense/vars/0", data=[[1.0, 2.0]])
        fill(file)
    return content.getvalue()


def keras_file(config: Any, weights: bytes | None = None, **more: bytes) -> bytes:
    """A file as Keras writes it, with more in it than there should be."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr(WEIGHTS, weights if weights is not None else weights_file())
        for name, inside in more.items():
            archive.writestr(name, inside)
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
        {"class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd"}},
        {"config": {"activation": {"class_name": "__lambda__", "config": {"value": "4wAAAA=="}}}},
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


def _array_elsewhere(file: Any) -> None:
    file.create_dataset("w", (4,), "f4", external=[("/etc/passwd", 0, 16)])


def _huge_array(file: Any) -> None:
    file.create_dataset("w", (2**20, 2**30), "f4", chunks=(64, 64))


def _array_of_arrays(file: Any) -> None:
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "w", (4,), "f4")
    file.create_virtual_dataset("w", layout)


def _texts(file: Any) -> None:
    file.create_dataset("w", data=["a", "b"])


def _endless(file: Any) -> None:
    file["layers/again"] = file["layers"]


@pytest.mark.parametrize(
    ("fill", "told"),
    [
        (lambda file: file.__setitem__("w", h5py.ExternalLink("/etc/passwd", "/")), "a link"),
        (lambda file: file.__setitem__("w", h5py.SoftLink("/layers")), "a link"),
        (_array_elsewhere, "weights in another file"),
        (_array_of_arrays, "weights in another file"),
        (_huge_array, "weights of 4,503,599,627,370,512 bytes"),
        (_texts, "no numbers"),
        (_endless, "more than any net's"),
    ],
)
def test_weights_that_lie_elsewhere_or_nowhere_are_refused(
    fill: Callable[[Any], object], told: str
) -> None:
    with pytest.raises(BundleError, match=told):
        check_keras(keras_file(layer(), weights_file(fill)))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("assets/vocabulary.txt", "holds 'assets/vocabulary.txt'"),
        ("../outside", "holds '../outside'"),
        ("/etc/cron.d/x", "holds '/etc/cron.d/x'"),
    ],
)
def test_a_keras_file_with_more_in_it_is_refused(name: str, told: str) -> None:
    with pytest.raises(BundleError, match=told):
        check_keras(keras_file(layer(), **{name: b"x"}))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_keras_file_that_holds_a_file_twice_is_refused() -> None:
    with pytest.raises(BundleError, match="twice"):
        check_keras(keras_file(layer(), **{WEIGHTS: weights_file()}))


def test_a_bomb_of_zeros_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batchemo.bundles.keras_model.MAX_FILE_BYTES", 2**22)
    packed = keras_file(layer(), bytes(2**22 + 1))
    assert len(packed) < 2**15
    with pytest.raises(BundleError, match="weights are larger"):
        check_keras(packed)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"junk"])
def test_a_file_that_is_no_zip_is_no_keras_file(content: bytes) -> None:
    with pytest.raises(BundleError, match="is no Keras file"):
        check_keras(content)


def test_a_keras_file_without_a_configuration_is_refused() -> None:
    content = io.BytesIO()
    zipfile.ZipFile(content, "w").close()
    with pytest.raises(BundleError, match="is no Keras file"):
        check_keras(content.getvalue())


@given(data=st.data())
def test_a_keras_file_of_which_bytes_are_changed_gives_no_error_but_a_bundle_error(
    data: st.DataObject,
) -> None:
    content = bytearray(keras_file(layer()))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(BundleError):
        check_keras(bytes(content[: data.draw(st.integers(0, len(content)))]))
