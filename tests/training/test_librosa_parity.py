"""A scan predicts what the bundle's own Keras model predicts on features computed by librosa.

Nothing but the positions of the windows comes from the package under test: decoding, resampling,
features, the net and the mean over windows are librosa's, Keras's and numpy's.
"""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from tiny_bundle import tiny_info
from voices import voice

import batchemo
from batchemo.bundles import Bundle, list_bundles, write_bundle
from batchemo.corpora import EMOTIONS
from batchemo.training.nets.layers import NetSpec
from batchemo.training.nets.registry import NETS
from batchemo.training.recipes import RAVDESS_RECIPES, Recipe

pytestmark = pytest.mark.tensorflow

Floats = npt.NDArray[np.float32]

RATE = 22050
THREE_SECONDS = 3 * RATE
TOLERANCE = 1e-3
REAL_RECORDINGS = 60
"""How many recordings of RAVDESS the shipped bundles are compared on."""


def mean_pitch(y: Floats) -> Floats:
    pitches, _ = librosa.piptrack(y=y, sr=RATE)
    return np.array([[frame[frame > 0].mean() if frame.any() else 0 for frame in pitches.T]])


def stats162(y: Floats) -> Floats:
    tracks = (
        librosa.feature.zero_crossing_rate(y),
        librosa.feature.chroma_stft(y=y, sr=RATE),
        librosa.feature.mfcc(y=y, sr=RATE, n_mfcc=20),
        librosa.feature.rms(y=y),
        librosa.feature.melspectrogram(y=y, sr=RATE),
    )
    return np.concatenate([track.mean(axis=1) for track in tracks])


def mfcc40(y: Floats) -> Floats:
    means: Floats = librosa.feature.mfcc(y=y, sr=RATE, n_mfcc=40).mean(axis=1)
    return means


def logmel128(y: Floats) -> Floats:
    mel = librosa.feature.melspectrogram(y=librosa.util.fix_length(y, size=THREE_SECONDS), sr=RATE)
    frames: Floats = librosa.power_to_db(mel, ref=np.max).T[:130]
    return frames


