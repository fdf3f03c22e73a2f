"""The compared programs use the windows and feature shapes of batchemo."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("librosa")

from others.librosa_features import LIBROSA_FEATURE_SETS

from batchemo.audio.windows import WindowCutter
from batchemo.features import FEATURE_SETS


# Of the functionals librosa has only a part.
@pytest.mark.parametrize("name", sorted(LIBROSA_FEATURE_SETS.keys() - {"functionals"}))
def test_features_have_the_shape_that_the_net_expects(name: str) -> None:
    feature_set = LIBROSA_FEATURE_SETS[name]
    ours = FEATURE_SETS[name]
    assert (feature_set.rate, feature_set.window) == (ours.rate, ours.window)
    sound = np.random.default_rng(0).normal(size=round(ours.window * ours.rate)).astype(np.float32)
    assert feature_set.compute(sound).shape == ours.shape()


@pytest.mark.parametrize("seconds", [1.0, 3.0, 3.7, 9.1])
def test_overlapping_windows_are_those_of_batchemo(seconds: float) -> None:
    feature_set = LIBROSA_FEATURE_SETS["logmel64"]
    sound = np.arange(1, round(seconds * feature_set.rate) + 1, dtype=np.float32)
    length = round(feature_set.window * feature_set.rate)
    cutter = WindowCutter(length, length // 2)
    ours = [samples for _, samples in (*cutter.process(sound), *cutter.finish())]
    theirs = list(feature_set.windows(sound, overlap=True))
    assert len(theirs) == len(ours)
    for they, we in zip(theirs, ours, strict=True):
        assert np.array_equal(they[: len(we)], we)
        assert not they[len(we) :].any()


def test_windows_side_by_side_leave_out_the_end() -> None:
    feature_set = LIBROSA_FEATURE_SETS["logmel64"]
    assert len(list(feature_set.windows(np.zeros(7 * feature_set.rate, np.float32)))) == 2
    assert len(list(feature_set.windows(np.zeros(feature_set.rate, np.float32)))) == 1
