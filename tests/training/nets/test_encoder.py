"""The pretrained encoder: read from its file, and the same as Whisper's on what is no padding."""

from __future__ import annotations

from math import erf
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from batchemo.common.arrays import Float32, Float64
from batchemo.errors import UsageError
from batchemo.training.nets.encoder import (
    BANDS,
    BLOCKS,
    HEADS,
    HOW_TO_GET,
    MAX_SECONDS,
    POSITIONS,
    STATISTICS_SIZE,
    WIDTH,
    Weights,
    build_encoder,
    read_encoder,
)

pytestmark = pytest.mark.tensorflow

FLOOR = -2.0


@pytest.fixture(scope="module")
def weights(encoder_file: Path) -> Weights:
    return read_encoder(encoder_file)


@pytest.fixture(scope="module")
def encoder(weights: Weights) -> Any:
    return build_encoder(weights, FLOOR)


def log_mels(frames: int, windows: int = 1) -> Float32:
    """Return spectrograms without a frame that could be padding."""
    random = np.random.default_rng(frames)
    return random.uniform(-1.5, 2, (windows, frames, BANDS)).astype(np.float32)


def padded(spectrograms: Float32, frames: int) -> Float32:
    """Return them with so many frames of padding at the end."""
    return np.pad(spectrograms, ((0, 0), (0, frames), (0, 0)), constant_values=FLOOR)


def encode(encoder: Any, spectrograms: Float32) -> Float32:
    return np.asarray(encoder(spectrograms))


def test_weights_are_the_numbers_that_the_integers_stand_for(tmp_path: Path) -> None:
    from made_encoder import write_encoder

    expected = write_encoder(tmp_path / "made.onnx")

    weights = read_encoder(tmp_path / "made.onnx")

    assert weights.keys() == expected.keys()
    for name, numbers in expected.items():
        assert weights[name].dtype == np.float32
        np.testing.assert_allclose(weights[name], numbers, rtol=1e-6, err_msg=name)


def test_every_layer_has_its_weights(encoder: Any, weights: Weights) -> None:
    held = [layer for layer in encoder.layers if layer.weights]

    assert {f"{layer.name}.weight" for layer in held} == {n for n in weights if "weight" in n}
    for layer in held:
        assert np.array_equal(layer.get_weights()[0], weights[f"{layer.name}.weight"])
    assert encoder.trainable_weights == []


def gelu(x: Float64) -> Float64:
    gates: Float64 = np.vectorize(erf)(x / np.sqrt(2))
    return x * (gates + 1) / 2


def convolved(x: Float64, weights: Weights, name: str, stride: int = 1) -> Float64:
    around = np.pad(x, ((1, 1), (0, 0)))
    windows = [around[start : start + 3] for start in range(0, len(x), stride)]
    products = [np.einsum("ti,tio->o", window, weights[f"{name}.weight"]) for window in windows]
    result: Float64 = np.array(products) + weights[f"{name}.bias"]
    return result


def as_whisper(spectrogram: Float32, weights: Weights) -> Float64:
    """Return the statistics of one spectrogram, computed as Whisper's paper and code describe."""

    def dense(x: Float64, name: str) -> Float64:
        product: Float64 = x @ weights[f"{name}.weight"] + weights.get(
            f"{name}.bias", np.float32(0)
        )
        return product

    def normalised(x: Float64, name: str) -> Float64:
        deviation = np.sqrt(x.var(axis=1, keepdims=True) + 1e-5)
        x = (x - x.mean(axis=1, keepdims=True)) / deviation
        return x * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def attended(x: Float64, block: str) -> Float64:
        size, heads = WIDTH // HEADS, []
        query, key, value = (dense(x, f"{block}_{role}") for role in ("query", "key", "value"))
        for part in (slice(size * head, size * (head + 1)) for head in range(HEADS)):
            shares = np.exp(query[:, part] @ key[:, part].T / np.sqrt(size))
            heads.append(shares / shares.sum(axis=1, keepdims=True) @ value[:, part])
        return dense(np.concatenate(heads, axis=1), f"{block}_out")

    x = gelu(convolved(spectrogram.astype(np.float64) * 0.5 + 0.764, weights, "conv1"))
    x = gelu(convolved(x, weights, "conv2", stride=2))
    x = x + weights["positions.weight"][: len(x)]
    statistics = []
    for block in (f"block{index}" for index in range(BLOCKS)):
        x = x + attended(normalised(x, f"{block}_norm1"), block)
        hidden = gelu(dense(normalised(x, f"{block}_norm2"), f"{block}_expand"))
        x = x + dense(hidden, f"{block}_project")
        statistics += [x.mean(axis=0), x.std(axis=0)]
    return np.concatenate(statistics)


