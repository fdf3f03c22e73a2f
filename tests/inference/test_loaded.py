"""Models that are loaded for a run, and what they share."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from batchemo.audio import WindowConfig
from batchemo.bundles import Bundle
from batchemo.features import get_feature_set
from batchemo.inference.loaded import LoadedModel, cached_models, load_model, shared_windows
from batchemo.inference.settings import ModelSettings


def test_a_window_shorter_than_the_models_hop_shortens_the_hop(tiny_bundle: Bundle) -> None:
    settings = ModelSettings(str(tiny_bundle.path), window=1.0)
    config = load_model(settings).window_config
    assert (tiny_bundle.hop, config.window, config.hop) == (1.5, 1.0, 1.0)


def test_models_stay_loaded_from_chunk_to_chunk(tiny_bundle: Bundle) -> None:
    settings = (ModelSettings(str(tiny_bundle.path)),)
    assert cached_models(settings) is cached_models(settings)


@pytest.fixture
def load(make_bundle: Callable[..., Bundle]) -> Callable[..., LoadedModel]:
    """Loads a model of a feature set, by its name."""

    def call(name: str, features: str, **changes: object) -> LoadedModel:
        features_dict = get_feature_set(features).to_dict()
        bundle = make_bundle(name=name, features=features_dict, **changes)
        return load_model(ModelSettings(str(bundle.path)))

    return call


def test_windows_and_features_that_models_share_are_computed_once(
    load: Callable[..., LoadedModel],
) -> None:
    first = load("first", "stats162")
    frames = load("frames", "frames62", window=3.5, hop=1.75)
    other = load("other", "mfcc40")
    twin = load("twin", "stats162")
    speech = load("speech", "logmel64")
    groups = shared_windows([speech, frames, first, other, twin])
    assert [group.window_config for group in groups] == [
        WindowConfig(rate=16_000, window=3.0, hop=1.5),
        WindowConfig(rate=22_050, window=3.5, hop=1.75),
        WindowConfig(rate=22_050, window=3.0, hop=1.5),
    ]
    assert groups[2].models_by_input == {first.input: [2, 4], other.input: [3]}
