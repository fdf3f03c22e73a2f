"""A scan says what the bundle's own Keras model says of features that librosa computed.

Nothing here but the places of the windows comes from the package under test: decoding, resampling,
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
from batchemo.training.recipes import RAVDESS_RECIPES, Recipe

pytest.importorskip("tensorflow")

from batchemo.training.export.onnx import keras_bytes, onnx_bytes
from batchemo.training.nets.layers import NetSpec
from batchemo.training.nets.registry import NETS

Floats = npt.NDArray[np.float32]

RATE = 22050
THREE_SECONDS = 3 * RATE
ALLOWED = 1e-3
LONGS = 60
"""Recordings of RAVDESS that the shipped bundles are compared on."""

feature = librosa.feature


def mean_pitch(y: Floats) -> Floats:
    pitches, _ = librosa.piptrack(y=y, sr=RATE)
    return np.array([[frame[frame > 0].mean() if frame.any() else 0 for frame in pitches.T]])


def stats162(y: Floats) -> Floats:
    tracks = (
        feature.zero_crossing_rate(y),
        feature.chroma_stft(y=y, sr=RATE),
        feature.mfcc(y=y, sr=RATE, n_mfcc=20),
        feature.rms(y=y),
        feature.melspectrogram(y=y, sr=RATE),
    )
    return np.concatenate([track.mean(axis=1) for track in tracks])


def mfcc40(y: Floats) -> Floats:
    means: Floats = feature.mfcc(y=y, sr=RATE, n_mfcc=40).mean(axis=1)
    return means


def logmel128(y: Floats) -> Floats:
    mel = feature.melspectrogram(y=librosa.util.fix_length(y, size=THREE_SECONDS), sr=RATE)
    frames: Floats = librosa.power_to_db(mel, ref=np.max).T[:130]
    return frames


def frames62(y: Floats) -> Floats:
    y = librosa.util.fix_length(y[RATE // 2 :], size=THREE_SECONDS)
    mfcc = feature.mfcc(y=y, sr=RATE, n_mfcc=13)
    tracks = (
        mfcc,
        feature.delta(mfcc),
        feature.delta(mfcc, order=2),
        feature.chroma_stft(y=y, sr=RATE),
        feature.spectral_contrast(y=y, sr=RATE),
        feature.zero_crossing_rate(y),
        feature.spectral_bandwidth(y=y, sr=RATE),
        mean_pitch(y),
        feature.rms(y=y),
    )
    frames: Floats = np.concatenate(tracks).T[:130]
    return frames


LIBROSA: Mapping[str, Callable[[Floats], Floats]] = {
    "stats162": stats162,
    "mfcc40": mfcc40,
    "logmel128": logmel128,
    "frames62": frames62,
}


def heard_by_librosa(table: pa.Table, windows: pa.Table, recipe: str) -> list[Floats]:
    """The features of each recording's windows with speech, (windows, *shape)."""
    found = []
    for root, file in zip(table["root"].to_pylist(), table["file"].to_pylist(), strict=True):
        signal, _ = librosa.load(Path(root, file), sr=RATE)
        spans = [
            (round(row["start"] * RATE), round(row["end"] * RATE))
            for row in windows.to_pylist()
            if row["file"] == file and row["emotion"] is not None
        ]
        found.append(np.stack([LIBROSA[recipe](signal[start:end]) for start, end in spans]))
    return found


def answers_of_keras(bundle: Bundle, heard: list[Floats], folder: Path) -> npt.NDArray[np.float64]:
    """The calibrated probabilities of each recording, (recordings, labels)."""
    import keras

    path = folder / f"{bundle.name}.keras"
    path.write_bytes(bundle.read("model.keras"))
    logits = keras.saving.load_model(path, compile=False).predict(np.concatenate(heard), verbose=0)
    weights = np.exp(logits.astype(np.float64) / bundle.temperature)
    shares = weights / weights.sum(axis=1, keepdims=True)
    ends = np.cumsum([len(windows) for windows in heard])
    return np.stack([part.mean(axis=0) for part in np.split(shares, ends[:-1])])