@pytest.mark.parametrize("frames", [40, 61])
def test_it_computes_what_whisper_does_and_gives_mean_and_deviation(
    encoder: Any, weights: Weights, frames: int
) -> None:
    spectrograms = log_mels(frames, windows=2)

    statistics = encode(encoder, spectrograms)

    assert statistics.shape == (2, STATISTICS_SIZE)
    for spectrogram, computed in zip(spectrograms, statistics, strict=True):
        np.testing.assert_allclose(computed, as_whisper(spectrogram, weights), atol=2e-3)
    # Far larger than what is allowed above.
    assert np.abs(statistics[0] - statistics[1]).max() > 0.05


@pytest.mark.parametrize("frames", [60, 61])
@pytest.mark.parametrize("padding", [1, 37, 2 * POSITIONS])
def test_the_length_of_padding_changes_nothing(encoder: Any, frames: int, padding: int) -> None:
    spectrograms = log_mels(frames)

    alone, with_padding = (encode(encoder, padded(spectrograms, extra)) for extra in (0, padding))

    np.testing.assert_allclose(with_padding, alone, atol=1e-4)


def test_digital_silence_has_statistics_that_are_numbers(encoder: Any) -> None:
    silence = np.full((1, 50, BANDS), FLOOR, np.float32)

    assert np.isfinite(encode(encoder, silence)).all()


def test_the_longest_window_has_a_position_for_each_of_its_frames() -> None:
    frames_a_second = 100
    assert MAX_SECONDS * frames_a_second / 2 == POSITIONS


def test_other_files_are_refused_and_how_to_get_the_right_one_is_said(tmp_path: Path) -> None:
    import onnx
    from onnx import helper

    text, other = tmp_path / "text.onnx", tmp_path / "other.onnx"
    text.write_text("not a graph\n")
    onnx.save(helper.make_model(helper.make_graph([], "other", [], [])), other)

    for path, message in (
        (tmp_path / "none.onnx", "cannot be read: No such file"),
        (tmp_path, "cannot be read: Is a directory"),
        (text, "is not an ONNX file"),
        (other, "is not the encoder that is expected"),
    ):
        with pytest.raises(UsageError) as refused:
            read_encoder(path)
        assert f"--encoder {path}: {message}" in str(refused.value)
        assert HOW_TO_GET in str(refused.value)


def test_a_file_without_one_of_the_weights_is_refused_by_its_name(
    encoder_file: Path, tmp_path: Path
) -> None:
    import onnx

    model = onnx.load(encoder_file)
    missing = "inner.encoder.layers.1.final_layer_norm.bias"
    (index,) = [n for n, tensor in enumerate(model.graph.initializer) if tensor.name == missing]
    del model.graph.initializer[index]
    onnx.save(model, tmp_path / "cut.onnx")

    with pytest.raises(UsageError, match=missing):
        read_encoder(tmp_path / "cut.onnx")


def test_a_file_without_one_of_the_products_is_refused(encoder_file: Path, tmp_path: Path) -> None:
    import onnx

    model = onnx.load(encoder_file)
    (product,) = [node for node in model.graph.node if node.output[0] == "block1_expand"]
    model.graph.node.remove(product)
    onnx.save(model, tmp_path / "cut.onnx")

    with pytest.raises(UsageError, match="is not the encoder that is expected"):
        read_encoder(tmp_path / "cut.onnx")


def test_an_encoder_of_another_size_is_refused(encoder_file: Path, tmp_path: Path) -> None:
    import onnx
    from onnx import numpy_helper

    model = onnx.load(encoder_file)
    name = "inner.encoder.embed_positions.weight"
    (positions,) = [tensor for tensor in model.graph.initializer if tensor.name == name]
    positions.CopyFrom(numpy_helper.from_array(np.zeros((1500, 512), np.float32), name))
    onnx.save(model, tmp_path / "base.onnx")

    with pytest.raises(UsageError, match=r"positions of the shape \(1500, 512\)"):
        read_encoder(tmp_path / "base.onnx")
