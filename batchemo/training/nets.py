"""The nets by name, and several nets as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from batchemo.training.classic import (
    build_cnn1d,
    build_frames62,
    build_melattn,
    build_mfcc40,
    build_stats162,
)
from batchemo.training.conformer import build_conformer
from batchemo.training.given import Given, Model, begin
from batchemo.training.regression import Regression

Builder: TypeAlias = Callable[[Given], Model]

NETS: Mapping[str, Builder] = {
    "cnn1d": build_cnn1d,
    "melattn": build_melattn,
    "stats162": build_stats162,
    "frames62": build_frames62,
    "mfcc40": build_mfcc40,
    "conformer": build_conformer,
}


def net_of(regression: Regression) -> Model:
    """A net of one layer that gives the logits of a regression."""
    import keras
    from keras import layers

    width, labels = regression.coefficients.shape
    mean, spread = regression.mean, regression.spread
    given = Given(shape=(width,), mean=mean, spread=spread, labels=labels, dropout=0.0, l2=0.0)
    features, x = begin(given)
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