def check_parity(bundle: Bundle, recordings: Path, folder: Path, *, ending: str) -> None:
    """Scan, ask Keras, and compare labels and probabilities."""
    out, over_time = folder / "r.parquet", folder / "s.parquet"
    batchemo.scan(recordings, model=bundle.path, ext=ending, jobs=1, output=out, segments=over_time)
    table = pq.read_table(out)
    assert table.num_rows == len(list(recordings.iterdir()))
    assert set(table["status"].to_pylist()) == {"ok"}
    told = np.stack([table[f"p_{label}"].to_numpy() for label in bundle.labels], axis=1)

    heard = heard_by_librosa(table, pq.read_table(over_time), bundle.recipe["name"])
    expected = answers_of_keras(bundle, heard, folder)

    assert table["emotion"].to_pylist() == [bundle.labels[best] for best in expected.argmax(axis=1)]
    assert np.abs(told - expected).max() <= ALLOWED


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made voices in a room that hisses, of one window and of several."""
    folder = tmp_path_factory.mktemp("voices")
    hiss = np.random.default_rng(0)
    for seed, seconds in enumerate((1.4, 2.2, 3.7, 8.3)):
        sound = voice(seconds, 48_000, seed=seed)
        sound += hiss.normal(scale=0.002, size=len(sound))
        soundfile.write(folder / f"{seed}.wav", sound, 48_000, subtype="PCM_16")
    return folder


def made_bundle(system: Recipe, recordings: Path, folder: Path) -> Bundle:
    """A bundle of an untaught net that normalises, and is as sure of itself, as a taught one."""
    import keras

    recipe = system.features
    signals = [librosa.load(path, sr=RATE)[0] for path in sorted(recordings.iterdir())]
    heard = np.stack([LIBROSA[recipe.name](signal) for signal in signals]).astype(np.float32)
    rows = heard.reshape(-1, heard.shape[-1])
    mean, spread = rows.mean(axis=0), np.maximum(rows.std(axis=0), 1e-6)
    keras.utils.set_random_seed(0)
    spec = NetSpec(
        shape=recipe.shape(), mean=mean, spread=spread, labels=len(EMOTIONS), dropout=0.2, l2=0.0
    )
    model: Any = NETS[system.net](spec)
    sure = {
        "method": "temperature",
        "temperature": float(model.predict(heard, verbose=0).std()) / 2,
    }
    info = tiny_info(
        EMOTIONS,
        name=system.name,
        recipe=recipe.to_dict(),
        window=system.windows.seconds,
        hop=system.windows.hop,
        calibration=sure,
    )
    files = {
        "model.onnx": onnx_bytes(model, [heard]),
        "model.keras": keras_bytes(model),
        "README.md": b"# made\n",
    }
    return write_bundle(folder / system.name, info, files)


@pytest.mark.parametrize("name", ["stats162", "mfcc40", "melattn", "frames62"])
def test_a_scan_says_what_keras_says_of_librosas_features(
    name: str, voices: Path, tmp_path: Path
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of TensorFlow's, at its first import
        bundle = made_bundle(RAVDESS_RECIPES[name], voices, tmp_path / "models")
    check_parity(bundle, voices, tmp_path, ending="wav")


@pytest.mark.corpora
@pytest.mark.slow
@pytest.mark.parametrize("name", RAVDESS_RECIPES)
def test_the_shipped_bundles_say_it_of_real_recordings(name: str, tmp_path: Path) -> None:
    corpora = os.environ.get("BATCHEMO_CORPORA")
    if not corpora:
        pytest.skip("BATCHEMO_CORPORA names no folder of recordings")
    if name not in list_bundles():
        pytest.skip(f"models/ holds no {name}")
    everything = sorted(Path(corpora, "ravdess").rglob("*.flac"))
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    for path in everything[:: len(everything) // LONGS]:
        shutil.copy(path, recordings)
    check_parity(batchemo.load_bundle(name), recordings, tmp_path, ending="flac")
