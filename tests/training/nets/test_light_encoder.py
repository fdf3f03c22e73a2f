"""The light encoder: the same from Keras and as a graph, and padding changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from batchemo.bundles.onnx_check import check_onnx
from batchemo.common.arrays import Float32
from batchemo.training.nets.encoder import (
    BANDS,
    STATISTICS_SIZE,
    WIDTH,
    Weights,
    build_frame_encoder,
    read_encoder,
)
from batchemo.training.nets.light_encoder import STRIDE, build_light_encoder, weights_of
from batchemo.training.nets.light_graph import Ranges, light_graph, measure_ranges

pytestmark = pytest.mark.tensorflow

FLOOR = -2.0


def log_mels(frames: int, windows: int = 3) -> Float32:
    """Return smooth spectrograms, without a frame that could be padding."""
    random = np.random.default_rng(frames)
    knots = random.uniform(-1.5, 1.5, (windows, frames // 20 + 2, BANDS))
    at = np.linspace(0, knots.shape[1] - 1.001, frames)
    below, share = at.astype(int), (at % 1)[:, None]
    smooth = knots[:, below] * (1 - share) + knots[:, below + 1] * share
    return smooth.astype(np.float32)


def padded(spectrograms: Float32, frames: int) -> Float32:
    return np.pad(spectrograms, ((0, 0), (0, frames), (0, 0)), constant_values=FLOOR)


def run(graph: bytes, spectrograms: Float32) -> Float32:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    result: Float32 = session.run(None, {"features": spectrograms})[0]
    return result


@pytest.fixture(scope="module")
def encoder(encoder_file: Path) -> Any:
    return build_light_encoder(read_encoder(encoder_file), FLOOR)


@pytest.fixture(scope="module")
def weights(encoder: Any) -> Weights:
    return weights_of(encoder)


@pytest.fixture(scope="module")
def ranges(weights: Weights) -> Ranges:
    return measure_ranges(weights, FLOOR, [log_mels(200), log_mels(90)])


def statistics(encoder: Any, spectrograms: Float32) -> Float32:
    *blocks, mask = (np.asarray(output, np.float64) for output in encoder(spectrograms))
    shares = mask / mask.sum(axis=1, keepdims=True)
    parts = []
    for frames in blocks:
        mean = (shares * frames).sum(axis=1)
        variance = (shares * (frames - mean[:, None]) ** 2).sum(axis=1)
        parts += [mean, np.sqrt(variance + 1e-5)]
    return np.concatenate(parts, axis=-1).astype(np.float32)


@pytest.mark.parametrize("frames", [37, 100, 399])
def test_the_graph_in_single_precision_gives_the_statistics_of_the_frames(
    encoder: Any, weights: Weights, frames: int
) -> None:
    spectrograms = padded(log_mels(frames), 30)

    found = run(light_graph(weights, FLOOR, None), spectrograms)

    assert found.shape == (3, STATISTICS_SIZE)
    np.testing.assert_allclose(found, statistics(encoder, spectrograms), atol=1e-4)


def test_it_gives_a_frame_for_four_and_starts_near_the_pretrained_encoder(
    encoder: Any, encoder_file: Path
) -> None:
    spectrograms = log_mels(200)
    pretrained = build_frame_encoder(read_encoder(encoder_file), FLOOR)

    light, full = (np.asarray(model(spectrograms)[0]) for model in (encoder, pretrained))

    assert light.shape == (3, 200 // STRIDE, WIDTH)
    pairs = full.reshape(3, 200 // STRIDE, 2, WIDTH).mean(axis=2)
    assert np.corrcoef(light.ravel(), pairs.ravel())[0, 1] > 0.9


def test_in_8_bits_it_gives_nearly_the_same_and_is_a_fourth_of_the_size(
    weights: Weights, ranges: Ranges
) -> None:
    exact = light_graph(weights, FLOOR, None)

    graph = light_graph(weights, FLOOR, ranges)

    check_onnx(graph)
    assert len(graph) < 0.3 * len(exact)
    expected, found = (run(content, log_mels(200)) for content in (exact, graph))
    assert np.corrcoef(expected.ravel(), found.ravel())[0, 1] > 0.99


def test_all_large_products_are_of_8_bits(weights: Weights, ranges: Ranges) -> None:
    graph = onnx.load_from_string(light_graph(weights, FLOOR, ranges)).graph
    producers = {output: node.op_type for node in graph.node for output in node.output}

    products = [node for node in graph.node if node.op_type == "Gemm"]

    assert len(products) == 10
    for product in products:
        assert [producers[name] for name in product.input] == ["DequantizeLinear"] * 3


def test_padding_and_the_rest_of_the_batch_change_nothing(weights: Weights, ranges: Ranges) -> None:
    graph, spectrograms = light_graph(weights, FLOOR, ranges), log_mels(101)

    alone = run(graph, spectrograms[1:2])

    for frames in (3, 50, 200):
        together = run(graph, padded(spectrograms, frames))
        np.testing.assert_allclose(together[1:2], alone, atol=1e-4)


def test_silence_and_windows_beyond_the_last_position_give_numbers(
    weights: Weights, ranges: Ranges
) -> None:
    graph = light_graph(weights, FLOOR, ranges)

    for spectrograms in (np.full((1, 40, BANDS), FLOOR, np.float32), log_mels(1001)):
        assert np.isfinite(run(graph, spectrograms)).all()
