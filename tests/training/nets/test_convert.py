"""An encoder and a net as one graph, whose large weights have 8 bits: the same numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from batchemo.bundles.onnx_check import check_onnx
from batchemo.common.arrays import Float32
from batchemo.training.nets.convert import (
    STATISTICS,
    convert,
    encoder_of,
    join_graphs,
    round_weights,
)

pytestmark = pytest.mark.tensorflow

WIDTH = 256
RANDOM = np.random.default_rng(0)
FEATURES = RANDOM.normal(size=(3, 40, WIDTH)).astype(np.float32)


def multiples(shape: tuple[int, ...]) -> Float32:
    """Return weights that are 8-bit integers times a scale for each output channel, the last."""
    integers = RANDOM.integers(-127, 128, shape)
    integers.reshape(-1, shape[-1])[0] = 127
    return (integers * RANDOM.uniform(1e-4, 1e-3, shape[-1])).astype(np.float32)


def encoder_of_weights(weights: Float32) -> Any:
    """Return an encoder of one convolution, which gives the mean over time."""
    import keras

    features = keras.Input((None, WIDTH), name="features")
    layer = keras.layers.Conv1D(WIDTH, 3)
    model = keras.Model(features, keras.ops.mean(layer(features), axis=1))
    layer.set_weights([weights, np.zeros(WIDTH, np.float32)])
    return model


def net(weights: Float32) -> Any:
    """Return a net of one dense layer, with two outputs."""
    import keras

    statistics = keras.Input((WIDTH,), name="features")
    layer = keras.layers.Dense(weights.shape[-1])
    logits = layer(statistics)
    layer.set_weights([weights, np.zeros(weights.shape[-1], np.float32)])
    return keras.Model(statistics, {"logits": logits, "embedding": 2 * logits})


def joined(encoder: Any, net: Any) -> bytes:
    return join_graphs(convert(encoder, name=STATISTICS), convert(net))


def run(content: bytes) -> list[Float32]:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    results: list[Float32] = session.run(["logits", "embedding"], {"features": FEATURES})
    return results


def large_tensors(content: bytes) -> list[np.ndarray[Any, np.dtype[Any]]]:
    graph = onnx.load_from_string(content).graph
    tensors = [numpy_helper.to_array(tensor) for tensor in graph.initializer]
    return [tensor for tensor in tensors if tensor.size >= WIDTH * WIDTH]


CONVOLUTION = multiples((3, WIDTH, WIDTH))


def test_a_joined_graph_gives_what_the_net_makes_of_the_encoding() -> None:
    encoder, dense = encoder_of_weights(CONVOLUTION), net(multiples((WIDTH, WIDTH)))

    content = joined(encoder, dense)

    expected = dense(encoder(FEATURES))
    for name, values in zip(("logits", "embedding"), run(content), strict=True):
        np.testing.assert_allclose(values, expected[name], atol=1e-5)
    check_onnx(content)


def test_weights_that_are_multiples_of_scales_are_stored_as_integers() -> None:
    encoder, dense = encoder_of_weights(CONVOLUTION), net(multiples((WIDTH, WIDTH)))

    content = joined(encoder, dense)

    assert [tensor.dtype for tensor in large_tensors(content)] == [np.int8, np.int8]
    assert len(content) < 1.1 * (CONVOLUTION.size + WIDTH * WIDTH)


def test_other_weights_are_left_alone_until_they_are_rounded() -> None:
    weights = RANDOM.normal(size=(WIDTH, WIDTH)).astype(np.float32)
    dense = net(weights)

    tensors = {
        t.dtype.name: t for t in large_tensors(joined(encoder_of_weights(CONVOLUTION), dense))
    }
    assert tensors.keys() == {"int8", "float32"}
    assert np.array_equal(tensors["float32"], weights)

    round_weights(dense)

    rounded = dense.get_weights()[0]
    np.testing.assert_allclose(rounded, weights, atol=np.abs(weights).max() / 254 + 1e-6)
    assert {
        t.dtype.name for t in large_tensors(joined(encoder_of_weights(CONVOLUTION), dense))
    } == {"int8"}


def test_small_weights_are_left_alone() -> None:
    dense = net(multiples((WIDTH, 8)))

    graph = onnx.load_from_string(joined(encoder_of_weights(CONVOLUTION), dense)).graph

    matrices = [t for t in map(numpy_helper.to_array, graph.initializer) if t.shape == (WIDTH, 8)]
    assert [matrix.dtype for matrix in matrices] == [np.float32]


def test_the_encoder_of_a_joined_graph_can_be_taken_out_again() -> None:
    encoder = encoder_of_weights(CONVOLUTION)
    content = joined(encoder, net(multiples((WIDTH, WIDTH))))

    taken = encoder_of(content)

    session = onnxruntime.InferenceSession(taken, providers=["CPUExecutionProvider"])
    assert [output.name for output in session.get_outputs()] == [STATISTICS]
    found = session.run(None, {"features": FEATURES})[0]
    np.testing.assert_allclose(found, encoder(FEATURES), atol=1e-5)
    assert encoder_of(taken) == taken
    again = join_graphs(taken, convert(net(multiples((WIDTH, WIDTH)))))
    assert encoder_of(again) == taken, "what was computed with it stays valid"


def test_a_graph_without_an_encoder_has_none_to_take_out() -> None:
    with pytest.raises(KeyError):
        encoder_of(convert(net(multiples((WIDTH, 8)))))
