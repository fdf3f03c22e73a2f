"""What a worker needs to run models: loaded once, and sorted so that shared work is done once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from batchemo.audio import WindowConfig
from batchemo.features import FeatureSet
from batchemo.inference.settings import ModelSettings

if TYPE_CHECKING:
    from batchemo.bundles import Bundle, Classifier


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model and all that follows from it."""

    bundle: Bundle
    recipe: FeatureSet
    classifier: Classifier
    window_config: WindowConfig
    batch_size: int

    def order_of(self, labels: Sequence[str]) -> list[int]:
        """Tell where the probabilities of these labels stand in what the model gives."""
        return [self.bundle.labels.index(label) for label in labels]


def load_model(settings: ModelSettings) -> LoadedModel:
    """Load the model that the settings name."""
    from batchemo.bundles import load_bundle, open_classifier

    bundle = load_bundle(settings.model)
    recipe = FeatureSet.from_dict(bundle.recipe)
    window = settings.window or bundle.window
    hop = settings.hop or min(bundle.hop, window)
    classifier = open_classifier(bundle, backend=settings.backend, batch_size=settings.batch_size)
    window_config = WindowConfig(rate=recipe.rate, window=window, hop=hop, channel=settings.channel)
    return LoadedModel(bundle, recipe, classifier, window_config, settings.batch_size)


@lru_cache(maxsize=2)
def cached_models(settings: tuple[ModelSettings, ...]) -> tuple[LoadedModel, ...]:
    """Load the models of a run, or give them as they were loaded for the chunk before."""
    return tuple(map(load_model, settings))


@dataclass(frozen=True, slots=True)
class SharedWindows:
    """Windows that some models want, and the features of them, each with its models' places."""

    window_config: WindowConfig
    recipes: dict[FeatureSet, list[int]]


def shared_windows(several: Sequence[LoadedModel]) -> list[SharedWindows]:
    """Bring together what models share: windows are cut once, features of them computed once."""
    wishes: dict[WindowConfig, SharedWindows] = {}
    for place, tools in enumerate(several):
        wish = wishes.setdefault(tools.window_config, SharedWindows(tools.window_config, {}))
        wish.recipes.setdefault(tools.recipe, []).append(place)
    return list(wishes.values())
