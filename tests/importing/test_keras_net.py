"""Keras nets as five projects on RAVDESS have them, over our feature sets, with their scalers."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from voices import voice, write_voice

from batchemo import scan
from batchemo.errors import BatchemoError
from batchemo.features import extract, get_feature_set
from batchemo.importing.options import ImportOptions
from batchemo.importing.run import import_model

pytestmark = pytest.mark.tensorflow

LABELS = ("angry", "calm", "disgust", "fearful", "happy", "neutral", "sad", "surprised")
SCRIPT = Path(__file__).parents[2] / "examples" / "scaler_to_json.py"


def cnn1d() -> Any:
    from keras import Sequential, layers

    return Sequential(
        [
            layers.Input((162, 1)),
            layers.Conv1D(4, 5, padding="same"),
            layers.BatchNormalization(),
            layers.Activation("relu"),
            layers.MaxPooling1D(2),
            layers.Dropout(0.3),
            layers.Flatten(),
            layers.Dense(8, activation="softmax"),
        ]
    )


def stats162() -> Any:
    from keras import Sequential, layers

    parts: list[Any] = [layers.Input((162, 1))]
    for channels in (6, 6, 4):
        parts += [layers.Conv1D(channels, 5, padding="same", activation="relu")]
        parts += [layers.MaxPooling1D(5, 2, padding="same"), layers.Dropout(0.2)]
    return Sequential([*parts, layers.Flatten(), layers.Dense(8, activation="softmax")])


def melattn() -> Any:
    """Bands before frames, and a last axis of one channel."""
    import keras
    from keras import layers

    given = keras.Input((128, 130, 1))
    x = layers.Permute((2, 1))(layers.Reshape((128, 130))(given))
    x = layers.MaxPooling1D(8)(layers.Conv1D(6, 5, padding="same", activation="relu")(x))
    x = layers.Bidirectional(layers.LSTM(4, return_sequences=True))(x)
    x = layers.GlobalAveragePooling1D()(layers.Attention()([x, x]))
    return keras.Model(given, layers.Dense(8, activation="softmax")(x))


def frames62() -> Any:
    from keras import Sequential, layers

    return Sequential(
        [
            layers.Input((130, 62)),
            layers.Conv1D(6, 5, padding="same", activation="relu"),
            layers.MaxPooling1D(3),
            layers.Bidirectional(layers.LSTM(5)),
            layers.Dense(8, activation="softmax"),
        ]
    )


def mfcc40() -> Any:
    from keras import Sequential, layers

    return Sequential(
        [
            layers.Input((40, 1)),
            layers.Conv1D(6, 5, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(8),
            layers.Activation("softmax"),
        ]
    )


PROJECTS = {
    "cnn1d": (cnn1d, "stats162", "model.h5", "columns"),
    "melattn": (melattn, "logmel128", "model.keras", None),
    "stats162": (stats162, "stats162", "model.h5", "columns"),
    "frames62": (frames62, "frames62", "model.h5", "values"),
    "mfcc40": (mfcc40, "mfcc40", "model.h5", None),
}


def saved(folder: Path, project: str, seed: int = 0) -> tuple[Any, ImportOptions, Any]:
    """Save a net of random weights as its project does; return it with its scaler."""
    import keras
    from sklearn.preprocessing import StandardScaler

    build, name, file, scaled_by = PROJECTS[project]
    keras.utils.set_random_seed(seed)
    model = build()
    model.save(folder / file)
    features = get_feature_set(name)
    scaler = None
    if scaled_by is not None:
        examples = np.stack([features_of(name, seed=seed) for seed in range(6)])
        flat = examples.reshape(len(examples), -1)
        scaler = StandardScaler().fit(flat)
        (folder / "scaler.pkl").write_bytes(pickle.dumps(scaler))
        done = subprocess.run(
            [sys.executable, str(SCRIPT), str(folder / "scaler.pkl")],
            capture_output=True,
            check=True,
            timeout=120,
        )
        (folder / "scaler.json").write_bytes(done.stdout)
    return (
        model,
        ImportOptions(
            source=folder / file,
            output=folder / "mine",
            labels=LABELS,
            features=features,
            scaler=None if scaler is None else folder / "scaler.json",
        ),
        scaler,
    )


def features_of(name: str, *, seed: int) -> Any:
    features = get_feature_set(name)
    samples = voice(features.window, features.rate, seed=seed).astype(np.float32)
    return extract(features, samples)


@pytest.mark.parametrize("project", list(PROJECTS))
def test_a_scan_gives_what_the_project_gives(tmp_path: Path, project: str) -> None:
    model, options, scaler = saved(tmp_path, project)
    result = import_model(options)

    assert result.comparison.differences["probabilities"] < 1e-4
    assert result.comparison.same_label == 1.0
    assert "softmax at the end of the graph is left out" in result.bundle.card
    features = options.features
    assert features is not None
    write_voice(tmp_path / "a.wav", seconds=features.window, rate=features.rate, seed=9)
    [row] = scan(tmp_path / "a.wav", model=str(result.bundle.path), jobs=1).to_pylist()

    import soundfile

    samples, _ = soundfile.read(tmp_path / "a.wav", dtype="float32")
    values = extract(features, samples)
    if project == "melattn":
        values = values.T
    flat = values.reshape(1, -1)
    flat = flat if scaler is None else scaler.transform(flat)
    expected = model.predict(flat.reshape(1, *model.inputs[0].shape[1:]), verbose=0)[0]
    found = [row[f"p_{label}"] for label in LABELS]
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert expected.std() > 1e-3  # Else the above would show nothing.


def test_what_keras_2_wrote_of_an_lstm_is_no_obstacle(tmp_path: Path) -> None:
    _, options, _ = saved(tmp_path, "frames62")
    change_config(
        options.source, lambda text: text.replace('"units": 5', '"time_major": false, "units": 5')
    )

    assert import_model(options).comparison.is_close


def change_config(path: Path, change: Any) -> None:
    import h5py

    with h5py.File(path, "r+") as file:
        before = file.attrs["model_config"]
        changed = change(before)
        assert changed != before
        file.attrs["model_config"] = changed


def with_lambda(layer: dict[str, Any]) -> dict[str, Any]:
    """A layer as Keras 2 wrote a function: as Python's byte code."""
    code = ["4wEAAAA=\n", None, None]
    config = {"name": "trap", "trainable": True, "function_type": "lambda", "function": code}
    return {"class_name": "Lambda", "config": config}


