"""A net learns, goes on where it stopped, and becomes a bundle that answers the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from batchemo.bundles import open_runtime, softmax, write_bundle
from batchemo.bundles.graphs import check_keras, check_onnx
from batchemo.features import get_recipe
from batchemo.training.augment import Augmentation
from batchemo.training.corpora import EMOTIONS, read_corpora
from batchemo.training.evaluate import hear
from batchemo.training.options import FitOptions
from batchemo.training.pictures import Clip, Windows, make_clips

pytest.importorskip("tensorflow")

from batchemo.training.export import keras_bytes, keras_graph, onnx_bytes
from batchemo.training.fit import fit
from batchemo.training.nets import Conformer, build_conformer
from batchemo.training.study import Plan, Study

RECIPE = get_recipe("logmel64")
WINDOWS = Windows(seconds=1.0, hop=0.5)
TINY = Conformer(channels=(4, 4, 4), width=8, blocks=1, heads=2, dropout=0.0)
QUICK = FitOptions(
    epochs=4,
    batch_size=6,
    average=0.5,
    augmentation=Augmentation(frames=96, mixup_share=0.0, noise_share=0.0),
)


@pytest.fixture(scope="module")
def small_net() -> Any:
    """A net of the shipped kind, small and untaught."""
    import keras

    keras.utils.set_random_seed(0)
    zeros, ones = np.zeros(64, np.float32), np.ones(64, np.float32)
    return build_conformer(TINY, mean=zeros, spread=ones, floor=-2.0, labels=len(EMOTIONS))


def linear_net(seed: int = 0) -> Any:
    """The least that can learn, so that tests of teaching are quick."""
    import keras

    keras.utils.set_random_seed(seed)
    pictures = keras.Input((96, 64))
    flat = keras.layers.Flatten()(keras.layers.BatchNormalization()(pictures))
    return keras.Model(pictures, keras.layers.Dense(len(EMOTIONS))(flat))


def made_clips(folder: Path) -> list[Clip]:
    examples = read_corpora(folder, ("ravdess", "nemo"))
    variants: dict[str, tuple] = {"ravdess": (), "nemo": ()}
    return list(make_clips(examples, RECIPE, WINDOWS, variants, seed=0))


def test_the_loss_falls_and_an_interrupted_fit_goes_on_where_it_stopped(
    made_corpora: Path, tmp_path: Path
) -> None:
    clips = made_clips(made_corpora)
    losses: list[float] = []
    straight = linear_net()
    fit(straight, clips, QUICK, report=lambda epoch, loss: losses.append(loss))

    def stop_after_two(epoch: int, loss: float) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(linear_net(), clips, QUICK, checkpoint=tmp_path / "kept", report=stop_after_two)
    again: list[int] = []
    resumed = linear_net(seed=9)
    fit(
        resumed,
        clips,
        QUICK,
        checkpoint=tmp_path / "kept",
        report=lambda epoch, loss: again.append(epoch),
    )

    assert losses[-1] < losses[0]
    assert again == [2, 3]
    for one, other in zip(straight.weights, resumed.weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_checkpoints_of_other_options_are_not_taken_up(made_corpora: Path, tmp_path: Path) -> None:
    clips = made_clips(made_corpora)[:3]
    epochs: list[int] = []
    for seed in (0, 0, 1):
        fit(
            linear_net(),
            clips,
            replace(QUICK, epochs=1, seed=seed),
            checkpoint=tmp_path,
            report=lambda epoch, loss: epochs.append(epoch),
        )

    assert epochs == [0, 0]


def test_the_result_is_the_average_of_the_weights_on_the_way(made_corpora: Path) -> None:
    clips = made_clips(made_corpora)
    last, average, first = linear_net(), linear_net(), linear_net()
    fit(last, clips, replace(QUICK, average=0.0))
    fit(average, clips, replace(QUICK, average=0.99))

    def apart(one: Any, other: Any) -> float:
        return float(np.abs(np.asarray(one.weights[-2]) - np.asarray(other.weights[-2])).max())

    assert 0 < apart(average, first) < apart(last, first)


def test_more_padding_changes_next_to_nothing(small_net: Any) -> None:
    graph = keras_graph(small_net)
    picture = np.random.default_rng(0).normal(size=(1, 160, 64)).astype(np.float32)
    padded = np.full((1, 400, 64), -2.0, np.float32)
    padded[:, :160] = picture

    assert np.abs(graph(padded) - graph(picture)).max() < 0.1
    silence = np.full((1, 100, 64), -2.0, np.float32)
    assert np.isfinite(graph(silence)).all()


def test_an_exported_net_is_harmless_and_answers_as_the_trained_one(
    small_net: Any, tmp_path: Path
) -> None:
    files = {
        "model.onnx": onnx_bytes(small_net),
        "model.keras": keras_bytes(small_net),
        "README.md": b"# made\n",
    }
    check_onnx(files["model.onnx"])
    check_keras(files["model.keras"])
    bundle = write_bundle(tmp_path / "made", _info(), files)
    items = np.random.default_rng(0).normal(size=(5, 101, 64)).astype(np.float32)

    wanted = softmax(keras_graph(small_net)(items))

    for backend in ("onnx", "tensorflow"):
        given = open_runtime(bundle, backend=backend, batch_size=4).run(items)  # type: ignore[arg-type]
        np.testing.assert_allclose(given, wanted, atol=1e-5)


def test_a_study_trains_a_net_once(made_corpora: Path, tmp_path: Path) -> None:
    examples = read_corpora(made_corpora, ("ravdess", "nemo"))
    variants: dict[str, tuple] = {"ravdess": (), "nemo": ()}
    plan = Plan(
        recipe=RECIPE,
        windows=WINDOWS,
        variants=variants,
        size=replace(TINY, blocks=0),
        options=replace(QUICK, epochs=1),
    )
    said: list[str] = []

    first = Study(plan, examples, tmp_path, said.append).net("all", examples, seed=3)
    told = len(said)
    found = Study(plan, examples, tmp_path, said.append).net("all", examples, seed=3)

    assert told > 0
    assert len(said) == told
    for one, other in zip(first.weights, found.weights, strict=True):
        assert np.array_equal(one, other)


def test_recordings_are_heard_as_a_scan_hears_them(made_corpora: Path, small_net: Any) -> None:
    examples = read_corpora(made_corpora, ("nemo",))

    together = hear(examples, RECIPE, WINDOWS, keras_graph(small_net))
    alone = hear(examples[2:3], RECIPE, WINDOWS, keras_graph(small_net))

    assert [one.example for one in together] == list(examples)
    assert len(together[2].logits) > 1
    np.testing.assert_allclose(together[2].logits, alone[0].logits, atol=1e-5)


def _info() -> dict[str, Any]:
    return {
        "name": "made",
        "description": "For tests only.",
        "labels": list(EMOTIONS),
        "recipe": RECIPE.to_dict(),
        "window": 1.0,
        "hop": 0.5,
        "window_range": [0.5, 10.0],
        "normalisation": "graph",
        "calibration": {"method": "temperature", "temperature": 1.0},
        "training": {},
        "figures": {},
        "licence": "MIT",
        "citations": [],
    }
