"""Feature sets are data, and `extract` returns their features for any finite samples."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from feature_signals import Floats, edge_cases, voice
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from batchemo.errors import BundleError, UsageError
from batchemo.features import FEATURE_SETS, FeatureSet, extract, get_feature_set

every_feature_set = pytest.mark.parametrize("feature_set", FEATURE_SETS.values(), ids=FEATURE_SETS)
SHAPES = {
    "logmel64": (301, 64),
    "logmel80": (501, 80),
    "logmel128": (130, 128),
    "mfcc40": (40,),
    "stats162": (162,),
    "frames62": (130, 62),
    "functionals": (267,),
}


@every_feature_set
def test_shape_and_names_are_those_the_models_were_built_for(feature_set: FeatureSet) -> None:
    assert feature_set.shape() == SHAPES[feature_set.name]
    assert len(feature_set.names) == len(set(feature_set.names)) == feature_set.shape()[-1]


def test_only_spectrograms_of_speech_grow_with_the_window() -> None:
    assert get_feature_set("logmel64").shape(1.5) == (151, 64)
    growing = [
        name
        for name, feature_set in FEATURE_SETS.items()
        if feature_set.shape(1.0) != feature_set.shape(2.0)
    ]
    assert growing == ["logmel64", "logmel80"]


@every_feature_set
def test_equal_samples_give_equal_bytes_whatever_was_computed_before(
    feature_set: FeatureSet,
) -> None:
    samples = voice(feature_set.rate, feature_set.window)
    first = extract(feature_set, samples).tobytes()
    for other in edge_cases(feature_set.rate).values():
        extract(feature_set, other)
    assert extract(feature_set, samples.copy()).tobytes() == first
    shifted = np.zeros(len(samples) + 1, dtype=np.float32)
    shifted[1:] = samples
    assert extract(feature_set, shifted[1:]).tobytes() == first, "depends on memory alignment"


@every_feature_set
def test_samples_are_never_modified(feature_set: FeatureSet) -> None:
    samples = voice(feature_set.rate, feature_set.window) * 1e10
    original = samples.copy()
    samples.flags.writeable = False
    extract(feature_set, samples)
    assert (samples == original).all()


def assert_valid(feature_set: FeatureSet, samples: Floats, window: float) -> None:
    features = extract(feature_set, samples, window)
    assert features.shape == feature_set.shape(window)
    assert features.dtype == np.float32
    assert features.flags.c_contiguous
    assert features.flags.writeable
    assert np.isfinite(features).all()


@every_feature_set
@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.data_too_large])
def test_signals_from_one_sample_to_two_windows_are_padded_or_cut(
    feature_set: FeatureSet, data: st.DataObject
) -> None:
    window = data.draw(st.sampled_from([0.5, 1.0, feature_set.window]))
    length = data.draw(st.integers(1, round(2 * window * feature_set.rate)))
    assert_valid(feature_set, voice(feature_set.rate, 8.0)[:length], window)


@every_feature_set
@given(
    samples=arrays(
        np.float32,
        st.integers(1, 3000),
        elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
        fill=st.sampled_from([0.0, 1.0, float(np.finfo(np.float32).max)]).map(np.float32),
    )
)
@settings(max_examples=25, deadline=None)
def test_any_finite_samples_give_finite_features(feature_set: FeatureSet, samples: Floats) -> None:
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        assert_valid(feature_set, samples, feature_set.window)


def test_a_signal_without_samples_is_refused() -> None:
    with pytest.raises(ValueError, match="without samples"):
        extract(get_feature_set("logmel64"), np.zeros(0, dtype=np.float32))


def test_samples_beyond_the_window_are_ignored() -> None:
    feature_set = get_feature_set("stats162")
    samples = voice(feature_set.rate, 5.0)
    within = samples[: round(feature_set.window * feature_set.rate)]
    assert (extract(feature_set, samples) == extract(feature_set, within)).all()


def test_a_feature_set_survives_json() -> None:
    for feature_set in (*FEATURE_SETS.values(), get_feature_set("stats162", n_mfcc=40)):
        assert FeatureSet.from_dict(json.loads(json.dumps(feature_set.to_dict()))) == feature_set


PARAMS = get_feature_set("stats162").to_dict()["params"]


def stats162_with(**changes: Any) -> dict[str, Any]:
    return get_feature_set("stats162").to_dict() | changes


def hostile(name: str, **params: Any) -> dict[str, Any]:
    data = get_feature_set(name).to_dict()
    return data | {"params": data["params"] | params}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (stats162_with(colour="red"), "colour"),
        ({"name": "stats162"}, "lacks kind"),
        (stats162_with(kind="wavelets"), "wavelets"),
        (stats162_with(kind=["means"]), "kind"),
        (stats162_with(version=99), "version 99"),
        (stats162_with(version=True), "version"),
        (stats162_with(rate="22050"), "rate"),
        (stats162_with(rate=0), "rate"),
        (stats162_with(window=float("nan")), "window"),
        (stats162_with(name=7), "name"),
        (stats162_with(params=[]), "params"),
        (stats162_with(params=5), "params"),
        (stats162_with(params=PARAMS | {"n_mfccs": 20}), "n_mfccs"),
        (stats162_with(params=PARAMS | {"n_mfcc": "20"}), "n_mfcc"),
        (stats162_with(params=PARAMS | {"descriptors": ["mfcc", 7]}), "7"),
        (stats162_with(params=PARAMS | {"descriptors": [["mfcc"]]}), "descriptors"),
        (stats162_with(params={"descriptors": ["mfcc"]}), "lacks n_mfcc"),
        (stats162_with(params=PARAMS | {"n_fft": 2**28}), "n_fft=268435456 must be at most 16384"),
        (stats162_with(params=PARAMS | {"hop": 2**60}), "hop=.* must be at most"),
        (stats162_with(params=PARAMS | {"n_mels": 2**30}), "n_mels=.* must be at most 512"),
        (stats162_with(params=PARAMS | {"offset": 1e308}), "offset=1e.308 must be at most 600"),
        (stats162_with(rate=2**31), "a rate of at most 192000 Hz"),
        (stats162_with(window=1e300), "a window of at most 600 s"),
        (stats162_with(window=600, params=PARAMS | {"hop": 1}), "13,230,001 frames of 1,025 bins"),
        (hostile("logmel64", n_fft=2**28), "n_fft=268435456 must be at most 16384"),
        (hostile("logmel64", n_mels=10**9), "n_mels=1000000000 must be at most 512"),
        (hostile("logmel64", margin=1e308), "margin=1e.308 must be at most 600"),
        (hostile("logmel64", fmax=1e308), "fmax=1e.308 must be at most 192000"),
        (hostile("functionals", n_fft=2**28), "n_fft=268435456 must be at most 16384"),
        (hostile("functionals", n_mels=10**9), "n_mels=1000000000 must be at most 512"),
        (hostile("functionals", highest_pitch=1e308), "highest_pitch=1e.308 must be at most"),
        (hostile("functionals", lowest_pitch=1e-308), "lowest_pitch must lie above 10"),
        (hostile("frames62", frames=2**40), "frames=1099511627776 are too many"),
        (hostile("frames62", frames=19_000), "19,000 frames of 1,025 bins"),
    ],
)
def test_a_bundles_feature_set_that_cannot_be_computed_is_refused(
    data: dict[str, Any], message: str
) -> None:
    with pytest.raises(BundleError, match=message) as caught:
        FeatureSet.from_dict(data)
    assert "feature set" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("logmel46", {}, "no feature set is called 'logmel46'; there are: logmel64, logmel80"),
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
def test_unknown_names_and_invalid_parameters_are_refused(
    name: str, params: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        get_feature_set(name, **params)


def test_feature_sets_are_frozen_and_hashable() -> None:
    feature_set = get_feature_set("stats162")
    assert len({feature_set, get_feature_set("stats162"), replace(feature_set, window=1.0)}) == 2


@pytest.mark.process
def test_features_import_neither_librosa_nor_most_of_scipy() -> None:
    code = (
        "import sys, numpy as np; from batchemo.features import FEATURE_SETS, extract;"
        "assert 'scipy' not in sys.modules;"
        "[extract(each, np.ones(9000, np.float32)) for each in FEATURE_SETS.values()];"
        "print([name for name in ('librosa', 'numba', 'scipy.signal')"
        " if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
