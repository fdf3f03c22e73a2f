"""Nets by name, and several of them as one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from made_nets import BANDS, free_net

from batchemo.training.fit.scoring import forward_function
from batchemo.training.nets.familiarity import Familiarity
from batchemo.training.nets.logistic import LogisticRegression
from batchemo.training.nets.registry import (
    NETS,
    build_logistic,
    mean_of_nets,
    net_on_encoder,
)
from batchemo.training.recipes import LOGISTIC, RECIPES

VECTORS = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)


def made_regression(features: int) -> LogisticRegression:
    random = np.random.default_rng(0)
    mean, std = random.normal(size=features), random.uniform(0.5, 2, size=features)
    arrays = (mean, std, random.normal(size=(features, 3)), random.normal(size=3))
    return LogisticRegression(*(array.astype(np.float32) for array in arrays), l2=0.1)


def linear_net(seed: int) -> Any:
    import keras

    keras.utils.set_random_seed(seed)
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])


def test_there_is_a_net_for_every_recipe_and_none_besides() -> None:
    assert {recipe.net for recipe in RECIPES.values()} == {*NETS, LOGISTIC}


@pytest.mark.tensorflow
def test_the_net_of_a_regression_gives_its_logits() -> None:
    regression = made_regression(4)

    net = build_logistic(regression)

    assert np.asarray(net(VECTORS)) == pytest.approx(regression.logits(VECTORS), abs=1e-5)


@pytest.mark.tensorflow
def test_the_mean_of_nets_gives_the_mean_of_their_logits() -> None:
    nets = [linear_net(seed) for seed in range(3)]
    logits = [forward_function(net)(VECTORS) for net in nets]
    assert not np.allclose(logits[0], logits[1], atol=0.01)

    mean = forward_function(mean_of_nets(nets))(VECTORS)

    np.testing.assert_allclose(mean, np.mean(logits, axis=0), atol=1e-5)


@pytest.mark.tensorflow
def test_the_mean_of_nets_for_any_length_takes_any_length() -> None:
    mean = mean_of_nets([free_net(seed=seed) for seed in range(2)])

    assert mean.inputs[0].shape == (None, None, BANDS)
    assert [tensor.name for tensor in mean.inputs] == ["features"]


@pytest.mark.tensorflow
def test_the_mean_of_a_single_net_is_the_net_itself() -> None:
    net = linear_net(0)

    assert mean_of_nets([net]) is net


@pytest.mark.tensorflow
def test_a_net_on_an_encoder_gives_its_logits_embedding_and_familiarity() -> None:
    net = mean_of_nets([linear_net(seed) for seed in range(2)])
    logits = forward_function(net)(VECTORS)
    projection, deviations = np.ones((4, 2), np.float32), np.array([1, 2], np.float32)
    familiarity = Familiarity(projection, np.zeros(2, np.float32), deviations, 0.0, 1.0)

    outputs = net_on_encoder(net, familiarity)(VECTORS)

    np.testing.assert_allclose(outputs["logits"], logits, atol=1e-5)
    np.testing.assert_allclose(outputs["embedding"], familiarity.embed(VECTORS), atol=1e-5)
    scores = familiarity.score(VECTORS)
    np.testing.assert_allclose(np.asarray(outputs["familiarity"])[:, 0], scores, atol=1e-5)
