"""The nets of the five RAVDESS systems, made of Keras's own layers only.

Every net takes a batch of features as its recipe gives them and gives logits. The mean and the
spread of each feature over the training recordings are frozen into its first layer.
"""

from __future__ import annotations

from batchemo.training.nets.layers import (
    BATCH_MEMORY,
    Model,
    NetSpec,
    Tensor,
    begin,
)


def build_cnn1d(spec: NetSpec) -> Model:
    """Four convolutions along a feature vector, each with BatchNorm, ReLU, MaxPool, Dropout."""
    from keras import layers

    features, x = begin(spec)
    x = layers.Reshape((-1, 1))(x)
    for channels in (64, 64, 128, 128):
        x = layers.Conv1D(channels, 5, padding="same", use_bias=False, **_held_back(spec))(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=BATCH_MEMORY)(x))
        x = layers.Dropout(spec.dropout)(layers.MaxPooling1D(2, padding="same")(x))
    x = layers.Dense(64, activation="relu", **_held_back(spec))(layers.Flatten()(x))
    return _end(features, layers.Dropout(spec.dropout)(x), spec)


def build_melattn(spec: NetSpec) -> Model:
    """Convolutions over time, a BiLSTM, self-attention over all its steps, and their mean."""
    from keras import layers

    features, x = begin(spec)
    for channels, pooled in ((64, 4), (128, 2), (128, 2)):
        x = layers.Conv1D(channels, 5, padding="same", **_held_back(spec))(x)
        x = layers.LeakyReLU()(layers.LayerNormalization()(x))
        x = layers.Dropout(spec.dropout)(layers.MaxPooling1D(pooled, padding="same")(x))
    x = layers.Bidirectional(layers.LSTM(64, return_sequences=True))(x)
    query, key = layers.Dense(64)(x), layers.Dense(64)(x)
    x = layers.Attention(use_scale=True)([query, x, key])
    x = layers.Dropout(spec.dropout)(layers.GlobalAveragePooling1D()(x))
    x = layers.Dense(64, activation="relu", **_held_back(spec))(x)
    return _end(features, layers.Dropout(spec.dropout)(x), spec)


def build_stats162(spec: NetSpec) -> Model:
    """Four wide convolutions along a feature vector, each with MaxPool and Dropout."""
    from keras import layers

    features, x = begin(spec)
    x = layers.Reshape((-1, 1))(x)
    for channels in (256, 256, 128, 64):
        x = layers.Conv1D(channels, 5, padding="same", activation="relu", **_held_back(spec))(x)
        x = layers.Dropout(spec.dropout)(layers.MaxPooling1D(4, padding="same")(x))
    x = layers.Dense(32, activation="relu", **_held_back(spec))(layers.Flatten()(x))
    return _end(features, layers.Dropout(spec.dropout)(x), spec)


def build_frames62(spec: NetSpec) -> Model:
    """Two convolutions over time, a BiLSTM, and three dense layers."""
    from keras import layers

    features, x = begin(spec)
    for channels in (64, 128):
        x = layers.Conv1D(channels, 5, padding="same", activation="relu")(x)
        x = layers.BatchNormalization(momentum=BATCH_MEMORY)(x)
        x = layers.Dropout(spec.dropout)(layers.MaxPooling1D(3, padding="same")(x))
    x = layers.Bidirectional(layers.LSTM(128))(x)
    x = layers.BatchNormalization(momentum=BATCH_MEMORY)(x)
    for width in (256, 128, 128):
        x = layers.Dense(width, activation="relu", **_held_back(spec))(x)
        x = layers.Dropout(spec.dropout)(x)
    return _end(features, x, spec)


def build_mfcc40(spec: NetSpec) -> Model:
    """A small convolutional net along a feature vector."""
    from keras import layers

    features, x = begin(spec)
    x = layers.Reshape((-1, 1))(x)
    for channels in (64, 128):
        x = layers.Conv1D(channels, 5, padding="same", activation="relu", **_held_back(spec))(x)
        x = layers.Dropout(spec.dropout)(layers.MaxPooling1D(2, padding="same")(x))
    return _end(features, layers.Flatten()(x), spec)


def _held_back(spec: NetSpec) -> dict[str, object]:
    from keras import regularizers

    return {"kernel_regularizer": regularizers.L2(spec.l2)} if spec.l2 else {}


def _end(features: Tensor, x: Tensor, spec: NetSpec) -> Model:
    import keras
    from keras import layers

    return keras.Model(features, layers.Dense(spec.labels, name="logits")(x))
