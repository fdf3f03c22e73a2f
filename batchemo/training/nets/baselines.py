"""The nets of the five RAVDESS recipes, made of Keras's own layers only.

Every net takes a batch of features and gives logits. The mean and the standard deviation of each
feature over the training recordings are constants of its first layer.
"""

from __future__ import annotations

from batchemo.training.nets.layers import (
    BATCH_NORM_MOMENTUM,
    Model,
    NetSpec,
    Tensor,
    normalised_input,
)


def build_cnn1d(spec: NetSpec) -> Model:
    """Build four convolutions along a feature vector, with BatchNorm, ReLU, MaxPool, Dropout."""
    from keras import layers

    features, x = normalised_input(spec)
    x = layers.Reshape((-1, 1))(x)
    for channels in (64, 64, 128, 128):
        x = layers.Conv1D(channels, 5, padding="same", use_bias=False, **_regularisation(spec))(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM)(x))
        x = layers.Dropout(spec.dropout)(layers.MaxPooling1D(2, padding="same")(x))
    x = layers.Dense(64, activation="relu", **_regularisation(spec))(layers.Flatten()(x))
    return _with_logits(features, layers.Dropout(spec.dropout)(x), spec)


def build_melattn(spec: NetSpec) -> Model:
    """Build convolutions over time, a BiLSTM, self-attention over all steps, and their mean."""
    from keras import layers

    features, x = normalised_input(spec)
    for channels, pooling in ((64, 4), (128, 2), (128, 2)):
        x = layers.Conv1D(channels, 5, padding="same", **_regularisation(spec))(x)
        x = layers.LeakyReLU()(layers.LayerNormalization()(x))
        x = layers.Dropout(spec.dropout)(layers.MaxPooling1D(pooling, padding="same")(x))
    x = layers.Bidirectional(layers.LSTM(64, return_sequences=True))(x)
    query, key = layers.Dense(64)(x), layers.Dense(64)(x)
    x = layers.Attention(use_scale=True)([query, x, key])
    x = layers.Dropout(spec.dropout)(layers.GlobalAveragePooling1D()(x))
    x = layers.Dense(64, activation="relu", **_regularisation(spec))(x)
    return _with_logits(features, layers.Dropout(spec.dropout)(x), spec)


def build_stats162(spec: NetSpec) -> Model:
    """Build four wide convolutions along a feature vector, each with MaxPool and Dropout."""
    from keras import layers

    features, x = normalised_input(spec)
    x = layers.Reshape((-1, 1))(x)
    for channels in (256, 256, 128, 64):
        x = layers.Conv1D(channels, 5, padding="same", activation="relu", **_regularisation(spec))(
            x
        )
        x = layers.Dropout(spec.dropout)(layers.MaxPooling1D(4, padding="same")(x))
    x = layers.Dense(32, activation="relu", **_regularisation(spec))(layers.Flatten()(x))
    return _with_logits(features, layers.Dropout(spec.dropout)(x), spec)


def build_frames62(spec: NetSpec) -> Model:
    """Build two convolutions over time, a BiLSTM, and three dense layers."""
    from keras import layers

    features, x = normalised_input(spec)
    for channels in (64, 128):
        x = layers.Conv1D(channels, 5, padding="same", activation="relu")(x)
        x = layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM)(x)
        x = layers.Dropout(spec.dropout)(layers.MaxPooling1D(3, padding="same")(x))
    x = layers.Bidirectional(layers.LSTM(128))(x)
    x = layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM)(x)
    for width in (256, 128, 128):
        x = layers.Dense(width, activation="relu", **_regularisation(spec))(x)
        x = layers.Dropout(spec.dropout)(x)
    return _with_logits(features, x, spec)


def build_mfcc40(spec: NetSpec) -> Model:
    """Build two convolutions along a feature vector, and nothing but a layer of logits."""
    from keras import layers

    features, x = normalised_input(spec)
    x = layers.Reshape((-1, 1))(x)
    for channels in (64, 128):
        x = layers.Conv1D(channels, 5, padding="same", activation="relu", **_regularisation(spec))(
            x
        )
        x = layers.Dropout(spec.dropout)(layers.MaxPooling1D(2, padding="same")(x))
    return _with_logits(features, layers.Flatten()(x), spec)


def _regularisation(spec: NetSpec) -> dict[str, object]:
    """Return the arguments of a layer whose weights are held back by l2, if it is not 0."""
    from keras import regularizers

    return {"kernel_regularizer": regularizers.L2(spec.l2)} if spec.l2 else {}


def _with_logits(features: Tensor, x: Tensor, spec: NetSpec) -> Model:
    import keras
    from keras import layers

    return keras.Model(features, layers.Dense(spec.labels, name="logits")(x))
