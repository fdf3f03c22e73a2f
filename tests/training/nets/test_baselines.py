"""The nets of the five systems are what their table says, and become graphs that answer alike."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from batchemo.bundles.keras_model import check_keras
from batchemo.bundles.onnx_model import check_onnx
from batchemo.training.recipes import RAVDESS_RECIPES

pytest.importorskip("tensorflow")

from batchemo.training.export.onnx import keras_bytes, onnx_bytes
from batchemo.training.fit.scoring import keras_graph
from batchemo.training.nets.layers import NetSpec
from batchemo.training.nets.registry import NETS

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

LABELS = 8


def build(name: str, dropout: float = 0.2, l2: float = 0.0) -> Any:
    """A fresh net of a system, for features that are far from mean 0 and spread 1."""
    shape = RAVDESS_RECIPES[name].features.shape()
    mean, spread = np.full(shape[-1], 5, np.float32), np.full(shape[-1], 2, np.float32)
    spec = NetSpec(shape=shape, mean=mean, spread=spread, labels=LABELS, dropout=dropout, l2=l2)
    return NETS[RAVDESS_RECIPES[name].net](spec)


@pytest.fixture(scope="module")
def nets() -> dict[str, Any]:
    return {name: build(name) for name in RAVDESS_RECIPES}


def layers_of(net: Any) -> list[str]:
    """The kinds of its layers, in order; an activation that a layer has counts as one."""
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
def test_a_net_is_made_of_the_layers_of_its_table_in_their_order(
    nets: dict[str, Any], name: str
) -> None:
    assert layers_of(nets[name])[2:] == LAYERS[name].split()


def test_melattn_attends_over_time_and_pools_what_it_attended_to(nets: dict[str, Any]) -> None:
    kinds = layers_of(nets["melattn"])

    block = ["Conv1D", "LayerNormalization", "LeakyReLU", "MaxPooling1D", "Dropout"]
    assert kinds[2:18] == [*block * 3, "Bidirectional"]
    after = [kind for kind in kinds[18:] if kind not in ("Dense", "Dropout", "ReLU")]
    assert after == ["Attention", "GlobalAveragePooling1D"]
    attention = next(one for one in nets["melattn"].layers if type(one).__name__ == "Attention")
    steps = {tensor.shape[1] for tensor in attention.input}
    assert len(steps) == 1, "every step must score every step"
    assert attention.output.shape[1] == steps.pop() > 1


@pytest.mark.parametrize(
    ("name", "convolutions", "dense"),
    [
        ("stats162", [256, 256, 128, 64], [32]),
        ("frames62", [64, 128], [256, 128, 128]),
    ],
)
def test_layers_have_the_sizes_of_the_table(
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
def test_a_net_takes_its_systems_features_and_gives_logits(
    nets: dict[str, Any], name: str, shape: tuple[int, ...]
) -> None:
    batch = np.random.default_rng(0).normal(5, 2, size=(3, *shape)).astype(np.float32)

    logits = keras_graph(nets[name])(batch)

    assert logits.shape == (3, LABELS)
    assert np.isfinite(logits).all()
    assert (logits < 0).any(), "probabilities would be no logits"


@pytest.mark.parametrize("name", RAVDESS_RECIPES)
def test_its_files_are_plain_graphs_and_onnx_answers_as_keras(
    nets: dict[str, Any], name: str
) -> None:
    check_keras(keras_bytes(nets[name]))
    check_onnx(onnx_bytes(nets[name]))  # Refuses itself to give a graph that answers otherwise.


def test_features_are_brought_to_mean_0_and_spread_1_by_the_net_itself(
    nets: dict[str, Any],
) -> None:
    import keras

    net = nets["mfcc40"]
    inside = keras.Model(net.inputs[0], net.get_layer("normalise").output)

    scaled = np.asarray(inside(np.array([[5.0] * 40, [7.0] * 40, [1.0] * 40], np.float32)))

    assert scaled == pytest.approx(np.array([[0.0], [1.0], [-2.0]]) * np.ones(40), abs=1e-5)


def test_the_scaling_is_not_learnt(nets: dict[str, Any]) -> None:
    for net in nets.values():
        frozen = net.get_layer("normalise")
        before = frozen.get_weights()

        net(np.zeros((2, *net.inputs[0].shape[1:]), np.float32), training=True)

        assert not frozen.trainable_variables
        assert all(map(np.array_equal, frozen.get_weights(), before))


@pytest.mark.parametrize("name", ["cnn1d", "mfcc40"])
def test_dropout_and_l2_are_what_was_chosen(nets: dict[str, Any], name: str) -> None:
    held_back = build(name, dropout=0.4, l2=1e-2)

    rates = [one.rate for one in held_back.layers if type(one).__name__ == "Dropout"]
    kernels = Counter(type(one).__name__ for one in held_back.layers)["Conv1D"]
    assert set(rates) == {0.4}
    assert not nets[name].losses
    assert len(held_back.losses) >= kernels