def frames62(y: Floats) -> Floats:
    y = librosa.util.fix_length(y[RATE // 2 :], size=THREE_SECONDS)
    mfcc = librosa.feature.mfcc(y=y, sr=RATE, n_mfcc=13)
    tracks = (
        mfcc,
        librosa.feature.delta(mfcc),
        librosa.feature.delta(mfcc, order=2),
        librosa.feature.chroma_stft(y=y, sr=RATE),
        librosa.feature.spectral_contrast(y=y, sr=RATE),
        librosa.feature.zero_crossing_rate(y),
        librosa.feature.spectral_bandwidth(y=y, sr=RATE),
        mean_pitch(y),
        librosa.feature.rms(y=y),
    )
    frames: Floats = np.concatenate(tracks).T[:130]
    return frames


LIBROSA: Mapping[str, Callable[[Floats], Floats]] = {
    "stats162": stats162,
    "mfcc40": mfcc40,
    "logmel128": logmel128,
    "frames62": frames62,
}


def features_by_librosa(table: pa.Table, segments: pa.Table, feature_set: str) -> list[Floats]:
    """Return the features of each recording's windows with speech, (windows, *shape)."""
    features = []
    for root, file in zip(table["root"].to_pylist(), table["file"].to_pylist(), strict=True):
        signal, _ = librosa.load(Path(root, file), sr=RATE)
        spans = [
            (round(row["start"] * RATE), round(row["end"] * RATE))
            for row in segments.to_pylist()
            if row["file"] == file and row["emotion"] is not None
        ]
        features.append(np.stack([LIBROSA[feature_set](signal[start:end]) for start, end in spans]))
    return features


def predict_with_keras(
    bundle: Bundle, features: list[Floats], folder: Path
) -> npt.NDArray[np.float64]:
    """Return the calibrated probabilities of each recording, (recordings, labels)."""
    import keras

    path = folder / f"{bundle.name}.keras"
    path.write_bytes(bundle.read("model.keras"))
    model = keras.saving.load_model(path, compile=False)
    logits = model.predict(np.concatenate(features), verbose=0)
    weights = np.exp(logits.astype(np.float64) / bundle.calibration.temperature)
    probabilities = weights / weights.sum(axis=1, keepdims=True)
    ends = np.cumsum([len(windows) for windows in features])
    return np.stack([part.mean(axis=0) for part in np.split(probabilities, ends[:-1])])


def check_parity(bundle: Bundle, recordings: Path, folder: Path, *, ext: str) -> None:
    """Scan recordings, predict them with Keras, and compare labels and probabilities."""
    output, segments = folder / "r.parquet", folder / "s.parquet"
    batchemo.scan(recordings, model=bundle.path, ext=ext, jobs=1, output=output, segments=segments)
    table = pq.read_table(output)
    assert table.num_rows == len(list(recordings.iterdir()))
    assert set(table["status"].to_pylist()) == {"ok"}
    scanned = np.stack([table[f"p_{label}"].to_numpy() for label in bundle.labels], axis=1)
    assert bundle.features is not None

    features = features_by_librosa(table, pq.read_table(segments), bundle.features["name"])
    expected = predict_with_keras(bundle, features, folder)

    assert table["emotion"].to_pylist() == [bundle.labels[best] for best in expected.argmax(axis=1)]
    assert np.abs(scanned - expected).max() <= TOLERANCE


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write made voices with background noise, of one window and of several."""
    folder = tmp_path_factory.mktemp("voices")
    random = np.random.default_rng(0)
    for seed, seconds in enumerate((1.4, 2.2, 3.7, 8.3)):
        signal = voice(seconds, 48_000, seed=seed)
        signal += random.normal(scale=0.002, size=len(signal))
        soundfile.write(folder / f"{seed}.wav", signal, 48_000, subtype="PCM_16")
    return folder


def made_bundle(recipe: Recipe, recordings: Path, folder: Path) -> Bundle:
    """Return a bundle of an untrained net that is scaled and as confident as a trained one."""
    import keras

    from batchemo.training.export.onnx import keras_bytes, onnx_bytes

    feature_set = recipe.features
    signals = [librosa.load(path, sr=RATE)[0] for path in sorted(recordings.iterdir())]
    features = np.stack([LIBROSA[feature_set.name](signal) for signal in signals])
    features = features.astype(np.float32)
    rows = features.reshape(-1, features.shape[-1])
    keras.utils.set_random_seed(0)
    spec = NetSpec(
        shape=feature_set.shape(),
        mean=rows.mean(axis=0),
        std=np.maximum(rows.std(axis=0), 1e-6),
        labels=len(EMOTIONS),
        dropout=0.2,
        l2=0.0,
    )
    model: Any = NETS[recipe.net](spec)
    temperature = float(model.predict(features, verbose=0).std()) / 2
    info = tiny_info(
        EMOTIONS,
        name=recipe.name,
        features=feature_set.to_dict(),
        window=recipe.windows.window,
        hop=recipe.windows.hop,
        calibration={"method": "temperature", "temperature": temperature},
    )
    files = {
        "model.onnx": onnx_bytes(model, [features]),
        "model.keras": keras_bytes(model),
        "README.md": b"# made\n",
    }
    return write_bundle(folder / recipe.name, info, files)


@pytest.mark.parametrize("name", ["stats162", "mfcc40", "melattn", "frames62"])
def test_a_scan_predicts_what_keras_predicts_on_features_by_librosa(
    name: str, voices: Path, tmp_path: Path
) -> None:
    with warnings.catch_warnings():
        # TensorFlow's, when it is imported first.
        warnings.simplefilter("ignore", DeprecationWarning)
        bundle = made_bundle(RAVDESS_RECIPES[name], voices, tmp_path / "models")
    check_parity(bundle, voices, tmp_path, ext="wav")


@pytest.mark.corpora
@pytest.mark.slow
@pytest.mark.parametrize("name", RAVDESS_RECIPES)
def test_the_shipped_bundles_do_so_on_real_recordings(name: str, tmp_path: Path) -> None:
    corpora = os.environ.get("BATCHEMO_CORPORA")
    if not corpora:
        pytest.skip("BATCHEMO_CORPORA does not name a folder of recordings")
    if name not in list_bundles():
        pytest.skip(f"models/ does not contain {name}")
    available = sorted(Path(corpora, "ravdess").rglob("*.flac"))
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    for path in available[:: len(available) // REAL_RECORDINGS]:
        shutil.copy(path, recordings)
    check_parity(batchemo.load_bundle(name), recordings, tmp_path, ext="flac")
