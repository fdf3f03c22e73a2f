"""The recipes by name: the five as their sources describe them, and those that a scan uses."""

from __future__ import annotations

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
    Recipe,
    get_recipe,
)


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
    assert recipe.net in (*NETS, LOGISTIC)
    check_augmentations(recipe.hyperparameters.augmentations)


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

    assert (recipe.net, recipe.nets) == ("dense", 3)
    assert 0 < recipe.hyperparameters.speaker_shift < 1
    assert recipe.features == get_feature_set("logmel80")
    assert recipe.windows.window <= MAX_SECONDS
    assert recipe.encoder == encoder
    assert recipe.familiarity_slope


def test_the_others_have_no_encoder_and_no_familiarity() -> None:
    for recipe in (*RAVDESS_RECIPES.values(), OWN_RECIPES["functionals"]):
        assert recipe.encoder is None
        assert recipe.familiarity_slope is None


@pytest.mark.parametrize("recipe", OWN_RECIPES.values(), ids=list(OWN_RECIPES))
def test_what_a_scan_uses_is_trained_on_everybody(recipe: Recipe) -> None:
    assert recipe.hyperparameters.validation_share == 0
    assert recipe.hyperparameters.select_epoch == "last"


@pytest.mark.parametrize("name", ["default", "accurate"])
def test_the_floor_is_what_the_features_pad_with(name: str) -> None:
    """A net that tells padding from signal must know the value of padding."""
    recipe = RECIPES[name]
    samples = np.random.default_rng(0).normal(size=recipe.features.rate // 4)

    spectrogram = extract(recipe.features, samples.astype(np.float32))

    assert (spectrogram[-20:] == recipe.floor).all()
    assert spectrogram.min() == recipe.floor


def test_windows_have_the_length_of_the_features_and_overlap_by_half_except_on_the_encoder() -> (
    None
):
    for recipe in RECIPES.values():
        assert recipe.windows.rate == recipe.features.rate
        assert recipe.windows.window == recipe.features.window
        assert recipe.windows.hop == recipe.windows.window / (1 if recipe.encoder else 2)
