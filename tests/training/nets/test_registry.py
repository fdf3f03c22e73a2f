"""Nets by name, and several of them as one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from made_nets import BANDS, spec, tiny_conformer

pytest.importorskip("tensorflow")

from batchemo.features.combined import N_STATISTICS, combine
from batchemo.training.export.onnx import onnx_bytes
from batchemo.training.fit.scoring import keras_graph
from batchemo.training.nets.logistic import LogisticRegression
from batchemo.training.nets.registry import (
    NETS,
    joined,
    net_of,
    together,
)
from batchemo.training.recipes import RECIPES, REGRESSION

ITEMS = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)


def linear_net(seed: int) -> Any:
    import keras

    keras.utils.set_random_seed(seed)
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])


def test_there_is_a_net_for_every_system_and_none_besides() -> None:
    assert {system.net for system in RECIPES.values()} == {*NETS, REGRESSION}


def test_the_net_of_a_regression_says_what_the_regression_says() -> None:
    random = np.random.default_rng(0)
    mean, spread = random.normal(size=4), random.uniform(0.5, 2, size=4)
    numbers = (mean, spread, random.normal(size=(4, 3)), random.normal(size=3))
    regression = LogisticRegression(*(of.astype(np.float32) for of in numbers), l2=0.1)

    net = net_of(regression)

    assert np.asarray(net(ITEMS)) == pytest.approx(regression.logits(ITEMS), abs=1e-5)


def test_several_nets_together_say_the_mean_of_what_each_says() -> None:
    nets = [linear_net(seed) for seed in range(3)]
    alone = [keras_graph(net)(ITEMS) for net in nets]
    assert not np.allclose(alone[0], alone[1], atol=0.01)

    said = keras_graph(together(nets))(ITEMS)

    np.testing.assert_allclose(said, np.mean(alone, axis=0), atol=1e-5)


def test_together_they_take_pictures_of_any_length() -> None:
    both = together([tiny_conformer(seed=seed) for seed in range(2)])

    assert both.inputs[0].shape == (None, None, BANDS)
    assert [one.name for one in both.inputs] == ["features"]


def test_a_single_net_is_itself() -> None:
    net = linear_net(0)

    assert together([net]) is net


def test_joint_features_are_told_apart_and_both_nets_say_as_much() -> None:
    random = np.random.default_rng(0)
    numbers = (random.normal(size=shape) for shape in ((N_STATISTICS, 3), (3,)))
    coefficients, bias = (of.astype(np.float32) for of in numbers)
    plain = (np.zeros(N_STATISTICS, np.float32), np.ones(N_STATISTICS, np.float32))
    statistics = net_of(LogisticRegression(*plain, coefficients, bias, l2=0.1))
    pictures = tiny_conformer(spec(bands=64))
    rows = random.normal(size=(2, N_STATISTICS)).astype(np.float32)
    seen = random.normal(size=(2, 50, 64)).astype(np.float32)
    apart = [keras_graph(pictures)(seen), keras_graph(statistics)(rows)]

    both = joined(pictures, statistics)

    said = keras_graph(both)(combine(rows, seen))
    np.testing.assert_allclose(said, np.mean(apart, axis=0), atol=1e-4)
    assert onnx_bytes(both, [combine(rows, seen)])
