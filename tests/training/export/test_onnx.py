"""A net becomes files that are harmless and answer as it does."""

from __future__ import annotations

import json
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_nets import spec, tiny_conformer
from tiny_bundle import tiny_info

from batchemo.bundles import open_classifier, softmax, write_bundle
from batchemo.bundles.keras_model import check_keras
from batchemo.bundles.onnx_model import check_onnx
from batchemo.corpora import EMOTIONS
from batchemo.errors import BundleError

pytest.importorskip("tensorflow")

from batchemo.training.export import onnx
from batchemo.training.export.onnx import keras_bytes, onnx_bytes
from batchemo.training.fit.scoring import keras_graph
from batchemo.training.nets.registry import together

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

LOGMEL_BANDS = 64


@pytest.fixture(scope="module")
def net() -> Any:
    """Two nets that answer together."""
    told = spec(LOGMEL_BANDS, len(EMOTIONS))
    return together([tiny_conformer(told, seed=seed) for seed in range(2)])


def test_an_exported_net_is_harmless_and_answers_as_the_trained_one(
    net: Any, tmp_path: Path
) -> None:
    files = {
        "model.onnx": onnx_bytes(net),
        "model.keras": keras_bytes(net),
        "README.md": b"# made\n",
    }
    check_onnx(files["model.onnx"])
    check_keras(files["model.keras"])
    bundle = write_bundle(tmp_path / "tiny", tiny_info(EMOTIONS), files)
    items = np.random.default_rng(0).normal(size=(5, 101, LOGMEL_BANDS)).astype(np.float32)

    wanted = softmax(keras_graph(net)(items))

    for backend in ("onnx", "tensorflow"):
        told = open_classifier(bundle, backend=backend, batch_size=4).run(items)  # type: ignore[arg-type]
        np.testing.assert_allclose(told, wanted, atol=1e-5)


def test_older_kerases_find_no_setting_that_they_do_not_know(net: Any) -> None:
    with zipfile.ZipFile(BytesIO(keras_bytes(net))) as archive:
        config = archive.read("config.json").decode()

    assert json.loads(config)["class_name"] == "Functional"
    for novelty in ("quantization_config", "renorm", "input_axes"):
        assert novelty not in config


def test_a_graph_that_answers_otherwise_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Made so that even the same answer is too far away."""
    import keras

    monkeypatch.setattr(onnx, "TOLERANCE", -1.0)
    net = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])

    with pytest.raises(BundleError, match="away from the Keras model"):
        onnx_bytes(net)
