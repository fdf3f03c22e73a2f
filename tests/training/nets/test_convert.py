"""Graphs with large weights of 8 bits: the same numbers, a fourth of the size."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from batchemo.bundles.onnx_check import check_onnx
from batchemo.bundles.onnx_model import EXACT_WEIGHTS
from batchemo.common.arrays import Float32
from batchemo.training.nets.convert import convert

pytestmark = pytest.mark.tensorflow

WIDTH = 256
RANDOM = np.random.default_rng(0)
FEATURES = RANDOM.normal(size=(3, 40, WIDTH)).astype(np.float32)


def multiples(shape: tuple[int, ...]) -> Float32:
    """Return weights that are 8-bit integers times a scale for each output channel, the last."""
    integers = RANDOM.integers(-127, 128, shape)
    integers.reshape(-1, shape[-1])[0] = 127
    return (integers * RANDOM.uniform(1e-4, 1e-3, shape[-1])).astype(np.float32)


def net(*, dense: Float32, convolution: Float32) -> Any:
    """Return a net of a convolution and a dense layer."""
    import keras

    features = keras.Input((None, WIDTH), name="features")
    layers = [keras.layers.Conv1D(WIDTH, 3), keras.layers.Dense(WIDTH)]
    x = features
    for layer in layers:
        x = layer(x)
    for layer, weights in zip(layers, (convolution, dense), strict=True):
        layer.set_weights([weights, np.zeros(WIDTH, np.float32)])
    return keras.Model(features, x)


def run(content: bytes) -> Float32:
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry(EXACT_WEIGHTS, "1")
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    result: Float32 = session.run(None, {"features": FEATURES})[0]
    return result


def large_tensors(content: bytes) -> list[np.ndarray[Any, np.dtype[Any]]]:
    graph = onnx.load_from_string(content).graph
    tensors = [numpy_helper.to_array(tensor) for tensor in graph.initializer]
    return [tensor for tensor in tensors if tensor.size >= WIDTH * WIDTH]


def test_weights_that_are_multiples_of_scales_become_integers_and_stay_what_they_are() -> None:
    model = net(dense=multiples((WIDTH, WIDTH)), convolution=multiples((3, WIDTH, WIDTH)))

    floats, integers = convert(model), convert(model, eight_bits=True)

    assert [tensor.dtype for tensor in large_tensors(integers)] == [np.int8, np.int8]
    assert len(integers) == pytest.approx(len(floats) / 4, rel=0.05)
    np.testing.assert_allclose(run(integers), run(floats), atol=1e-5)
    check_onnx(integers)


def test_other_weights_are_left_alone() -> None:
    dense = RANDOM.normal(size=(WIDTH, WIDTH)).astype(np.float32)
    model = net(dense=dense, convolution=multiples((3, WIDTH, WIDTH)))

    tensors = {
        tensor.dtype.name: tensor for tensor in large_tensors(convert(model, eight_bits=True))
    }

    assert tensors.keys() == {"int8", "float32"}
    assert np.array_equal(tensors["float32"], dense)


def test_small_weights_are_left_alone() -> None:
    import keras

    features = keras.Input((WIDTH,), name="features")
    layer = keras.layers.Dense(8)
    model = keras.Model(features, layer(features))
    layer.set_weights([multiples((WIDTH, 8)), np.zeros(8, np.float32)])

    graph = onnx.load_from_string(convert(model, eight_bits=True)).graph
    assert {numpy_helper.to_array(tensor).dtype.name for tensor in graph.initializer} == {"float32"}
