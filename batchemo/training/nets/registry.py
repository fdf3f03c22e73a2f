"""The nets by name, and the ways to make one net of several."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from batchemo.training.nets.baselines import (
    build_cnn1d,
    build_frames62,
    build_melattn,
    build_mfcc40,
    build_stats162,
)
from batchemo.training.nets.convert import round_weights
from batchemo.training.nets.dense import build_dense
from batchemo.training.nets.familiarity import Familiarity, build_familiarity
from batchemo.training.nets.layers import Model, NetSpec, normalised_input
from batchemo.training.nets.logistic import LogisticRegression

NetBuilder: TypeAlias = Callable[[NetSpec], Model]

NETS: Mapping[str, NetBuilder] = {
    "cnn1d": build_cnn1d,
    "melattn": build_melattn,
    "stats162": build_stats162,
    "frames62": build_frames62,
    "mfcc40": build_mfcc40,
    "dense": build_dense,
}


def build_logistic(regression: LogisticRegression) -> Model:
    """Build a net of one layer that gives the logits of a regression."""
    import keras
    from keras import layers

    width, labels = regression.coefficients.shape
    mean, std = regression.mean, regression.std
    spec = NetSpec(shape=(width,), mean=mean, std=std, labels=labels, dropout=0.0, l2=0.0)
    features, x = normalised_input(spec)
    logits = layers.Dense(labels, name="logits")
    model = keras.Model(features, logits(x))
    logits.set_weights([regression.coefficients, regression.bias])
    return model


def mean_of_nets(nets: Sequence[Model]) -> Model:
    """Return one net that gives the mean of the logits of several nets on the same features."""
    import keras
    from keras import layers

    if len(nets) == 1:
        return nets[0]
    features = keras.Input(nets[0].inputs[0].shape[1:], name="features")
    # Keras's own names count all models of the process, and are part of the model's files.
    for number, net in enumerate(nets):
        net.name = f"net_{number}"
    logits = layers.Average(name="mean_logits")([net(features) for net in nets])
    return keras.Model(features, logits)


def net_on_encoder(net: Model, familiarity: Familiarity) -> Model:
    """Return a net from the statistics of an encoder to the logits that a net on these gives.

    Its other outputs are the embedding and the familiarity. Large weights are rounded, so that
    `join_graphs` can store them in 8 bits.
    """
    import keras

    statistics = keras.Input(net.inputs[0].shape[1:], name="features")
    net.name = "net"
    outputs = build_familiarity(familiarity)(statistics)
    model = keras.Model(statistics, {"logits": net(statistics), **outputs})
    round_weights(model)
    return model
