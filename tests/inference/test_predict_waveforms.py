"""Models that take samples instead of features are scanned with like all others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from voices import write_voice

from batchemo.audio import read_windows
from batchemo.bundles import Bundle, softmax
from batchemo.inference.loaded import LoadedModel, load_model, shared_windows
from batchemo.inference.predict import predict_with
from batchemo.inference.settings import ModelSettings
from batchemo.sources import Recording
from batchemo.tables.rows import RecordingResult

Make = Callable[..., Bundle]

# Two are as long as a window or longer; of the others two are equally long.
LENGTHS = {"a": 1.1, "b": 7.3, "c": 1.1, "d": 2.2, "e": 3.0, "f": 0.9}


@pytest.fixture
def recordings(tmp_path: Path) -> list[Recording]:
    for seed, (name, seconds) in enumerate(LENGTHS.items()):
        write_voice(tmp_path / "voices" / f"{name}.wav", seconds=seconds, seed=seed)
    root = str(tmp_path / "voices")
    return [Recording(root, f"{name}.wav", 1, 0) for name in LENGTHS]


def load(bundle: Bundle, batch_size: int = 4) -> LoadedModel:
    return load_model(ModelSettings(str(bundle.path), batch_size=batch_size))


def predict(model: LoadedModel, recordings: Sequence[Recording]) -> list[RecordingResult]:
    rows = [row for (row,) in predict_with([model], 0.0, recordings).rows]
    assert [row.reason for row in rows] == [None] * len(recordings)
    return rows


def as_bytes(rows: Sequence[RecordingResult]) -> list[bytes]:
    """Return the probabilities of the recordings and of their windows."""
    found = []
    for row in rows:
        assert row.probabilities is not None
        assert row.windows is not None
        found.append(row.probabilities.tobytes() + row.windows.probabilities.tobytes())
    return found


def level_of(model: LoadedModel, recording: Recording, *, padded: bool) -> np.ndarray:
    """Return the root mean square of each window with speech, padded to the window or not."""
    with read_windows(recording.path, model.window_config) as windows:
        samples = [window.samples for window in windows if window.speech]
    length = round(model.window_config.window * model.window_config.rate)
    return np.array(
        [np.sqrt((s.astype(float) ** 2).sum() / (length if padded else len(s))) for s in samples]
    )


@pytest.mark.parametrize("padding", ["masked", "trained", "forbidden"])
def test_probabilities_are_those_of_the_samples_padded_only_where_it_is_allowed(
    make_bundle: Make, recordings: list[Recording], padding: str
) -> None:
    from onnx import load_from_string, numpy_helper

    bundle = make_bundle(waveform=True, padding=padding)
    model = load(bundle)
    graph = load_from_string(bundle.read("model.onnx")).graph
    weights = numpy_helper.to_array(graph.initializer[0]).astype(float)

    rows = predict(model, recordings)

    for recording, row in zip(recordings, rows, strict=True):
        levels = level_of(model, recording, padded=padding != "forbidden")
        expected = softmax(levels[:, None] * weights).mean(axis=0)
        np.testing.assert_allclose(row.probabilities, expected, atol=1e-5)


def test_normalised_windows_give_the_same_however_loud_the_recording_is(
    make_bundle: Make, tmp_path: Path
) -> None:
    import soundfile

    samples, rate = soundfile.read(write_voice(tmp_path / "v" / "loud.wav", seconds=4.0))
    soundfile.write(tmp_path / "v" / "quiet.wav", samples / 4, rate, subtype="FLOAT")
    pair = [Recording(str(tmp_path / "v"), f"{name}.wav", 1, 0) for name in ("loud", "quiet")]

    normalised = make_bundle(waveform=True, normalisation="zero_mean_unit_variance")
    loud, quiet = predict(load(normalised), pair)
    np.testing.assert_allclose(loud.probabilities, quiet.probabilities, atol=1e-4)

    loud, quiet = predict(load(make_bundle(waveform=True, name="plain")), pair)
    assert np.abs(loud.probabilities - quiet.probabilities).max() > 0.01


@pytest.mark.parametrize("padding", ["trained", "forbidden"])
@pytest.mark.parametrize("waveform", [True, False], ids=["waveform", "features"])
def test_a_row_is_the_same_bytes_whatever_its_neighbours(
    make_bundle: Make, recordings: list[Recording], padding: str, waveform: bool
) -> None:
    model = load(make_bundle(waveform=waveform, padding=padding))

    together = as_bytes(predict(model, recordings))

    alone = [as_bytes(predict(model, [recording]))[0] for recording in recordings]
    backwards = as_bytes(predict(model, recordings[::-1]))[::-1]
    twice = as_bytes(predict(model, [r for r in recordings for _ in range(5)]))[::5]
    assert together == alone == backwards == twice


def test_a_shorter_window_has_a_batch_for_itself_where_padding_is_forbidden(
    make_bundle: Make, recordings: list[Recording]
) -> None:
    model = load(make_bundle(waveform=True, padding="forbidden"))
    shapes = []
    graph = model.classifier.graph  # type: ignore[attr-defined]

    def recorded(batch: np.ndarray) -> np.ndarray:
        shapes.append(batch.shape)
        result: np.ndarray = graph(batch)
        return result

    spied = replace(model, classifier=replace(model.classifier, graph=recorded))  # type: ignore[type-var]
    predict(spied, recordings)

    lengths = {round(min(seconds, 3.0) * 16000) for seconds in LENGTHS.values()}
    assert {length for _, length in shapes} == lengths
    assert {batch for batch, length in shapes if length == 3 * 16000} == {4}
    assert {batch for batch, length in shapes if length < 3 * 16000} == {1}


def test_another_batch_size_changes_no_probability_noticeably(
    make_bundle: Make, recordings: list[Recording]
) -> None:
    bundle = make_bundle(waveform=True, padding="forbidden")

    one, sixteen = (predict(load(bundle, size), recordings) for size in (1, 16))

    for row, other in zip(one, sixteen, strict=True):
        np.testing.assert_allclose(row.probabilities, other.probabilities, atol=1e-5)


def test_models_of_samples_and_of_features_share_one_decoding(
    make_bundle: Make, recordings: list[Recording]
) -> None:
    models = [load(make_bundle(name="waves", waveform=True)), load(make_bundle(name="features"))]

    rows = [row for (row,) in predict_with(models, 0.0, recordings).rows]

    assert len(shared_windows(models)) == 1
    for model, index in zip(models, range(2), strict=True):
        for row, alone in zip(rows, predict(model, recordings), strict=True):
            assert row.model_probabilities[index].tobytes() == alone.probabilities.tobytes()
