"""The systems by name: the five as their sources say, and those that a scan uses."""

from __future__ import annotations

import numpy as np
import pytest

from batchemo.errors import UsageError
from batchemo.features import extract, get_feature_set
from batchemo.training.data.augment_audio import check_augmentations
from batchemo.training.nets.registry import NETS
from batchemo.training.recipes import (
    OWN_RECIPES,
    RAVDESS_RECIPES,
    RECIPES,
    REGRESSION,
    get_recipe,
)


def test_the_five_systems_have_their_features() -> None:
    assert {name: system.features.name for name, system in RAVDESS_RECIPES.items()} == {
        "cnn1d": "stats162",
        "melattn": "logmel128",
        "stats162": "stats162",
        "frames62": "frames62",
        "mfcc40": "mfcc40",
    }


@pytest.mark.parametrize("name", RECIPES)
def test_a_system_is_found_by_its_name_with_a_net_and_copies_that_there_are(name: str) -> None:
    system = get_recipe(name)

    assert system.name == name
    assert system.net in (*NETS, REGRESSION)
    check_augmentations(system.hyperparameters.augmentations)


def test_an_unknown_name_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(UsageError, match="'mfcc41'") as refused:
        get_recipe("mfcc41")

    assert all(name in str(refused.value) for name in RECIPES)


@pytest.mark.parametrize(
    ("name", "of_its_source"),
    [
        ("cnn1d", {"rate": 1e-3, "loss": "cross-entropy", "batch_size": 64, "validation": 0.15}),
        (
            "melattn",
            {
                "rate": 3e-4,
                "loss": "focal",
                "focal_gamma": 2.0,
                "oversample": True,
                "copies": ("noise", "pitch", "stretch"),
                "validation": 0.2,
            },
        ),
        ("stats162", {"loss": "cross-entropy", "copies": ("noise", "stretch-pitch")}),
        (
            "frames62",
            {
                "class_weights": True,
                "batch_size": 32,
                "epochs": 200,
                "dropout": 0.2,
                "choose": "mean-accuracy",
            },
        ),
        ("mfcc40", {"loss": "cross-entropy", "copies": ()}),
    ],
)
def test_the_choices_of_a_source_are_its_systems_defaults(
    name: str, of_its_source: dict[str, object]
) -> None:
    hyperparameters = RECIPES[name].hyperparameters

    assert {option: getattr(hyperparameters, option) for option in of_its_source} == of_its_source


@pytest.mark.parametrize("name", ["cnn1d", "melattn"])
def test_who_stops_early_by_the_table_has_patience_by_default(name: str) -> None:
    assert RECIPES[name].hyperparameters.patience > 0
    assert RECIPES[name].hyperparameters.plateau_patience > 0


@pytest.mark.parametrize("name", ["cnn1d", "frames62"])
def test_who_holds_back_large_weights_by_the_table_has_l2_by_default(name: str) -> None:
    assert RECIPES[name].hyperparameters.l2 > 0


def test_all_systems_are_those_of_a_scan_and_then_the_five() -> None:
    assert tuple(RECIPES) == (*OWN_RECIPES, *RAVDESS_RECIPES)
    assert tuple(OWN_RECIPES) == ("default", "accurate", "functionals")


def test_default_has_the_control_beside_it_and_accurate_only_more_nets() -> None:
    default, accurate = OWN_RECIPES["default"], OWN_RECIPES["accurate"]

    assert (default.nets, accurate.nets) == (1, 3)
    for name in ("features", "net", "choices", "floor", "windows", "beside"):
        assert getattr(accurate, name) == getattr(default, name)
    assert default.beside == "functionals"
    assert default.heard == get_feature_set("combined")


def test_what_stands_beside_a_system_hears_the_same_windows() -> None:
    for system in RECIPES.values():
        assert system.heard.window == system.windows.seconds
        if system.beside:
            assert get_recipe(system.beside).windows == system.windows


@pytest.mark.parametrize("name", OWN_RECIPES)
def test_what_a_scan_uses_learns_from_everybody(name: str) -> None:
    assert RECIPES[name].hyperparameters.validation_share == 0
    assert RECIPES[name].hyperparameters.select_epoch == "last"


@pytest.mark.parametrize("name", ["default", "accurate"])
def test_the_floor_is_what_the_features_pad_with(name: str) -> None:
    """A net that tells padding from sound must know what padding is."""
    features = RECIPES[name].features
    short = np.random.default_rng(0).normal(size=features.rate // 4).astype(np.float32)

    picture = extract(features, short)

    assert (picture[-20:] == RECIPES[name].floor).all()
    assert picture.min() == RECIPES[name].floor


def test_the_five_know_no_floor_and_are_taught_without_what_needs_one() -> None:
    for system in RAVDESS_RECIPES.values():
        assert system.floor is None
        assert not system.hyperparameters.augment_spectrograms


def test_recordings_are_cut_into_windows_of_the_features_that_overlap_by_half() -> None:
    for system in RECIPES.values():
        assert system.windows.seconds == system.features.window
        assert system.windows.hop == system.windows.seconds / 2
