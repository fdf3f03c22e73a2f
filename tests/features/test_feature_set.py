"""Recipes are data, and `extract` gives what they say whatever it is given."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import librosa
import numpy as np
import pytest
from feature_signals import Floats, edge_cases, voice
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from batchemo.errors import BundleError, UsageError
from batchemo.features import FEATURE_SETS, FeatureSet, extract, get_feature_set
from batchemo.features.descriptors import DESCRIPTORS

any_recipe = pytest.mark.parametrize("recipe", FEATURE_SETS.values(), ids=FEATURE_SETS)
SHAPES = {
    "logmel64": (301, 64),
    "logmel128": (130, 128),
    "mfcc40": (40,),
    "stats162": (162,),
    "frames62": (130, 62),
    "functionals": (267,),
    "combined": (306, 64),
}


@any_recipe
def test_shape_and_names_are_what_the_models_were_built_for(recipe: FeatureSet) -> None:
    assert recipe.shape() == SHAPES[recipe.name]
    assert len(recipe.names) == len(set(recipe.names)) == recipe.shape()[-1]


def test_only_pictures_of_the_speech_grow_with_the_window() -> None:
    assert get_feature_set("logmel64").shape(1.5) == (151, 64)
    assert get_feature_set("combined").shape(1.5) == (156, 64)
    growing = [name for name, recipe in FEATURE_SETS.items() if not recipe.fixed_shape]
    assert growing == ["logmel64", "combined"]


def test_joint_features_are_the_statistics_and_then_the_picture() -> None:
    samples = voice(16000, 2.0)

    joint = extract(get_feature_set("combined"), samples)

    assert (joint[5:] == extract(get_feature_set("logmel64"), samples)).all()
    row = joint[:5].ravel()
    assert (row[:267] == extract(get_feature_set("functionals"), samples)).all()
    assert not row[267:].any()


@any_recipe
def test_equal_samples_give_equal_bytes_whatever_came_before(recipe: FeatureSet) -> None:
    samples = voice(recipe.rate, recipe.window)
    first = extract(recipe, samples).tobytes()
    for other in edge_cases(recipe.rate).values():
        extract(recipe, other)
    assert extract(recipe, samples.copy()).tobytes() == first
    before = np.zeros(len(samples) + 1, dtype=np.float32)
    before[1:] = samples
    assert extract(recipe, before[1:]).tobytes() == first, "depends on where the samples lie"


@any_recipe
def test_samples_are_never_modified(recipe: FeatureSet) -> None:
    samples = voice(recipe.rate, recipe.window) * 1e10
    kept = samples.copy()
    samples.flags.writeable = False
    extract(recipe, samples)
    assert (samples == kept).all()


def assert_sound(recipe: FeatureSet, samples: Floats, window: float) -> None:
    features = extract(recipe, samples, window)
    assert features.shape == recipe.shape(window)
    assert features.dtype == np.float32
    assert features.flags.c_contiguous
    assert features.flags.writeable
    assert np.isfinite(features).all()


@any_recipe
@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.data_too_large])
def test_any_length_from_one_sample_to_two_windows_is_padded_or_cut(
    recipe: FeatureSet, data: st.DataObject
) -> None:
    window = data.draw(st.sampled_from([0.5, 1.0, recipe.window]))
    length = data.draw(st.integers(1, round(2 * window * recipe.rate)))
    assert_sound(recipe, voice(recipe.rate, 8.0)[:length], window)


@any_recipe
@given(
    samples=arrays(
        np.float32,
        st.integers(1, 3000),
        elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
        fill=st.sampled_from([0.0, 1.0, float(np.finfo(np.float32).max)]).map(np.float32),
    )
)
@settings(max_examples=25, deadline=None)
def test_any_finite_samples_give_finite_features(recipe: FeatureSet, samples: Floats) -> None:
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        assert_sound(recipe, samples, recipe.window)


@pytest.mark.parametrize("part", DESCRIPTORS)
def test_any_part_can_be_used_alone_however_short_the_signal(part: str) -> None:
    recipe = get_feature_set("stats162", descriptors=(part,))
    assert_sound(recipe, np.ones(1, dtype=np.float32), 1.0)


def test_no_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="without samples"):
        extract(get_feature_set("logmel64"), np.zeros(0, dtype=np.float32))


def test_what_lies_beyond_the_window_is_not_looked_at() -> None:
    recipe = get_feature_set("stats162")
    samples = voice(recipe.rate, 5.0)
    within = samples[: round(recipe.window * recipe.rate)]
    assert (extract(recipe, samples) == extract(recipe, within)).all()


def test_frames62_leaves_out_the_first_half_second() -> None:
    recipe = get_feature_set("frames62")
    samples = voice(recipe.rate, 3.5)
    other_start = samples.copy()
    other_start[: recipe.rate // 2] = 0.9
    assert (extract(recipe, samples) == extract(recipe, other_start)).all()
    from_the_start = get_feature_set("frames62", offset=0.0)
    later = samples[recipe.rate // 2 :]
    assert (extract(from_the_start, later, window=3.0) == extract(recipe, samples)).all()


def test_frames62_has_its_columns_in_order() -> None:
    recipe = get_feature_set("frames62")
    samples = voice(recipe.rate, 3.0)
    features = extract(get_feature_set("frames62", offset=0.0), samples, window=3.0)
    columns = dict(zip(recipe.names, features.T, strict=True))
    cepstra = librosa.feature.mfcc(y=samples, sr=recipe.rate, n_mfcc=13)
    assert np.allclose(columns["mfcc_0"], cepstra[0], atol=0.01)
    assert np.allclose(columns["mfcc_delta_12"], librosa.feature.delta(cepstra)[12], atol=0.001)
    assert np.allclose(columns["rms"], librosa.feature.rms(y=samples)[0], atol=1e-6)
    assert list(recipe.names[-4:]) == ["zcr", "bandwidth", "pitch", "rms"]


@pytest.mark.parametrize(("n_mfcc", "width"), [(20, 162), (40, 182)])
def test_stats_are_the_means_that_the_usual_scripts_stack(n_mfcc: int, width: int) -> None:
    recipe = get_feature_set("stats162", n_mfcc=n_mfcc)
    y, sr = voice(recipe.rate, 3.0), recipe.rate
    stacked = [
        librosa.feature.zero_crossing_rate(y),
        librosa.feature.chroma_stft(y=y, sr=sr),
        librosa.feature.mfcc(y=y, sr=sr, n_mfcc=n_mfcc),
        librosa.feature.rms(y=y),
        librosa.feature.melspectrogram(y=y, sr=sr),
    ]
    expected = np.hstack([feature.mean(axis=1) for feature in stacked])
    assert expected.shape == recipe.shape() == (width,)
    assert np.allclose(extract(recipe, y), expected, rtol=1e-5, atol=1e-3)


def test_a_recipe_survives_json() -> None:
    for recipe in (*FEATURE_SETS.values(), get_feature_set("stats162", n_mfcc=40)):
        assert FeatureSet.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


PARAMS = get_feature_set("stats162").to_dict()["params"]


def broken(**changes: Any) -> dict[str, Any]:
    return get_feature_set("stats162").to_dict() | changes


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (broken(colour="red"), "colour"),
        ({"name": "stats162"}, "lacks kind"),
        (broken(kind="wavelets"), "wavelets"),
        (broken(kind=["means"]), "kind"),
        (broken(version=99), "version 99"),
        (broken(version=True), "version"),
        (broken(rate="22050"), "rate"),
        (broken(rate=0), "rate"),
        (broken(window=float("nan")), "window"),
        (broken(name=7), "name"),
        (broken(params=[]), "params"),
        (broken(params=5), "params"),
        (broken(params=PARAMS | {"n_mfccs": 20}), "n_mfccs"),
        (broken(params=PARAMS | {"n_mfcc": "20"}), "n_mfcc"),
        (broken(params=PARAMS | {"descriptors": ["mfcc", 7]}), "7"),
        (broken(params=PARAMS | {"descriptors": [["mfcc"]]}), "descriptors"),
        (broken(params={"descriptors": ["mfcc"]}), "lacks n_mfcc"),
    ],
)
def test_a_recipe_that_is_not_quite_ours_is_refused(data: dict[str, Any], said: str) -> None:
    with pytest.raises(BundleError, match=said):
        FeatureSet.from_dict(data)


@pytest.mark.parametrize(
    ("name", "params", "said"),
    [
        ("logmel46", {}, "logmel64, logmel128"),
        ("stats162", {"n_mfc": 20}, "n_mfcc"),
        ("stats162", {"n_mfcc": 20.5}, "type int"),
        ("stats162", {"n_mfcc": 0}, "n_mfcc"),
        ("stats162", {"descriptors": ("mfcc", "smell")}, "smell"),
        ("stats162", {"descriptors": ()}, "descriptors"),
        ("stats162", {"descriptors": ("mfcc", "mfcc")}, "twice"),
        ("frames62", {"frames": 0}, "frames"),
        ("frames62", {"offset": -1.0}, "offset"),
        ("frames62", {"hop": 0}, "hop"),
        ("logmel64", {"win_length": 1000}, "win_length"),
        ("logmel64", {"fmin": 9000.0}, "fmin"),
        ("logmel64", {"floor_db": 80.0}, "floor_db"),
    ],
)
def test_what_get_recipe_cannot_do_it_says(name: str, params: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        get_feature_set(name, **params)


def test_recipes_are_frozen_and_hashable() -> None:
    recipe = get_feature_set("stats162")
    assert len({recipe, get_feature_set("stats162"), replace(recipe, window=1.0)}) == 2


def test_features_need_no_librosa_and_little_of_scipy() -> None:
    code = (
        "import sys, numpy as np; from batchemo.features import RECIPES, extract;"
        "assert 'scipy' not in sys.modules;"
        "[extract(recipe, np.ones(9000, np.float32)) for recipe in RECIPES.values()];"
        "print([name for name in ('librosa', 'numba', 'scipy.signal')"
        " if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
