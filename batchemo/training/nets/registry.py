"""The nets by name, several nets as one, and nets of two kinds of features as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from batchemo.features.combined import N_STATISTICS, STATISTICS_ROWS
from batchemo.training.nets.baselines import (
    build_cnn1d,
    build_frames62,
    build_melattn,
    build_mfcc40,
    build_stats162,
)
from batchemo.training.nets.conformer import build_conformer
from batchemo.training.nets.layers import Model, NetSpec, begin
from batchemo.training.nets.logistic import LogisticRegression

Builder: TypeAlias = Callable[[NetSpec], Model]

NETS: Mapping[str, Builder] = {
    "cnn1d": build_cnn1d,
    "melattn": build_melattn,
    "stats162": build_stats162,
    "frames62": build_frames62,
    "mfcc40": build_mfcc40,
    "conformer": build_conformer,
}


def net_of(regression: LogisticRegression) -> Model:
    """A net of one layer that gives the logits of a regression."""
    import keras
    from keras import layers

    width, labels = regression.coefficients.shape
    mean, spread = regression.mean, regression.spread
    spec = NetSpec(shape=(width,), mean=mean, spread=spread, labels=labels, dropout=0.0, l2=0.0)
    features, x = begin(spec)
    logits = layers.Dense(labels, name="logits")
    model = keras.Model(features, logits(x))
    logits.set_weights([regression.coefficients, regression.bias])
    return model


def together(nets: Sequence[Model]) -> Model:
    """One net that gives the mean of what several say of the same features."""
    import keras
    from keras import layers

    if len(nets) == 1:
        return nets[0]
    features = keras.Input(nets[0].inputs[0].shape[1:], name="features")
    for number, net in enumerate(nets):
        net.name = f"net_{number}"
    logits = layers.Average(name="mean_logits")([net(features) for net in nets])
    return keras.Model(features, logits)


def joined(pictures: Model, statistics: Model) -> Model:
    """One net that takes joint features and gives the mean of what two say, each of its part."""
    import keras
    from keras import layers, ops

    bands = pictures.inputs[0].shape[-1]
    features = keras.Input((None, bands), name="features")
    row = ops.reshape(features[:, :STATISTICS_ROWS], (-1, STATISTICS_ROWS * bands))
    pictures.name, statistics.name = "pictures", "statistics"
    said = [pictures(features[:, STATISTICS_ROWS:]), statistics(row[:, :N_STATISTICS])]
    return keras.Model(features, layers.Average(name="mean_of_both")(said))
