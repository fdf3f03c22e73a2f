"""The net of a scan: pictures of any length, padding told from sound, all in one graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from made_nets import BANDS, FLOOR, TINY, spec, tiny_conformer

pytest.importorskip("tensorflow")

from batchemo.training.fit.scoring import keras_graph
from batchemo.training.nets.conformer import build_conformer

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def pictures(count: int = 1, frames: int = 160) -> np.ndarray:
    random = np.random.default_rng(0)
    return random.normal(size=(count, frames, BANDS)).astype(np.float32)


@pytest.fixture(scope="module")
def net() -> Any:
    return tiny_conformer()


@pytest.mark.parametrize(("count", "frames"), [(1, 1), (3, 33), (2, 401)])
def test_pictures_of_any_length_give_logits(net: Any, count: int, frames: int) -> None:
    logits = keras_graph(net)(pictures(count, frames))

    assert logits.shape == (count, 3)
    assert np.isfinite(logits).all()
    assert (logits < 0).any(), "probabilities would be no logits"


def test_more_padding_changes_next_to_nothing(net: Any) -> None:
    graph = keras_graph(net)
    padded = np.full((1, 400, BANDS), FLOOR, np.float32)
    padded[:, :160] = pictures()

    assert np.abs(graph(padded) - graph(pictures())).max() < 0.1


def test_padding_is_told_by_the_floor_that_is_given(net: Any) -> None:
    """The same net that takes other frames for padding answers otherwise."""
    other = tiny_conformer(spec(floor=2.0))

    apart = np.abs(keras_graph(other)(pictures()) - keras_graph(net)(pictures())).max()
    assert apart > 1e-3


def test_silence_alone_is_no_trouble(net: Any) -> None:
    assert np.isfinite(keras_graph(net)(np.full((1, 100, BANDS), FLOOR, np.float32))).all()


def test_without_a_floor_no_conformer_is_built() -> None:
    with pytest.raises(ValueError, match="padding"):
        build_conformer(spec(floor=None), TINY)


def test_the_scaling_is_inside_the_net_and_is_not_learnt() -> None:
    # The floor stays below all frames, however they are scaled.
    plain = tiny_conformer(spec(floor=-100.0))
    scaled = tiny_conformer(
        spec(mean=np.full(BANDS, 5, np.float32), spread=np.full(BANDS, 2, np.float32), floor=-100.0)
    )

    np.testing.assert_allclose(
        keras_graph(scaled)(5 + 2 * pictures()), keras_graph(plain)(pictures()), atol=1e-4
    )
    assert len(scaled.trainable_weights) == len(plain.trainable_weights)
    before = [np.array(weight) for weight in _frozen(scaled).weights]
    scaled(pictures(2), training=True)
    assert not _frozen(scaled).trainable_weights
    assert all(map(np.array_equal, before, _frozen(scaled).weights))


def _frozen(net: Any) -> Any:
    (frozen,) = (one for one in net.layers if one.weights and not one.trainable)
    return frozen


def test_dropout_is_what_was_chosen_and_twice_that_before_the_last_layer() -> None:
    rates = [
        one.rate
        for one in tiny_conformer(spec(dropout=0.2)).layers
        if type(one).__name__ == "Dropout"
    ]

    assert rates[-1] == 0.4
    assert set(rates[:-1]) == {0.2}
