"""The nets of the five RAVDESS systems, made of Keras's own layers only.

Every net takes a batch of features as its recipe gives them and gives logits. The mean and the
spread of each feature over the training recordings are frozen into its first layer.
"""

from __future__ import annotations

from batchemo.training.nets.layers import (
    BATCH_MEMORY,
    Given,
    Model,
    Tensor,
    begin,
)


def build_cnn1d(given: Given) -> Model:
    """Four convolutions along a feature vector, each with BatchNorm, ReLU, MaxPool, Dropout."""
    from keras import layers

    features, x = begin(given)
    x = layers.Reshape((-1, 1))(x)
    for channels in (64, 64, 128, 128):
        x = layers.Conv1D(channels, 5, padding="same", use_bias=False, **_held_back(given))(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=BATCH_MEMORY)(x))
        x = layers.Dropout(given.dropout)(layers.MaxPooling1D(2, padding="same")(x))
    x = layers.Dense(64, activation="relu", **_held_back(given))(layers.Flatten()(x))
    return _end(features, layers.Dropout(given.dropout)(x), given)


def build_melattn(given: Given) -> Model:
    """Convolutions over time, a BiLSTM, self-attention over all its steps, and their mean."""
    from keras import layers

    features, x = begin(given)
    for channels, pooled in ((64, 4), (128, 2), (128, 2)):
        x = layers.Conv1D(channels, 5, padding="same", **_held_back(given))(x)
        x = layers.LeakyReLU()(layers.LayerNormalization()(x))
        x = layers.Dropout(given.dropout)(layers.MaxPooling1D(pooled, padding="same")(x))
    x = layers.Bidirectional(layers.LSTM(64, return_sequences=True))(x)
    query, key = layers.Dense(64)(x), layers.Dense(64)(x)
    x = layers.Attention(use_scale=True)([query, x, key])
    x = layers.Dropout(given.dropout)(layers.GlobalAveragePooling1D()(x))
    x = layers.Dense(64, activation="relu", **_held_back(given))(x)
    return _end(features, layers.Dropout(given.dropout)(x), given)


def build_stats162(given: Given) -> Model:
    """Four wide convolutions along a feature vector, each with MaxPool and Dropout."""
    from keras import layers

    features, x = begin(given)
    x = layers.Reshape((-1, 1))(x)
    for channels in (256, 256, 128, 64):
        x = layers.Conv1D(channels, 5, padding="same", activation="relu", **_held_back(given))(x)
        x = layers.Dropout(given.dropout)(layers.MaxPooling1D(4, padding="same")(x))
    x = layers.Dense(32, activation="relu", **_held_back(given))(layers.Flatten()(x))
    return _end(features, layers.Dropout(given.dropout)(x), given)


def build_frames62(given: Given) -> Model:
    """Two convolutions over time, a BiLSTM, and three dense layers."""
    from keras import layers

    features, x = begin(given)
    for channels in (64, 128):
        x = layers.Conv1D(channels, 5, padding="same", activation="relu")(x)
        x = layers.BatchNormalization(momentum=BATCH_MEMORY)(x)
        x = layers.Dropout(given.dropout)(layers.MaxPooling1D(3, padding="same")(x))
    x = layers.Bidirectional(layers.LSTM(128))(x)
    x = layers.BatchNormalization(momentum=BATCH_MEMORY)(x)
    for width in (256, 128, 128):
        x = layers.Dense(width, activation="relu", **_held_back(given))(x)
        x = layers.Dropout(given.dropout)(x)
    return _end(features, x, given)


def build_mfcc40(given: Given) -> Model:
    """A small convolutional net along a feature vector."""
    from keras import layers

    features, x = begin(given)
    x = layers.Reshape((-1, 1))(x)
    for channels in (64, 128):
        x = layers.Conv1D(channels, 5, padding="same", activation="relu", **_held_back(given))(x)
        x = layers.Dropout(given.dropout)(layers.MaxPooling1D(2, padding="same")(x))
    return _end(features, layers.Flatten()(x), given)


def _held_back(given: Given) -> dict[str, object]:
    from keras import regularizers

    return {"kernel_regularizer": regularizers.L2(given.l2)} if given.l2 else {}


def _end(features: Tensor, x: Tensor, given: Given) -> Model:
    import keras
    from keras import layers

    return keras.Model(features, layers.Dense(given.labels, name="logits")(x))
