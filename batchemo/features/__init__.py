"""Features of speech: recipes as data, computed from one shared spectrum a signal."""

from batchemo.features.feature_set import (
    RECIPES,
    Recipe,
    extract,
    get_recipe,
)

__all__ = ["RECIPES", "Recipe", "extract", "get_recipe"]
