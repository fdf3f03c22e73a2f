"""A model becomes files that pass the checks of bundles and give the same logits."""

from __future__ import annotations

import json
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_nets import net_spec, tiny_conformer
from tiny_bundle import tiny_info

from batchemo.bundles import open_classifier, softmax, write_bundle
from batchemo.bundles.keras_model import check_keras
from batchemo.bundles.onnx_check import check_onnx
from batchemo.corpora import EMOTIONS
from batchemo.errors import BundleError
from batchemo.training.export import onnx
from batchemo.training.export.onnx import LOGITS, keras_bytes, onnx_bytes
from batchemo.training.fit.scoring import forward_function
from batchemo.training.nets.registry import mean_of_nets

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

LOGMEL_BANDS = 64


@pytest.fixture(scope="module")
def net() -> Any:
    """The mean of two nets."""
    spec = net_spec(LOGMEL_BANDS, len(EMOTIONS))
    return mean_of_nets([tiny_conformer(spec, seed=seed) for seed in range(2)])


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
    inputs = np.random.default_rng(0).normal(size=(5, 101, LOGMEL_BANDS)).astype(np.float32)

    expected = softmax(forward_function(net)(inputs))

    for backend in ("onnx", "tensorflow"):
        actual = open_classifier(bundle, backend=backend, batch_size=4).run(inputs)  # type: ignore[arg-type]
        np.testing.assert_allclose(actual, expected, atol=1e-5)


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
