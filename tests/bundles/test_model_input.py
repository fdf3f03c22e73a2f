"""Windows become what a model takes: features or samples, normalised and padded as it says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tiny_bundle import tiny_info

from batchemo.bundles import ModelInput
from batchemo.features import extract, get_feature_set

RATE = 16000
FEATURES = ModelInput.from_dict(tiny_info()["input"])
WAVEFORM = ModelInput.from_dict(tiny_info(waveform=True)["input"])


def signal(seconds: float, seed: int = 0) -> Any:
    samples = np.random.default_rng(seed).normal(0.1, 0.2, size=round(seconds * RATE))
    return samples.astype(np.float32)


def test_features_are_those_of_the_feature_set_padded_to_the_window() -> None:
    prepared = FEATURES.prepare(signal(1.0), 3.0)

    assert prepared.shape == FEATURES.shape(3.0) == (301, 64)
    expected = extract(get_feature_set("logmel64"), signal(1.0), 3.0)
    assert prepared.tobytes() == expected.tobytes()


def test_features_of_a_window_that_must_not_be_padded_have_its_own_length() -> None:
    forbidden = replace(FEATURES, padding="forbidden")

    assert forbidden.prepare(signal(1.0), 3.0).shape == FEATURES.shape(1.0)
    assert forbidden.prepare(signal(3.0), 3.0).shape == FEATURES.shape(3.0)


@pytest.mark.parametrize("padding", ["masked", "trained"])
def test_a_short_waveform_is_padded_with_zeros_to_the_window(padding: Any) -> None:
    prepared = replace(WAVEFORM, padding=padding).prepare(signal(1.0), 3.0)

    assert prepared.shape == WAVEFORM.shape(3.0) == (3 * RATE,)
    assert prepared[:RATE].tobytes() == signal(1.0).tobytes()
    assert not prepared[RATE:].any()


def test_a_waveform_that_must_not_be_padded_keeps_its_length() -> None:
    forbidden = replace(WAVEFORM, padding="forbidden")

    assert forbidden.prepare(signal(1.0), 3.0).tobytes() == signal(1.0).tobytes()
    assert forbidden.prepare(signal(0.7001), 3.0).shape == (round(0.7001 * RATE),)


def test_below_the_shortest_window_even_that_is_padded_up_to_it() -> None:
    forbidden = replace(WAVEFORM, padding="forbidden", window_range=(0.5, 30.0))

    assert forbidden.prepare(signal(0.3), 3.0).shape == (RATE // 2,)


@pytest.mark.parametrize("padding", ["masked", "trained", "forbidden"])
def test_samples_beyond_the_window_are_cut(padding: Any) -> None:
    prepared = replace(WAVEFORM, padding=padding).prepare(signal(3.5), 3.0)

    assert prepared.tobytes() == signal(3.5)[: 3 * RATE].tobytes()


def test_normalisation_is_of_the_samples_of_the_window_without_the_padding() -> None:
    normalised = replace(WAVEFORM, normalisation="zero_mean_unit_variance")

    prepared = normalised.prepare(signal(1.0), 3.0)

    assert prepared.dtype == np.float32
    assert prepared[:RATE].mean() == pytest.approx(0, abs=1e-6)
    assert prepared[:RATE].std() == pytest.approx(1, abs=1e-4)
    assert not prepared[RATE:].any()
    louder = normalised.prepare(4 * signal(1.0), 3.0)
    np.testing.assert_allclose(louder, prepared, atol=1e-4)


@pytest.mark.parametrize("samples", [0, 1, 100])
def test_normalising_silence_gives_silence(samples: int) -> None:
    normalised = replace(WAVEFORM, normalisation="zero_mean_unit_variance")

    assert not normalised.prepare(np.zeros(samples, np.float32), 3.0).any()


def test_equal_inputs_are_equal_so_that_models_can_share_them() -> None:
    assert ModelInput.from_dict(tiny_info()["input"]) == FEATURES
    assert hash(ModelInput.from_dict(tiny_info()["input"])) == hash(FEATURES)
    assert FEATURES != WAVEFORM
