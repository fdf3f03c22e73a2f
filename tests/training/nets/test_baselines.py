"""The nets of the five RAVDESS recipes have the layers of their sources and become graphs."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from batchemo.bundles.keras_model import check_keras
from batchemo.bundles.onnx_check import check_onnx
from batchemo.training.fit.scoring import forward_function
from batchemo.training.nets.layers import NetSpec
from batchemo.training.nets.registry import NETS
from batchemo.training.recipes import RAVDESS_RECIPES

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

LABELS = 8


def build(name: str, dropout: float = 0.2, l2: float = 0.0) -> Any:
    """Return an untrained net of a recipe, for features far from mean 0 and deviation 1."""
    recipe = RAVDESS_RECIPES[name]
    shape = recipe.features.shape()
    mean, std = np.full(shape[-1], 5, np.float32), np.full(shape[-1], 2, np.float32)
    spec = NetSpec(shape=shape, mean=mean, std=std, labels=LABELS, dropout=dropout, l2=l2)
    return NETS[recipe.net](spec)


@pytest.fixture(scope="module")
def nets() -> dict[str, Any]:
    return {name: build(name) for name in RAVDESS_RECIPES}


def layer_kinds(net: Any) -> list[str]:
    """Return the kinds of layers in order; an activation that is part of a layer follows it."""
    kinds = []
    for layer in net.layers:
        kinds.append(type(layer).__name__)
        activation = getattr(getattr(layer, "activation", None), "__name__", "linear")
        if kinds[-1] in ("Conv1D", "Dense") and activation != "linear":
            kinds.append({"relu": "ReLU"}[activation])
    return kinds


def sizes(net: Any, kind: str) -> list[int]:
    return [
        getattr(layer, "filters", None) or layer.units
        for layer in net.layers
        if type(layer).__name__ == kind
    ]


LAYERS = {
    "cnn1d": "Reshape "
    + 4 * "Conv1D BatchNormalization ReLU MaxPooling1D Dropout "
    + "Flatten Dense ReLU Dropout Dense",
    "stats162": "Reshape "
    + 4 * "Conv1D ReLU MaxPooling1D Dropout "
    + "Flatten Dense ReLU Dropout Dense",
    "frames62": 2 * "Conv1D ReLU BatchNormalization MaxPooling1D Dropout "
    + "Bidirectional BatchNormalization "
    + 3 * "Dense ReLU Dropout "
    + "Dense",
    "mfcc40": "Reshape " + 2 * "Conv1D ReLU MaxPooling1D Dropout " + "Flatten Dense",
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_net_has_the_layers_of_its_source_in_order(nets: dict[str, Any], name: str) -> None:
    assert layer_kinds(nets[name])[2:] == LAYERS[name].split()


def test_melattn_attends_over_time_and_pools_the_result(nets: dict[str, Any]) -> None:
    kinds = layer_kinds(nets["melattn"])

    block = ["Conv1D", "LayerNormalization", "LeakyReLU", "MaxPooling1D", "Dropout"]
    assert kinds[2:18] == [*block * 3, "Bidirectional"]
    after = [kind for kind in kinds[18:] if kind not in ("Dense", "Dropout", "ReLU")]
    assert after == ["Attention", "GlobalAveragePooling1D"]
    attention = next(one for one in nets["melattn"].layers if type(one).__name__ == "Attention")
    steps = {tensor.shape[1] for tensor in attention.input}
    assert len(steps) == 1, "every step must attend to every step"
    assert attention.output.shape[1] == steps.pop() > 1


@pytest.mark.parametrize(
    ("name", "convolutions", "dense"),
    [
        ("stats162", [256, 256, 128, 64], [32]),
        ("frames62", [64, 128], [256, 128, 128]),
    ],
)
def test_layers_have_the_sizes_of_the_source(
    nets: dict[str, Any], name: str, convolutions: list[int], dense: list[int]
) -> None:
    assert sizes(nets[name], "Conv1D") == convolutions
    assert sizes(nets[name], "Dense") == [*dense, LABELS]


def test_frames62_reads_time_both_ways_with_128_units(nets: dict[str, Any]) -> None:
    both = next(one for one in nets["frames62"].layers if type(one).__name__ == "Bidirectional")

    assert both.forward_layer.units == both.backward_layer.units == 128
    assert both.output.shape == (None, 256)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("cnn1d", (162,)),
        ("melattn", (130, 128)),
        ("stats162", (162,)),
        ("frames62", (130, 62)),
        ("mfcc40", (40,)),
    ],
)
def test_a_net_takes_the_features_of_its_recipe_and_gives_logits(
    nets: dict[str, Any], name: str, shape: tuple[int, ...]
) -> None:
    batch = np.random.default_rng(0).normal(5, 2, size=(3, *shape)).astype(np.float32)

    logits = forward_function(nets[name])(batch)

    assert logits.shape == (3, LABELS)
    assert np.isfinite(logits).all()
    assert (logits < 0).any(), "probabilities would be no logits"


@pytest.mark.parametrize("name", RAVDESS_RECIPES)
def test_its_files_are_plain_graphs_and_onnx_gives_what_keras_gives(
    nets: dict[str, Any], name: str
) -> None:
    from batchemo.training.export.onnx import keras_bytes, onnx_bytes

    check_keras(keras_bytes(nets[name]))
    check_onnx(onnx_bytes(nets[name]))  # It raises itself where the two graphs differ.


def test_features_are_brought_to_mean_0_and_deviation_1_by_the_net_itself(
    nets: dict[str, Any],
) -> None:
    import keras

    net = nets["mfcc40"]
    first_layer = keras.Model(net.inputs[0], net.get_layer("normalise").output)

    scaled = np.asarray(first_layer(np.array([[5.0] * 40, [7.0] * 40, [1.0] * 40], np.float32)))

    assert scaled == pytest.approx(np.array([[0.0], [1.0], [-2.0]]) * np.ones(40), abs=1e-5)


def test_the_scaling_is_not_trained(nets: dict[str, Any]) -> None:
    for net in nets.values():
        frozen = net.get_layer("normalise")
        before = frozen.get_weights()

        net(np.zeros((2, *net.inputs[0].shape[1:]), np.float32), training=True)

        assert not frozen.trainable_variables
        assert all(map(np.array_equal, frozen.get_weights(), before))


@pytest.mark.parametrize("name", ["cnn1d", "mfcc40"])
def test_dropout_and_l2_are_those_of_the_specification(nets: dict[str, Any], name: str) -> None:
    regularised = build(name, dropout=0.4, l2=1e-2)

    kinds = Counter(type(layer).__name__ for layer in regularised.layers)
    rates = {layer.rate for layer in regularised.layers if type(layer).__name__ == "Dropout"}
    assert rates == {0.4}
    assert not nets[name].losses
    assert len(regularised.losses) >= kinds["Conv1D"]