def of_another_class(layer: dict[str, Any]) -> dict[str, Any]:
    return {**layer, "class_name": "AttentionLayer", "module": "project.layers"}


def of_an_unknown_class(layer: dict[str, Any]) -> dict[str, Any]:
    return {"class_name": "AttentionLayer", "config": layer["config"]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (with_lambda, "Lambda layer, which could run foreign code"),
        (of_another_class, "which is not Keras's own"),
        (of_an_unknown_class, "Keras refuses it: .*AttentionLayer"),
    ],
)
def test_layers_that_are_not_keras_s_own_are_refused(
    tmp_path: Path, change: Any, message: str
) -> None:
    _, options, _ = saved(tmp_path, "mfcc40")

    def changed(text: str) -> str:
        config = json.loads(text)
        config["config"]["layers"][2] = change(config["config"]["layers"][2])
        return json.dumps(config)

    change_config(options.source, changed)
    with pytest.raises(BatchemoError, match=message):
        import_model(options)
    assert not options.output.exists()


def without_net(file: Any) -> None:
    del file.attrs["model_config"]


def without_weights(file: Any) -> None:
    [name] = (name for name in file["model_weights"] if name.startswith("dense"))
    del file["model_weights"][name]


def with_a_link(file: Any) -> None:
    import h5py

    file["model_weights/more"] = h5py.ExternalLink("other.h5", "/weights")


def with_broken_layers(file: Any) -> None:
    file.attrs["model_config"] = "[" * 50_000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without_net, "weights without a net"),
        (without_weights, "Keras refuses it"),
        (with_a_link, "has a link"),
        (with_broken_layers, "is no JSON"),
    ],
)
def test_files_that_are_not_a_whole_net_are_refused(
    tmp_path: Path, change: Any, message: str
) -> None:
    import h5py

    _, options, _ = saved(tmp_path, "mfcc40")
    with h5py.File(options.source, "r+") as file:
        change(file)
    with pytest.raises(BatchemoError, match=message):
        import_model(options)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    _, options, _ = saved(tmp_path, "mfcc40")
    options.source.write_bytes(b"no net")
    with pytest.raises(BatchemoError, match="no Keras file"):
        import_model(options)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"labels": LABELS[:5]}, "gives 8 numbers, and there are 5 labels"),
        ({"labels": ()}, "add --features NAME and --labels"),
        ({"features": get_feature_set("stats162")}, r"takes 40 × 1 numbers .* stats162 gives 162"),
        ({"features": None}, "add --features NAME"),
    ],
)
def test_options_that_do_not_fit_the_net_are_refused(
    tmp_path: Path, more: Any, message: str
) -> None:
    from dataclasses import replace

    _, options, _ = saved(tmp_path, "mfcc40")
    with pytest.raises(BatchemoError, match=message):
        import_model(replace(options, **more))


def scaler_files(folder: Path) -> dict[str, Path]:
    """Scalers that are none, or could run code."""
    files = {
        name: folder / name for name in ("s.pkl", "s.json", "short.json", "zero.json", "s.npz")
    }
    files["s.pkl"].write_bytes(pickle.dumps([1]))
    files["s.json"].write_text('{"mean": "a"}')
    files["short.json"].write_text(json.dumps({"mean": [0.0] * 7, "scale": [1.0] * 7}))
    files["zero.json"].write_text(json.dumps({"mean": [0.0] * 40, "scale": [0.0] * 40}))
    np.savez(files["s.npz"], mean=np.array([{}], object), scale=np.ones(40))
    return files


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("s.pkl", r"pickle can run any code, and is never loaded: examples/scaler_to_json\.py"),
        ("s.json", "should have the numbers mean and scale"),
        ("short.json", "has 7 numbers, for 40 columns"),
        ("zero.json", "no scale of 0"),
        ("s.npz", "no file of plain arrays"),
        ("gone.npz", "cannot be read"),
    ],
)
def test_scalers_that_do_not_fit_or_could_run_code_are_refused(
    tmp_path: Path, name: str, message: str
) -> None:
    from dataclasses import replace

    _, options, _ = saved(tmp_path, "mfcc40")
    path = scaler_files(tmp_path).get(name, tmp_path / name)
    with pytest.raises(BatchemoError, match=message):
        import_model(replace(options, scaler=path))


def test_a_scaler_of_arrays_is_that_of_json(tmp_path: Path) -> None:
    from dataclasses import replace

    _, options, scaler = saved(tmp_path, "cnn1d")
    first = import_model(options)
    np.savez(tmp_path / "s.npz", mean=scaler.mean_, scale=scaler.scale_)
    again = replace(options, scaler=tmp_path / "s.npz", output=tmp_path / "again")

    assert import_model(again).comparison == first.comparison
