"""Running an encoder: the vectors that its Keras model gives, padding cut off first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from batchemo.common.arrays import Float32
from batchemo.corpora import Example
from batchemo.training.data.encoding import Encoder
from batchemo.training.data.feature_store import gather_items, open_store
from batchemo.training.recipes import RECIPES

BANDS = 80
FLOOR = -2.0
RECIPE = RECIPES["accurate"]


def write_encoder(path: Path, operator: str = "ReduceMean") -> Encoder:
    """Write a graph that gives a statistic of each band over the frames that it is given."""
    features = helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, None, BANDS])
    vector = helper.make_tensor_value_info("vector", TensorProto.FLOAT, [None, BANDS])
    node = helper.make_node(operator, ["features"], ["vector"], axes=[1], keepdims=0)
    graph = helper.make_graph([node], "made", [features], [vector])
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return Encoder(path, BANDS, FLOOR)


def log_mels(frames: int, length: int) -> Float32:
    """Return so many frames of signal, and padding up to a length."""
    spectrogram = np.full((length, BANDS), FLOOR, np.float32)
    spectrogram[:frames] = np.random.default_rng(frames).uniform(-1, 2, (frames, BANDS))
    return spectrogram


def test_padding_is_cut_off_but_for_what_fills_up_the_last_frames(tmp_path: Path) -> None:
    encoder = write_encoder(tmp_path / "mean.onnx")

    vectors = encoder.encode(np.stack([log_mels(40, 500), log_mels(64, 500), log_mels(0, 500)]))

    assert vectors.shape == (3, BANDS)
    for vector, (frames, kept) in zip(vectors, [(40, 48), (64, 64), (0, 16)], strict=True):
        assert vector == pytest.approx(log_mels(frames, 500)[:kept].mean(axis=0), abs=1e-5)


def test_no_windows_give_no_vectors(tmp_path: Path) -> None:
    encoder = write_encoder(tmp_path / "mean.onnx")

    assert encoder.encode(np.zeros((0, 500, BANDS), np.float32)).shape == (0, BANDS)


def test_each_encoder_has_its_part_of_the_store(tmp_path: Path) -> None:
    mean, largest = (
        write_encoder(tmp_path / f"{operator}.onnx", operator)
        for operator in ("ReduceMean", "ReduceMax")
    )
    moved = tmp_path / "moved.onnx"
    moved.write_bytes(mean.graph.read_bytes())

    folders = [
        open_store(tmp_path, RECIPE.features, RECIPE.windows, encoder).folder
        for encoder in (None, mean, largest, Encoder(moved, BANDS, FLOOR))
    ]

    assert len({*folders[:3]}) == 3
    assert folders[3] == folders[1]


def test_items_hold_the_vectors_of_an_encoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from inline_map import gather_inline
    from voices import write_voice

    gather_inline(monkeypatch)
    path = write_voice(tmp_path / "one.wav", seconds=7.0)
    example = Example(path, "made", "1", "female", "sad", "normal", digest="0" * 64)
    encoder = write_encoder(tmp_path / "mean.onnx")

    plain, encoded = (
        gather_items([example], RECIPE.features, RECIPE.windows, encoder=one, folder=tmp_path)
        for one in (None, encoder)
    )

    (spectrograms,) = [item.windows for item in plain.items]
    (vectors,) = [item.windows for item in encoded.items]
    assert spectrograms.shape[1:] == RECIPE.features.shape(RECIPE.windows.window)
    assert np.array_equal(vectors, encoder.encode(spectrograms))


@pytest.mark.tensorflow
def test_the_graph_of_an_encoder_gives_what_its_keras_model_gives(
    encoder_file: Path, tmp_path: Path
) -> None:
    from batchemo.training.experiment.encoder import make_encoder
    from batchemo.training.nets.encoder import build_encoder, read_encoder

    recipe = RECIPES["accurate"]
    encoder = make_encoder(encoder_file, recipe, tmp_path)
    spectrograms = np.stack([log_mels(70, 120), log_mels(33, 120)])

    vectors = encoder.encode(spectrograms)

    expected = build_encoder(read_encoder(encoder_file), encoder.floor)(spectrograms)
    np.testing.assert_allclose(vectors, expected, atol=1e-4)
