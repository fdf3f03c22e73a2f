"""A Keras file that could read other files or run foreign code is refused before Keras reads it."""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_bundle import tiny_files, tiny_info

from batchemo.bundles import list_bundles, load_bundle, open_classifier, write_bundle
from batchemo.bundles.keras_model import check_keras
from batchemo.errors import BundleError

h5py = pytest.importorskip("h5py")

WEIGHTS = "model.weights.h5"


def weights_file(fill: Callable[[Any], object] = lambda file: None) -> bytes:
    """Return an HDF5 file of one array, and what `fill` puts into it."""
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file.create_dataset("layers/dense/vars/0", data=[[1.0, 2.0]])
        fill(file)
    return content.getvalue()


def keras_file(config: Any, weights: bytes | None = None, **more: bytes) -> bytes:
    """Return a file as Keras writes it, with `more` members."""
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


def test_a_model_of_keras_layers_is_accepted() -> None:
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
def test_a_model_that_could_run_foreign_code_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BundleError, match=r"model\.keras: (uses|has)"):
        check_keras(keras_file(layer(**changes)))


def _external_array(file: Any) -> None:
    file.create_dataset("w", (4,), "f4", external=[("/etc/passwd", 0, 16)])


def _huge_array(file: Any) -> None:
    file.create_dataset("w", (2**20, 2**30), "f4", chunks=(64, 64))


def _virtual_array(file: Any) -> None:
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "w", (4,), "f4")
    file.create_virtual_dataset("w", layout)


def _strings(file: Any) -> None:
    file.create_dataset("w", data=["a", "b"])


def _circle(file: Any) -> None:
    file["layers/again"] = file["layers"]


@pytest.mark.parametrize(
    ("fill", "message"),
    [
        (lambda file: file.__setitem__("w", h5py.ExternalLink("/etc/passwd", "/")), "a link"),
        (lambda file: file.__setitem__("w", h5py.SoftLink("/layers")), "a link"),
        (_external_array, "weights in another file"),
        (_virtual_array, "weights in another file"),
        (_huge_array, "weights of 4,503,599,627,370,512 bytes"),
        (_strings, "no numbers"),
        (_circle, "more than any model's"),
    ],
)
def test_weights_that_are_not_plain_arrays_of_the_file_are_refused(
    fill: Callable[[Any], object], message: str
) -> None:
    with pytest.raises(BundleError, match=message):
        check_keras(keras_file(layer(), weights_file(fill)))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("assets/vocabulary.txt", "holds 'assets/vocabulary.txt'"),
        ("../outside", "holds '../outside'"),
        ("/etc/cron.d/x", "holds '/etc/cron.d/x'"),
    ],
)
def test_a_keras_file_with_unknown_members_is_refused(name: str, message: str) -> None:
    with pytest.raises(BundleError, match=message):
        check_keras(keras_file(layer(), **{name: b"x"}))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_keras_file_with_a_member_twice_is_refused() -> None:
    with pytest.raises(BundleError, match="twice"):
        check_keras(keras_file(layer(), **{WEIGHTS: weights_file()}))


def test_a_zip_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batchemo.bundles.keras_model.MAX_FILE_BYTES", 2**22)
    packed = keras_file(layer(), bytes(2**22 + 1))
    assert len(packed) < 2**15
    with pytest.raises(BundleError, match="weights are larger"):
        check_keras(packed)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"junk"])
def test_a_file_that_is_no_zip_archive_is_refused(content: bytes) -> None:
    with pytest.raises(BundleError, match="is no Keras file"):
        check_keras(content)


def test_a_keras_file_without_a_configuration_is_refused() -> None:
    content = io.BytesIO()
    zipfile.ZipFile(content, "w").close()
    with pytest.raises(BundleError, match="is no Keras file"):
        check_keras(content.getvalue())


@given(data=st.data())
def test_a_corrupted_keras_file_raises_nothing_but_a_bundle_error(
    data: st.DataObject,
) -> None:
    content = bytearray(keras_file(layer()))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(BundleError):
        check_keras(bytes(content[: data.draw(st.integers(0, len(content)))]))


@pytest.mark.parametrize("name", list_bundles())
def test_the_keras_model_of_every_shipped_bundle_passes_the_check(name: str) -> None:
    bundle = load_bundle(name)

    if bundle.has_keras:
        check_keras(bundle.read("model.keras"))


@pytest.mark.tensorflow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_of_several_outputs_the_one_named_for_the_classes_is_used(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    samples = keras.Input((16000,))
    level = keras.layers.Dense(1)(samples)
    model = keras.Model(
        samples,
        [
            keras.layers.Dense(3, name="embedding")(level),
            keras.layers.Dense(4, name="logits")(level),
        ],
    )
    model.save(tmp_path / "model.keras")
    info = tiny_info(waveform=True, window=1.0, hop=1.0, window_range=[1.0, 1.0], padding="trained")
    files = {**tiny_files(info), "model.keras": (tmp_path / "model.keras").read_bytes()}
    bundle = write_bundle(tmp_path / "bundle", info, files)
    windows = np.random.default_rng(0).normal(size=(2, 16000)).astype(np.float32)

    rows = open_classifier(bundle, backend="tensorflow", batch_size=4).run(windows).probabilities

    logits = np.asarray(model(windows)[1], np.float64)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(rows, expected, atol=1e-5)
    other = {**info, "outputs": {"classes": {**info["outputs"]["classes"], "name": "scores"}}}
    renamed = write_bundle(tmp_path / "renamed", other, files)
    with pytest.raises(BundleError, match="has no output 'scores' for the classes; it has"):
        open_classifier(renamed, backend="tensorflow")


@pytest.mark.tensorflow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("named_by", ["keys", "layers"])
def test_familiarity_and_embedding_come_from_the_outputs_of_their_names(
    tmp_path: Path, named_by: str
) -> None:
    keras = pytest.importorskip("keras")
    samples = keras.Input((16000,))
    hidden = keras.layers.Dense(3, name="embedding")(samples)
    familiarity = keras.layers.Dense(1, activation="sigmoid", name="familiarity")(hidden)
    outputs = {
        "logits": keras.layers.Dense(4, name="logits")(hidden),
        "familiarity": keras.ops.sqrt(familiarity) if named_by == "keys" else familiarity,
        "embedding": hidden,
    }
    model = keras.Model(samples, outputs if named_by == "keys" else list(outputs.values()))
    model.save(tmp_path / "model.keras")
    more = {"familiarity": {"name": "familiarity"}, "embedding": {"name": "embedding", "size": 3}}
    info = tiny_info(waveform=True, window=1.0, hop=1.0, window_range=[1.0, 1.0], outputs=more)
    files = {**tiny_files(info), "model.keras": (tmp_path / "model.keras").read_bytes()}
    bundle = write_bundle(tmp_path / "bundle", info, files)
    windows = np.random.default_rng(0).normal(size=(2, 16000)).astype(np.float32)

    result = open_classifier(bundle, backend="tensorflow", batch_size=4).run(windows)

    given = model(windows)
    expected = given if named_by == "keys" else dict(zip(outputs, given, strict=True))
    np.testing.assert_allclose(result.familiarity, expected["familiarity"][:, 0], atol=1e-5)
    np.testing.assert_allclose(result.embedding, expected["embedding"], atol=1e-4)
    info["outputs"]["embedding"]["size"] = 5
    other = write_bundle(tmp_path / "other", info, {**tiny_files(info), **files})
    with pytest.raises(BundleError, match="'embedding' for the embedding should give 5 numbers"):
        open_classifier(other, backend="tensorflow")
