"""A model becomes files that pass the checks of bundles and give the same logits."""

from __future__ import annotations

import json
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_nets import BANDS, free_net
from tiny_bundle import tiny_info

from batchemo.bundles import open_classifier, softmax, write_bundle
from batchemo.bundles.keras_model import check_keras
from batchemo.bundles.onnx_check import check_onnx
from batchemo.corpora import EMOTIONS
from batchemo.errors import BundleError
from batchemo.training.export import onnx
from batchemo.training.export.onnx import keras_bytes, onnx_bytes, output_info
from batchemo.training.fit.scoring import forward_function
from batchemo.training.nets.layers import LOGITS, outputs_of
from batchemo.training.nets.registry import mean_of_nets

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


@pytest.fixture(scope="module")
def net() -> Any:
    """The mean of two nets."""
    return mean_of_nets([free_net(len(EMOTIONS), seed=seed) for seed in range(2)])


def test_an_exported_model_passes_the_checks_and_gives_the_same_probabilities(
    net: Any, tmp_path: Path
) -> None:
    files = {
        "model.onnx": onnx_bytes(net),
        "model.keras": keras_bytes(net),
        "README.md": b"# made\n",
    }
    check_onnx(files["model.onnx"])
    check_keras(files["model.keras"])
    info = tiny_info(EMOTIONS)
    assert info["outputs"]["classes"]["name"] == LOGITS
    bundle = write_bundle(tmp_path / "tiny", info, files)
    inputs = np.random.default_rng(0).normal(size=(5, 101, BANDS)).astype(np.float32)

    expected = softmax(forward_function(net)(inputs))

    for backend in ("onnx", "tensorflow"):
        actual = open_classifier(bundle, backend=backend, batch_size=4).run(inputs).probabilities  # type: ignore[arg-type]
        np.testing.assert_allclose(actual, expected, atol=1e-5)


def net_of_outputs(**changes: Any) -> Any:
    """Return a net with logits, an embedding of large numbers and a familiarity."""
    import keras

    features = keras.Input((None, BANDS), name="features")
    hidden = keras.layers.Dense(6)(features)
    embedding = 1000 * keras.ops.mean(hidden, axis=1)
    distance = keras.ops.sum(keras.ops.square(embedding / 1000), axis=1, keepdims=True)
    outputs = {
        "logits": keras.layers.Dense(len(EMOTIONS))(embedding / 1000),
        "embedding": embedding,
        "familiarity": keras.ops.exp(-distance),
        **{name: change(embedding) for name, change in changes.items()},
    }
    return keras.Model(features, {name: o for name, o in outputs.items() if o is not None})


def test_a_model_with_familiarity_and_embedding_gives_them_from_either_file(
    tmp_path: Path,
) -> None:
    net = net_of_outputs()
    info = tiny_info(EMOTIONS)
    info["outputs"] = output_info(net, EMOTIONS)
    assert info["outputs"] == {
        "classes": {"name": "logits", "labels": list(EMOTIONS)},
        "embedding": {"name": "embedding", "size": 6},
        "familiarity": {"name": "familiarity"},
    }
    files = {
        "model.onnx": onnx_bytes(net),
        "model.keras": keras_bytes(net),
        "README.md": b"# made\n",
    }
    bundle = write_bundle(tmp_path / "tiny", info, files)
    inputs = np.random.default_rng(0).normal(size=(5, 101, BANDS)).astype(np.float32)
    expected = {name: np.asarray(output) for name, output in net(inputs).items()}

    for backend in ("onnx", "tensorflow"):
        result = open_classifier(bundle, backend=backend, batch_size=4).run(inputs)  # type: ignore[arg-type]
        np.testing.assert_allclose(result.probabilities, softmax(expected["logits"]), atol=1e-4)
        np.testing.assert_allclose(result.familiarity, expected["familiarity"][:, 0], atol=1e-5)
        np.testing.assert_allclose(result.embedding, expected["embedding"], rtol=1e-4, atol=1e-2)
    np.testing.assert_allclose(forward_function(net)(inputs), expected["logits"], atol=1e-3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scores": lambda x: x}, "outputs are .*scores.*: name them logits and, if it has them"),
        ({"logits": lambda x: None}, "outputs are embedding, familiarity: name them logits"),
        (
            {"familiarity": lambda x: x[:, 0]},
            r"familiarity should have the shape \(None, 1\), and has \(None,\)",
        ),
    ],
    ids=["unknown", "none", "flat"],
)
def test_outputs_that_no_bundle_has_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(BundleError, match=message):
        output_info(net_of_outputs(**change), EMOTIONS)


@pytest.mark.parametrize("name", ["logits", "embedding", "familiarity"])
def test_each_output_of_the_graph_is_compared(name: str) -> None:
    net, other = net_of_outputs(), net_of_outputs()
    content = onnx_bytes(net)
    mixed = {**outputs_of(net, net.inputs[0]), name: outputs_of(other, net.inputs[0])[name]}
    import keras

    model = keras.Model(net.inputs[0], mixed)
    batch = np.random.default_rng(0).normal(size=(2, 5, BANDS)).astype(np.float32)

    onnx.check_parity(lambda inputs: outputs_of(net, inputs), content, [batch])
    with pytest.raises(BundleError, match=f"{name} of the ONNX graph: differs by"):
        onnx.check_parity(lambda inputs: outputs_of(model, inputs), content, [batch])


def test_a_keras_file_has_no_settings_that_older_versions_refuse(net: Any) -> None:
    with zipfile.ZipFile(BytesIO(keras_bytes(net))) as archive:
        config = archive.read("config.json").decode()

    assert json.loads(config)["class_name"] == "Functional"
    for setting in ("quantization_config", "renorm", "input_axes"):
        assert setting not in config


def test_a_graph_with_other_logits_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    # Below 0, so that even equal logits are too far away.
    monkeypatch.setattr(onnx, "TOLERANCE", -1.0)
    net = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])

    with pytest.raises(BundleError, match="from the Keras model's"):
        onnx_bytes(net)
