"""The dense net: logits of vectors of any width, scaled by their mean and deviation."""

from __future__ import annotations

import numpy as np
import pytest

from batchemo.training.fit.scoring import forward_function
from batchemo.training.nets.dense import build_dense
from batchemo.training.nets.layers import NetSpec

pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize("width", [4, 30])
def test_it_gives_a_logit_for_each_label_and_does_not_depend_on_the_scale(width: int) -> None:
    import keras

    vectors = np.random.default_rng(0).normal(size=(5, width)).astype(np.float32)
    logits = []
    for scale in (1.0, 1000.0):
        keras.utils.set_random_seed(0)
        mean, std = np.zeros(width, np.float32), np.full(width, scale, np.float32)
        spec = NetSpec(shape=(width,), mean=mean, std=std, labels=3, dropout=0.5, l2=0.0)
        net = build_dense(spec)
        logits.append(forward_function(net)(scale * vectors))

    assert logits[0].shape == (5, 3)
    np.testing.assert_allclose(logits[0], logits[1], atol=1e-4)
    assert np.ptp(logits[0], axis=0).min() > 0.01
