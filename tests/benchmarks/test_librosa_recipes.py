"""The peers compute what they say: batchemo's windows where asked, and features of its shapes."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("librosa")

from others.librosa_recipes import LIBROSA_RECIPES

from batchemo.audio.windows import WindowCutter
from batchemo.features import FEATURE_SETS


# Of the functionals alone librosa has only a part; `combined` has the places for all.
@pytest.mark.parametrize("name", sorted(LIBROSA_RECIPES.keys() - {"functionals"}))
def test_features_have_the_shape_that_the_net_expects(name: str) -> None:
    recipe = LIBROSA_RECIPES[name]
    ours = FEATURE_SETS[name]
    assert (recipe.rate, recipe.window) == (ours.rate, ours.window)
    sound = np.random.default_rng(0).normal(size=round(ours.window * ours.rate)).astype(np.float32)
    assert recipe.compute(sound).shape == ours.shape()


@pytest.mark.parametrize("seconds", [1.0, 3.0, 3.7, 9.1])
def test_overlapping_windows_are_those_that_batchemo_hears(seconds: float) -> None:
    recipe = LIBROSA_RECIPES["combined"]
    sound = np.arange(1, round(seconds * recipe.rate) + 1, dtype=np.float32)
    length = round(recipe.window * recipe.rate)
    cutter = WindowCutter(length, length // 2)
    ours = [samples for _, samples in (*cutter.feed(sound), *cutter.finish())]
    theirs = list(recipe.windows(sound, overlap=True))
    assert len(theirs) == len(ours)
    for they, we in zip(theirs, ours, strict=True):
        assert np.array_equal(they[: len(we)], we)
        assert not they[len(we) :].any()


def test_windows_side_by_side_leave_out_the_end() -> None:
    recipe = LIBROSA_RECIPES["combined"]
    assert len(list(recipe.windows(np.zeros(7 * recipe.rate, np.float32)))) == 2
    assert len(list(recipe.windows(np.zeros(recipe.rate, np.float32)))) == 1
