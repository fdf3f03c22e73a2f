"""What a worker needs to run models: loaded once, and sorted so that shared work is done once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from batchemo.audio import ListenOptions
from batchemo.features import Recipe
from batchemo.inference.settings import Settings

if TYPE_CHECKING:
    from batchemo.bundles import Bundle, Runtime


@dataclass(frozen=True, slots=True)
class Tools:
    """A model and all that follows from it."""

    bundle: Bundle
    recipe: Recipe
    runtime: Runtime
    listening: ListenOptions
    batch_size: int

    def order_of(self, labels: Sequence[str]) -> list[int]:
        """Tell where the probabilities of these labels stand in what the model gives."""
        return [self.bundle.labels.index(label) for label in labels]


def load_tools(settings: Settings) -> Tools:
    """Load the model that the settings name."""
    from batchemo.bundles import load_bundle, open_runtime

    bundle = load_bundle(settings.model)
    recipe = Recipe.from_dict(bundle.recipe)
    window = settings.window or bundle.window
    hop = settings.hop or min(bundle.hop, window)
    runtime = open_runtime(bundle, backend=settings.backend, batch_size=settings.batch_size)
    listening = ListenOptions(rate=recipe.rate, window=window, hop=hop, channel=settings.channel)
    return Tools(bundle, recipe, runtime, listening, settings.batch_size)


@lru_cache(maxsize=2)
def tools_at_hand(settings: tuple[Settings, ...]) -> tuple[Tools, ...]:
    """Load the models of a run, or give them as they were loaded for the chunk before."""
    return tuple(map(load_tools, settings))


@dataclass(frozen=True, slots=True)
class Wish:
    """Windows that some models want, and the features of them, each with its models' places."""

    listening: ListenOptions
    recipes: dict[Recipe, list[int]]


def wishes_of(several: Sequence[Tools]) -> list[Wish]:
    """Bring together what models share: windows are cut once, features of them computed once."""
    wishes: dict[ListenOptions, Wish] = {}
    for place, tools in enumerate(several):
        wish = wishes.setdefault(tools.listening, Wish(tools.listening, {}))
        wish.recipes.setdefault(tools.recipe, []).append(place)
    return list(wishes.values())
