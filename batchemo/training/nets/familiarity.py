"""How familiar a window is: how much its encoding is like those of the training recordings.

The encodings are standardised and projected on their main directions: that is the embedding of a
model with an encoder. Divided by the deviation of each direction, its mean square is 1 for the
training recordings on average, and higher for what is unlike them. Familiarity is about the share
of training recordings whose mean square is higher still: 0.5 for a typical one, next to 0 for what
is unlike all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from batchemo.common.arrays import Float32, Float64
from batchemo.training.data.dataset import Dataset
from batchemo.training.nets.layers import Model

EMBEDDING_SIZE = 128
"""Directions that are kept. With 32, foreign languages are as familiar as unseen speakers; with
400, unseen speakers are less familiar than those of the training data."""

_WINDOWS_A_DIRECTION = 10
"""Windows that there must be for each direction that is kept."""

_LOGISTIC = np.sqrt(3) / np.pi
"""The scale of the logistic distribution whose deviation is 1."""


@dataclass(frozen=True, slots=True, eq=False)
class Familiarity:
    """The projection, and the distribution of the logarithm of the mean square."""

    projection: Float32
    """(encoding, embedding)"""
    offset: Float32
    deviations: Float32
    """Those of the embeddings of the training recordings, (embedding,). The embedding itself is not
    divided by them: a few answers tell more by the directions in which recordings differ most."""
    centre: float
    scale: float

    def embed(self, vectors: Float32) -> Float32:
        """Return the embedding of each encoding, (windows, embedding)."""
        embedding: Float32 = vectors @ self.projection + self.offset
        return embedding

    def standardise(self, vectors: Float32) -> Float32:
        """Return the embedding with a deviation of 1 in each direction."""
        standardised: Float32 = self.embed(vectors) / self.deviations
        return standardised

    def score(self, vectors: Float32) -> Float64:
        """Return the familiarity of each encoding, (windows,)."""
        distance = (_log_mean_square(self.standardise(vectors)) - self.centre) / self.scale
        # Limited, as exp would overflow: the familiarity is 0 long before.
        familiarity: Float64 = 1 / (1 + np.exp(np.minimum(distance, 50.0)))
        return familiarity


def fit_familiarity(dataset: Dataset) -> Familiarity:
    """Fit to all windows of a dataset of encodings; each corpus weighs the same."""
    windows_of_item = [len(windows) for windows in dataset.windows]
    vectors = np.concatenate(dataset.windows)
    corpora = np.repeat(dataset.corpora, windows_of_item)
    weights = 1 / np.bincount(corpora)[corpora]
    weights /= weights.sum()
    mean = weights @ vectors
    std = np.sqrt(weights @ np.square(vectors - mean)) + 1e-6
    standardised = ((vectors - mean) / std).astype(np.float32)
    covariance = (standardised * weights[:, None].astype(np.float32)).T @ standardised
    variances, directions = np.linalg.eigh(covariance.astype(np.float64))
    # With about as many directions as windows, each window would have the same mean square.
    size = max(1, min(EMBEDDING_SIZE, len(variances), len(vectors) // _WINDOWS_A_DIRECTION))
    kept = slice(-1, -1 - size, -1)
    projection = directions[:, kept] / std[:, None]
    offset = -mean @ projection
    unscaled = Familiarity(
        projection.astype(np.float32),
        offset.astype(np.float32),
        np.sqrt(np.maximum(variances[kept], 1e-6)).astype(np.float32),
        centre=0.0,
        scale=1.0,
    )
    logarithms = _log_mean_square(unscaled.standardise(vectors))
    centre = float(weights @ logarithms)
    deviation = float(np.sqrt(weights @ np.square(logarithms - centre)))
    return replace(unscaled, centre=centre, scale=max(deviation, 1e-3) * float(_LOGISTIC))


def build_familiarity(familiarity: Familiarity) -> Model:
    """Build a net from encodings to the outputs `embedding` and `familiarity`."""
    import keras
    from keras import layers, ops

    width, size = familiarity.projection.shape
    encodings = keras.Input((width,), name="features")
    projection = layers.Dense(size, name="embedding")
    embedding = projection(encodings)
    projection.set_weights([familiarity.projection, familiarity.offset])
    standardised = embedding / familiarity.deviations
    mean_square = ops.mean(ops.square(standardised), axis=-1, keepdims=True)
    distance = (ops.log(mean_square + 1e-12) - familiarity.centre) / familiarity.scale
    score = layers.Activation("sigmoid", name="familiarity")(-distance)
    return keras.Model(encodings, {"embedding": embedding, "familiarity": score})


def _log_mean_square(embedding: Float32) -> Float64:
    logarithms: Float64 = np.log(np.mean(np.square(embedding, dtype=np.float64), axis=-1) + 1e-12)
    return logarithms
