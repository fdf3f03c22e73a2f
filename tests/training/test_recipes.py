"""The recipes by name: the five as their sources describe them, and those that a scan uses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from batchemo.errors import UsageError
from batchemo.features import extract, get_feature_set
from batchemo.training.data.augment_audio import check_augmentations
from batchemo.training.nets.encoder import MAX_SECONDS
from batchemo.training.nets.registry import NETS
from batchemo.training.recipes import (
    LIGHT,
    LOGISTIC,
    OWN_RECIPES,
    RAVDESS_RECIPES,
    RECIPES,
    WHISPER_TINY,
    Member,
    Recipe,
    get_recipe,
)

MEMBERS = [member for recipe in RECIPES.values() for member in recipe.members]


def test_the_five_ravdess_recipes_have_the_features_of_their_sources() -> None:
    assert {name: recipe.features.name for name, recipe in RAVDESS_RECIPES.items()} == {
        "cnn1d": "stats162",
        "melattn": "logmel128",
        "stats162": "stats162",
        "frames62": "frames62",
        "mfcc40": "mfcc40",
    }


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_found_by_its_name_and_has_existing_nets_and_augmentations(name: str) -> None:
    recipe = get_recipe(name)

    assert recipe.name == name
    for member in recipe.members:
        assert member.net in (*NETS, LOGISTIC)
        check_augmentations(member.hyperparameters.augmentations)


def test_an_unknown_name_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(UsageError, match="'mfcc41'") as refused:
        get_recipe("mfcc41")

    assert all(name in str(refused.value) for name in RECIPES)


@pytest.mark.parametrize(
    ("name", "of_its_source"),
    [
        (
            "cnn1d",
            {
                "learning_rate": 1e-3,
                "loss": "cross-entropy",
                "batch_size": 64,
                "validation_share": 0.15,
            },
        ),
        (
            "melattn",
            {
                "learning_rate": 3e-4,
                "loss": "focal",
                "focal_gamma": 2.0,
                "oversample": True,
                "augmentations": ("noise", "pitch", "stretch"),
                "validation_share": 0.2,
            },
        ),
        ("stats162", {"loss": "cross-entropy", "augmentations": ("noise", "stretch-pitch")}),
        (
            "frames62",
            {
                "class_weights": True,
                "batch_size": 32,
                "epochs": 200,
                "dropout": 0.2,
                "select_epoch": "mean-accuracy",
            },
        ),
        ("mfcc40", {"loss": "cross-entropy", "augmentations": ()}),
    ],
)
def test_the_hyperparameters_of_a_source_are_its_recipes_defaults(
    name: str, of_its_source: dict[str, object]
) -> None:
    hyperparameters = RECIPES[name].hyperparameters

    assert {field: getattr(hyperparameters, field) for field in of_its_source} == of_its_source


@pytest.mark.parametrize("name", ["cnn1d", "melattn"])
def test_recipes_whose_sources_stop_early_have_patience(name: str) -> None:
    assert RECIPES[name].hyperparameters.patience > 0
    assert RECIPES[name].hyperparameters.plateau_patience > 0


@pytest.mark.parametrize("name", ["cnn1d", "frames62"])
def test_recipes_whose_sources_regularise_weights_have_l2(name: str) -> None:
    assert RECIPES[name].hyperparameters.l2 > 0


def test_the_recipes_are_those_of_a_scan_and_then_the_five() -> None:
    assert tuple(RECIPES) == (*OWN_RECIPES, *RAVDESS_RECIPES)
    assert tuple(OWN_RECIPES) == ("default", "accurate", "functionals")


@pytest.mark.parametrize(("name", "encoder"), [("default", LIGHT), ("accurate", WHISPER_TINY)])
def test_default_and_accurate_are_dense_nets_on_an_encoder(name: str, encoder: str) -> None:
    recipe = OWN_RECIPES[name]
    (dense,) = recipe.members

    assert (dense.net, dense.nets) == ("dense", 3)
    assert 0 < dense.hyperparameters.speaker_shift < 1
    assert recipe.features == dense.features == get_feature_set("logmel80")
    assert recipe.windows.window <= MAX_SECONDS
    assert recipe.encoder == encoder
    assert recipe.familiarity_slope


def test_the_others_have_no_encoder_and_no_familiarity() -> None:
    for recipe in (*RAVDESS_RECIPES.values(), OWN_RECIPES["functionals"]):
        assert recipe.encoder is None
        assert recipe.familiarity_slope is None


def test_a_recipe_of_one_member_has_its_features() -> None:
    for recipe in (*RAVDESS_RECIPES.values(), OWN_RECIPES["functionals"]):
        assert [member.features for member in recipe.members] == [recipe.features]


def test_the_hyperparameters_of_a_recipe_are_those_of_its_first_member() -> None:
    for recipe in RECIPES.values():
        assert recipe.hyperparameters == recipe.members[0].hyperparameters


def test_members_with_different_features_or_windows_are_refused() -> None:
    (dense,) = OWN_RECIPES["default"].members
    longer = replace(dense, features=replace(dense.features, window=4.0))
    overlapping = replace(dense, overlap=0.5)

    for members in ((dense, longer), (dense, overlapping), ()):
        with pytest.raises(ValueError, match="the same features, windows and encoder"):
            Recipe("odd", "Two windows, or none.", members)


def test_members_of_which_only_some_have_the_encoder_are_refused() -> None:
    (dense,) = OWN_RECIPES["accurate"].members

    with pytest.raises(ValueError, match="windows and encoder"):
        Recipe("odd", "One encoder.", (dense, replace(dense, encoder=None)))


@pytest.mark.parametrize("member", [m for r in OWN_RECIPES.values() for m in r.members])
def test_what_a_scan_uses_is_trained_on_everybody(member: Member) -> None:
    assert member.hyperparameters.validation_share == 0
    assert member.hyperparameters.select_epoch == "last"


@pytest.mark.parametrize("name", ["default", "accurate"])
def test_the_floor_is_what_the_features_pad_with(name: str) -> None:
    """A net that tells padding from signal must know the value of padding."""
    member = RECIPES[name].members[0]
    samples = np.random.default_rng(0).normal(size=member.features.rate // 4)

    spectrogram = extract(member.features, samples.astype(np.float32))

    assert (spectrogram[-20:] == member.floor).all()
    assert spectrogram.min() == member.floor


def test_windows_have_the_length_of_the_features_and_overlap_by_half_except_on_the_encoder() -> (
    None
):
    for member in MEMBERS:
        assert member.windows.rate == member.features.rate
        assert member.windows.window == member.features.window
        assert member.windows.hop == member.windows.window / (1 if member.encoder else 2)
    for recipe in RECIPES.values():
        assert recipe.windows.window == recipe.features.window
        assert recipe.windows.rate == recipe.features.rate
