"""Small untrained nets that take spectrograms of any length."""

from __future__ import annotations

from typing import Any

BANDS = 64


def free_net(labels: int = 3, *, seed: int = 0) -> Any:
    """Return a net from a spectrogram of any length to logits."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    features = keras.Input((None, BANDS), name="features")
    x = layers.Conv1D(8, 3, padding="same", activation="relu")(features)
    x = layers.BatchNormalization()(layers.Dense(8)(x))
    return keras.Model(features, layers.Dense(labels)(layers.GlobalAveragePooling1D()(x)))
