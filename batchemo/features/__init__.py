"""Features of speech: recipes as data, computed from one shared spectrum a signal."""

from batchemo.features.feature_set import (
    FEATURE_SETS,
    FeatureSet,
    extract,
    get_feature_set,
)

__all__ = ["FEATURE_SETS", "FeatureSet", "extract", "get_feature_set"]
