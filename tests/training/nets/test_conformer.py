"""The conformer: spectrograms of any length, padding told from signal, all in one graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from made_nets import BANDS, FLOOR, TINY, net_spec, tiny_conformer

from batchemo.common.arrays import Float32
from batchemo.training.fit.scoring import forward_function
from batchemo.training.nets.conformer import build_conformer

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


def spectrograms(count: int = 1, frames: int = 160) -> Float32:
    return np.random.default_rng(0).normal(size=(count, frames, BANDS)).astype(np.float32)


@pytest.fixture(scope="module")
def net() -> Any:
    return tiny_conformer()


@pytest.mark.parametrize(("count", "frames"), [(1, 1), (3, 33), (2, 401)])
def test_spectrograms_of_any_length_give_logits(net: Any, count: int, frames: int) -> None:
    logits = forward_function(net)(spectrograms(count, frames))

    assert logits.shape == (count, 3)
    assert np.isfinite(logits).all()
    assert (logits < 0).any(), "probabilities would be no logits"


def test_more_padding_changes_next_to_nothing(net: Any) -> None:
    forward = forward_function(net)
    padded = np.full((1, 400, BANDS), FLOOR, np.float32)
    padded[:, :160] = spectrograms()

    assert np.abs(forward(padded) - forward(spectrograms())).max() < 0.1


def test_padding_is_recognised_by_the_floor_of_the_specification(net: Any) -> None:
    """The same net that takes other frames for padding gives other logits."""
    other = tiny_conformer(net_spec(floor=2.0))

    logits, others = (forward_function(one)(spectrograms()) for one in (net, other))

    assert np.abs(others - logits).max() > 1e-3


def test_a_window_without_any_signal_gives_finite_logits(net: Any) -> None:
    padding = np.full((1, 100, BANDS), FLOOR, np.float32)

    assert np.isfinite(forward_function(net)(padding)).all()


def test_without_a_floor_no_conformer_is_built() -> None:
    with pytest.raises(ValueError, match="padded with"):
        build_conformer(net_spec(floor=None), TINY)


def test_the_scaling_is_part_of_the_net_and_is_not_trained() -> None:
    # The floor stays below all frames, however they are scaled.
    plain = tiny_conformer(net_spec(floor=-100.0))
    mean, std = np.full(BANDS, 5, np.float32), np.full(BANDS, 2, np.float32)
    scaled = tiny_conformer(net_spec(mean=mean, std=std, floor=-100.0))

    np.testing.assert_allclose(
        forward_function(scaled)(5 + 2 * spectrograms()),
        forward_function(plain)(spectrograms()),
        atol=1e-4,
    )
    assert len(scaled.trainable_weights) == len(plain.trainable_weights)
    (frozen,) = (layer for layer in scaled.layers if layer.weights and not layer.trainable)
    before = [np.array(weight) for weight in frozen.weights]
    scaled(spectrograms(2), training=True)
    assert not frozen.trainable_weights
    assert all(map(np.array_equal, before, frozen.weights))


def test_dropout_is_that_of_the_specification_and_twice_that_before_the_last_layer() -> None:
    layers = tiny_conformer(net_spec(dropout=0.2)).layers

    rates = [layer.rate for layer in layers if type(layer).__name__ == "Dropout"]

    assert rates[-1] == 0.4
    assert set(rates[:-1]) == {0.2}
