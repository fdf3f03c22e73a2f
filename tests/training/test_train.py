"""From recordings to a bundle that loads, with the encoder in front of small nets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from inline_map import gather_inline
from made_corpus import make_ravdess
from onnx import numpy_helper

from batchemo.audio import read_windows
from batchemo.bundles import Bundle, load_bundle, open_classifier
from batchemo.bundles.onnx_check import check_onnx
from batchemo.corpora import read_corpus
from batchemo.errors import UsageError
from batchemo.training.experiment.cross_validation import Experiment
from batchemo.training.export.encoder_terms import ENCODER_CITATION, ENCODER_LICENCES
from batchemo.training.export.package import PackageOptions
from batchemo.training.recipes import RECIPES
from batchemo.training.train import train_bundle

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


def small_experiment(folder: Path, encoder: Path | None) -> Experiment:
    """Return a single net, for one epoch, on the recordings of four actors."""
    corpus = read_corpus([make_ravdess(folder / "ravdess")])
    recipe = RECIPES["accurate"]
    hyperparameters = replace(
        recipe.hyperparameters, epochs=1, augmentations=(), other_corpora_share=0.0
    )
    return Experiment(
        recipe=replace(recipe, nets=1, hyperparameters=hyperparameters),
        examples=corpus.examples,
        labels=corpus.labels,
        work=folder / "work",
        encoder=encoder,
    )


@pytest.fixture(scope="module")
def bundle(encoder_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("accurate")
    with pytest.MonkeyPatch.context() as patch:
        gather_inline(patch)
        experiment = small_experiment(folder, encoder_file)
        options = PackageOptions(out=folder / "mine", command="made")
        return train_bundle(experiment, options).bundle


def test_the_bundle_says_what_the_model_takes_and_gives(bundle: Bundle) -> None:
    info = load_bundle(bundle.path).info

    assert (info["input"]["window"], info["input"]["hop"]) == (5.0, 5.0)
    assert info["input"]["window_range"] == [1.0, 8.0]
    assert info["input"]["padding"] == "masked"
    # A tenth of the 32 windows that it was trained on.
    assert info["outputs"]["embedding"] == {"name": "embedding", "size": 3}
    assert info["outputs"]["familiarity"] == {"name": "familiarity"}
    slope = RECIPES["accurate"].familiarity_slope
    calibration = {"method": "familiarity_temperature", "temperature": 1.0, "slope": slope}
    assert info["calibration"] == calibration
    assert (info["training"]["net"], info["training"]["nets"]) == ("dense", 1)


def test_the_weights_of_the_encoder_are_in_8_bits_in_the_graph_and_in_no_other_file(
    bundle: Bundle,
) -> None:
    content = bundle.read("model.onnx")

    check_onnx(content)
    tensors = map(numpy_helper.to_array, onnx.load_from_string(content).graph.initializer)
    large = [tensor for tensor in tensors if tensor.size > 200_000]
    assert len(large) > 5
    assert {tensor.dtype.name for tensor in large} == {"int8"}
    assert not bundle.has_keras
    assert "model.keras" not in bundle.info["files"]


def test_the_licences_of_the_encoder_stand_beside_those_of_the_corpora(bundle: Bundle) -> None:
    licences = bundle.info["licences"]
    ravdess = "CC BY-NC-SA 4.0"

    assert licences == {
        "weights": ravdess,
        "training_data": {"ravdess": ravdess, **ENCODER_LICENCES},
    }
    assert bundle.info["citations"][-1] == ENCODER_CITATION
    assert "Permission is hereby granted" in bundle.card


def test_it_scans_a_recording_and_padding_changes_nothing(bundle: Bundle) -> None:
    path = next(bundle.path.parent.glob("ravdess/*/*.wav"))
    classifier = open_classifier(bundle)
    with read_windows(str(path), RECIPES["accurate"].windows) as reader:
        samples = next(iter(reader)).samples
    given = [bundle.input.prepare(samples, seconds) for seconds in (2.0, 5.0, 8.0)]

    results = [classifier.run(one[None]) for one in given]

    for result in results:
        assert result.familiarity is not None
        assert 0 < result.familiarity[0] < 1
        np.testing.assert_allclose(result.probabilities, results[0].probabilities, atol=1e-4)
        np.testing.assert_allclose(result.embedding, results[0].embedding, atol=1e-2)


def test_without_the_file_of_the_encoder_nothing_is_computed(tmp_path: Path) -> None:
    experiment = small_experiment(tmp_path, None)

    with pytest.raises(UsageError, match="accurate needs --encoder FILE: get it with"):
        train_bundle(experiment, PackageOptions(out=tmp_path / "mine", command="made"))

    assert not (tmp_path / "work").exists()
