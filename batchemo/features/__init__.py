"""Features of speech: feature sets as data, and the kernels that compute them.

In the order in which data flows: `spectrum` (the short-time spectrum that all kernels share),
`mel`, `pitch` and `spectral` (the classic features, equal to librosa's), `descriptors` (those
features by name, as frames or means); `f0`, `prosody`, `timbre` and `statistics` (what
`functionals` summarises), `logmel` (the log-mel spectrogram of the speech in a window),
`combined`, and `feature_set` (all of them by name).
"""

from batchemo.features.feature_set import (
    FEATURE_SETS,
    FeatureSet,
    extract,
    get_feature_set,
)

__all__ = ["FEATURE_SETS", "FeatureSet", "extract", "get_feature_set"]
