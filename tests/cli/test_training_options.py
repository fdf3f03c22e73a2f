"""Options of `train` and `evaluate`: what they mean, and what is refused before any work.

No test here trains: all of them are fast and import no TensorFlow.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
from command_line import RunCommand
from made_corpus import make_ravdess
from made_predictions import make_info, random_predictions
from voices import write_voice

from batchemo.cli.training_options import hyperparameter_arguments, recipe_from
from batchemo.corpora import EMOTIONS
from batchemo.evaluation import evaluate as evaluate_predictions
from batchemo.evaluation import write_evaluation
from batchemo.training.hyperparameters import Hyperparameters
from batchemo.training.recipes import RECIPES, Recipe

pytestmark = pytest.mark.skipif(
    find_spec("tensorflow") is None, reason="needs the packages of batchemo[train]"
)


@pytest.fixture(scope="module")
def ravdess(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_ravdess(tmp_path_factory.mktemp("corpus") / "ravdess")


@pytest.fixture
def train(batchemo: RunCommand) -> RunCommand:
    """Run `batchemo train` with one process."""

    def call(*args: object, recipe: str = "mfcc40") -> object:
        return batchemo("train", *args, "--recipe", recipe, "-j", 1)

    return call


@pytest.mark.parametrize(
    ("name", "params", "window", "shape"),
    [
        ("stats162", (), None, (162,)),
        ("stats162", ("n_mfcc=40",), None, (182,)),
        ("frames62", (), None, (130, 62)),
        ("frames62", ("offset=0", "frames=173"), 4.0, (173, 62)),
    ],
)
def test_param_and_window_change_the_features_of_a_recipe(
    name: str, params: tuple[str, ...], window: float | None, shape: tuple[int, ...]
) -> None:
    recipe = recipe_from(name, {"params": params, "window": window})
    assert recipe.features.shape() == shape
    assert recipe.windows.window == (window or recipe.features.window)


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_without_options_is_unchanged(name: str) -> None:
    assert recipe_from(name, {"params": (), "window": None}) == RECIPES[name]


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=list(RECIPES))
def test_hyperparameters_of_every_recipe_are_documented(recipe: Recipe) -> None:
    page = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
    arguments = " ".join(hyperparameter_arguments(recipe.hyperparameters, Hyperparameters()))
    options = ", ".join(f"`--{option.strip()}`" for option in arguments.split("--")[1:])
    assert f"| `{recipe.name}` | {recipe.description.rstrip('.')} | {options} |" in page


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--param", "colour=red"), "it has: descriptors"),
        (("--param", "n_mfcc"), "NAME=VALUE"),
        (("--encoder", "encoder.onnx"), "--encoder: mfcc40 has no encoder"),
        (("--window", "0"), "1<=x<=10"),
        (("--learning-rate", "0"), "x>0"),
        (("--augmentations", "echo"), "there are: noise, pitch"),
        (("--validation-share", "0"), "--select-epoch last"),
        (
            ("--validation-share", "0", "--select-epoch", "last", "--patience", "3"),
            "without --patience",
        ),
        (("--mixup", "1.5"), "0<=x<=1"),
        (("--ema-decay", "1"), "0<=x<1"),
        (("--lr-schedule", "steady"), "'plateau', 'one-cycle'"),
        (("--lr-schedule", "one-cycle", "--plateau-patience", "3"), "needs --lr-schedule plateau"),
        (("--other-corpora-share", "0.3", "--oversample"), "needs --other-corpora-share 0"),
        (("--focal-gamma", "1"), "--loss focal"),
        (("--plateau-factor", "0.5"), "--plateau-patience"),
        (("--label", "joy"), "OLD=NEW"),
        (("--label", "=happy"), "OLD=NEW"),
        (("--only", "emovo"), "no recordings of emovo"),
        (("--figures", "nowhere.json"), "cannot be read"),
        (tuple(f"--label={name}=" for name in EMOTIONS[1:]), "at least two classes"),
    ],
)
def test_train_refuses_wrong_usage_before_any_work(
    train: RunCommand, ravdess: Path, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    ran = train(ravdess, "-o", tmp_path / "mine", *options)
    assert ran.code == 2
    assert message in ran.err
    assert list(tmp_path.iterdir()) == []


def test_unknown_recipe_is_refused_with_the_known_ones(train: RunCommand, ravdess: Path) -> None:
    ran = train(ravdess, "-o", "mine", recipe="mfcc41")
    assert ran.code == 2
    assert ", ".join(RECIPES) in ran.err


def test_features_of_a_recipe_with_an_encoder_cannot_be_changed(
    train: RunCommand, ravdess: Path, tmp_path: Path
) -> None:
    ran = train(ravdess, "-o", tmp_path / "mine", "--param", "n_mels=32", recipe="default")
    assert ran.code == 2
    assert "the features of the recipe default cannot be changed" in ran.err


def test_options_of_nets_are_refused_for_a_logistic_regression(
    train: RunCommand, ravdess: Path, tmp_path: Path
) -> None:
    options = ("--epochs", 3, "--mixup", 0.5)
    ran = train(ravdess, "-o", tmp_path / "mine", *options, recipe="functionals")
    assert ran.code == 2
    assert "--epochs, --mixup: not for functionals, which is not a neural network" in ran.err


def test_a_shift_of_speakers_is_refused_for_a_recipe_without_an_encoder(
    train: RunCommand, ravdess: Path, tmp_path: Path
) -> None:
    ran = train(ravdess, "-o", tmp_path / "mine", "--speaker-shift", 0.5, recipe="mfcc40")
    assert ran.code == 2
    assert "--speaker-shift: not for mfcc40, which has no encoder" in ran.err


def test_unknown_labels_are_listed_with_their_counts(train: RunCommand, tmp_path: Path) -> None:
    for seed in range(3):
        write_voice(tmp_path / f"{seed}.wav", seed=seed)
    (tmp_path / "m.csv").write_text("file,label\n0.wav,smug\n1.wav,happy\n2.wav,bossy\n")
    ran = train(tmp_path / "m.csv", "-o", tmp_path / "mine")
    assert ran.code == 2
    assert "'smug': 1" in ran.err
    assert "'bossy': 1" in ran.err
    assert "--label old=new" in ran.err
    assert not (tmp_path / "mine").exists()


def test_evaluation_of_another_recipe_is_not_put_on_the_card_as_figures(
    train: RunCommand, ravdess: Path, tmp_path: Path
) -> None:
    evaluation = evaluate_predictions(
        random_predictions(), ("sad", "happy", "angry"), info=make_info(subject="cnn1d")
    )
    write_evaluation(tmp_path / "figures", evaluation)
    ran = train(ravdess, "-o", tmp_path / "mine", "--figures", tmp_path / "figures")
    assert ran.code == 2
    assert "evaluates cnn1d, not mfcc40: give it to --compare" in ran.err


def test_missing_packages_are_named_before_any_work(
    train: RunCommand, ravdess: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = ("json", "no_such_module")
    monkeypatch.setattr("batchemo.cli.training_options._TRAINING_PACKAGES", packages)
    ran = train(ravdess, "-o", tmp_path / "mine")
    assert ran.code == 1
    assert "needs no_such_module, not installed" in ran.err
    assert "pip install 'batchemo[train]'" in ran.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--classes", "happy"), "for trained models"),
        (("--folds", "3", "--protocol", "random"), "--folds has no effect with --protocol random"),
        (("--validation-share", "0.3", "--protocol", "leaky"), "--validation-share has no effect"),
        (("--folds", "1"), "neither a number from 2 nor"),
        (("--folds", "few"), "nor luna-jimenez"),
        (("--folds", "luna-jimenez"), "No fold of Luna-Jiménez"),
        (("--seeds", "0"), "x>=1"),
        (("--seed", "1"), "No such option"),
        (("--quiet",), "-o FOLDER or --json"),
        (("--conditions", "underwater"), "no condition is called 'underwater'; there are: teleph"),
        (("--conditions", "all", "--protocol", "leaky"), "--conditions has no effect"),
    ],
)
def test_evaluate_refuses_options_without_effect_on_a_recipe(
    batchemo: RunCommand, ravdess: Path, options: tuple[str, ...], message: str
) -> None:
    ran = batchemo("evaluate", "mfcc40", ravdess, *options)
    assert ran.code == 2
    assert message in ran.err


def test_protocol_speaker_needs_speakers(batchemo: RunCommand, tmp_path: Path) -> None:
    for seed in range(4):
        write_voice(tmp_path / f"{seed}.wav", seed=seed)
    rows = "0.wav,sad\n1.wav,happy\n2.wav,sad\n3.wav,happy\n"
    (tmp_path / "m.csv").write_text(f"file,label\n{rows}")
    ran = batchemo("evaluate", "mfcc40", tmp_path / "m.csv")
    assert ran.code == 2
    assert "add a column speaker" in ran.err


def test_unknown_name_is_refused_with_the_known_models_and_recipes(
    batchemo: RunCommand, ravdess: Path
) -> None:
    ran = batchemo("evaluate", "mfcc41", ravdess)
    assert ran.code == 2
    assert "there is no such model" in ran.err
    assert "name a recipe: default, accurate, functionals, cnn1d, melattn" in ran.err
