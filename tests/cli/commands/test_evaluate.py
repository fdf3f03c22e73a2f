"""`batchemo evaluate`: figures under the protocol that gave them, and none on what was learnt."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_corpus import make_actor, make_ravdess
from voices import write_voice

from batchemo.bundles import Bundle, find_bundle
from batchemo.cli.main import run
from batchemo.corpora import EMOTIONS
from batchemo.evaluation import read_evaluation

pytest.importorskip("tensorflow")

RowRange = Callable[..., Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("evaluate")


@pytest.fixture(scope="module")
def ravdess(folder: Path) -> Path:
    return make_ravdess(folder / "ravdess")


@pytest.fixture(scope="module")
def unrecognised(folder: Path) -> Path:
    """Two actors that `trained` has never heard."""
    make_actor(folder / "strangers", 5)
    make_actor(folder / "strangers", 6)
    return folder / "strangers"


@pytest.fixture(scope="module")
def trained(folder: Path, ravdess: Path) -> Path:
    words = ["train", ravdess, "--recipe", "mfcc40", "-o", folder / "mfcc40", "--epochs", 2]
    assert run([*map(str, words), "--work", str(folder / "work"), "-j", "1", "-q"]) == 0
    return folder / "mfcc40"


@pytest.fixture
def evaluate(batchemo: RowRange, folder: Path) -> RowRange:
    """Runs the command in one process; features and results are shared by all tests."""

    def call(*args: object) -> Any:
        return batchemo("evaluate", *args, "--work", folder / "work", "-j", 1)

    return call


@pytest.mark.parametrize(
    ("protocol", "folds", "title"),
    [
        ("speaker", [f"speakers-{n}" for n in range(1, 5)], "speaker — on speakers that it never"),
        ("random", ["random"], "random — on other recordings of speakers in its training data"),
        (
            "leaky",
            ["leaky"],
            "leaky — LEAKY: copies of the same recordings are in the training data",
        ),
    ],
)
def test_a_recipe_is_trained_and_every_output_names_the_protocol(
    evaluate: RowRange, ravdess: Path, tmp_path: Path, protocol: str, folds: list[str], title: str
) -> None:
    words = ("mfcc40", ravdess, "--protocol", protocol, "--epochs", 2)

    ran = evaluate(*words, "--json", "-o", tmp_path / "figures")

    assert ran.code == 0, ran.err
    told = json.loads(ran.out)
    assert (told["info"]["kind"], told["info"]["protocol"]) == ("recipe", protocol)
    assert [fold["fold"] for fold in told["folds"]] == folds
    assert told["info"]["options"]["epochs"] == 2
    assert told == read_evaluation(tmp_path / "figures").to_dict()
    for table in ("figures", "classes", "confusion", "groups"):
        rows = list(csv.DictReader((tmp_path / "figures" / f"{table}.csv").open()))
        assert {row["protocol"] for row in rows} == {protocol}
    assert f"training {len(folds)}/{len(folds)} done" in ran.err

    shown = " ".join(evaluate(*words).out.split())
    assert title in shown
    assert f"{told['figures']['uar']['mean']:.3f}" in shown, "no training gave other figures"


def test_seeds_and_folds_are_as_many_as_asked_for(evaluate: RowRange, ravdess: Path) -> None:
    ran = evaluate("mfcc40", ravdess, "--folds", 2, "--seeds", 2, "--epochs", 1, "--json", "-q")
    assert ran.code == 0
    assert ran.err == ""
    told = json.loads(ran.out)
    assert [seed["seed"] for seed in told["seeds"]] == [0, 1]
    assert len(told["folds"]) == 2
    assert told["judgements"] == 64


@pytest.mark.parametrize("protocol", ["speaker", "random"])
def test_a_model_is_not_tested_on_what_it_learnt_from(
    evaluate: RowRange, trained: Path, ravdess: Path, protocol: str
) -> None:
    ran = evaluate(trained, ravdess, "--protocol", protocol)
    assert ran.code == 2
    assert "32: the model learnt from this recording" in ran.err
    assert ran.out == ""


def test_unless_leaky_is_asked_for_which_says_so(
    evaluate: RowRange, trained: Path, ravdess: Path
) -> None:
    ran = evaluate(trained, ravdess, "--protocol", "leaky")
    assert ran.code == 0
    assert "LEAKY: the finished model, on all recordings" in " ".join(ran.out.split())


def test_a_model_is_tested_on_speakers_that_it_never_heard_and_nothing_is_kept(
    batchemo: RowRange,
    trained: Path,
    ravdess: Path,
    unrecognised: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = batchemo("evaluate", trained, ravdess, unrecognised, "--json", "-j", 1)
    assert ran.code == 0
    told = json.loads(ran.out)
    assert told["info"]["kind"] == "bundle"
    assert told["labels"] == list(EMOTIONS)
    assert told["recordings"] == 16
    assert told["info"]["left_out"] == {"the model learnt from this recording": 32}
    assert list(tmp_path.iterdir()) == []


def test_a_model_is_judged_on_some_classes_only(
    evaluate: RowRange, trained: Path, unrecognised: Path
) -> None:
    ran = evaluate(trained, unrecognised, "--classes", "happy,sad", "--json")
    told = json.loads(ran.out)
    assert told["labels"] == ["happy", "sad"]
    assert told["recordings"] == 4
    assert sum(told["info"]["left_out"].values()) == 12


def test_what_is_tested_is_heard_otherwise_too(
    evaluate: RowRange, ravdess: Path, unrecognised: Path, trained: Path
) -> None:
    words = ("--conditions", "level,mp3", "--json", "-q")
    of_recipe = evaluate("mfcc40", ravdess, "--folds", 2, "--epochs", 1, *words)
    of_model = evaluate(trained, unrecognised, *words)

    for ran in (of_recipe, of_model):
        told = json.loads(ran.out)
        assert [one["name"] for one in told["conditions"]] == ["level", "mp3"]
        assert told["conditions"][0]["recordings"] == told["recordings"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--conditions", "underwater"), "no condition is called 'underwater'; there are: teleph"),
        (("--conditions", "all", "--protocol", "leaky"), "no part in the protocol leaky"),
    ],
)
def test_conditions_that_make_no_sense_are_refused_before_any_work(
    evaluate: RowRange, ravdess: Path, options: tuple[str, ...], told: str
) -> None:
    ran = evaluate("mfcc40", ravdess, *options)
    assert ran.code == 2
    assert told in ran.err


def test_a_name_is_a_recipe_and_a_path_is_a_model_and_the_output_says_which(
    batchemo: RowRange, trained: Path, unrecognised: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trained.parent)
    model = batchemo("evaluate", "./mfcc40", unrecognised, "-j", 1)
    assert "./mfcc40 is a finished model, nothing is trained" in model.err
    recipe = batchemo(
        "evaluate", "mfcc40", unrecognised, "--protocol", "leaky", "--epochs", 1, "-j", 1
    )
    assert recipe.code == 0, recipe.err
    assert "mfcc40 is the recipe, trained anew here" in recipe.err
    assert f"the shipped model is {find_bundle('mfcc40')}" in recipe.err


def test_recordings_that_cannot_be_heard_are_counted_and_told_by_the_exit_code(
    evaluate: RowRange, trained: Path, unrecognised: Path, tmp_path: Path
) -> None:
    corpus = tmp_path / "ravdess"
    shutil.copytree(unrecognised, corpus)
    write_voice(corpus / "03-01-03-01-01-02-05.wav", seconds=0.05)
    (corpus / "03-01-04-01-01-02-05.wav").write_text("not a recording\n")
    ran = evaluate(trained, corpus, "--json")
    assert ran.code == 3
    assert "03-01-04-01-01-02-05.wav (not_audio" in ran.err
    told = json.loads(ran.out)
    assert told["info"]["left_out"] == {"too_short": 1}
    assert "Recordings that could not be decoded: 1." in told["info"]["notes"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--epochs", "3"), "--epochs: for recipes only"),
        (("--no-oversample",), "--oversample: for recipes only"),
        (("--param", "n_mfcc=13", "--window", "2"), "--window, --param: for recipes only"),
        (("--seeds", "2"), "--seeds: for recipes only"),
        (("--folds", "3"), "--folds: for recipes only"),
        (("--classes", "happy,smug"), "does not know smug; it knows neutral"),
        (("--label", "sad=", "--classes", "sad"), "none of these is judged here"),
    ],
)
def test_what_a_finished_model_has_no_use_for_is_refused(
    evaluate: RowRange, trained: Path, unrecognised: Path, options: tuple[str, ...], told: str
) -> None:
    ran = evaluate(trained, unrecognised, *options)
    assert ran.code == 2
    assert told in ran.err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--classes", "happy"), "for finished models"),
        (("--folds", "3", "--protocol", "random"), "--folds has no part"),
        (("--validation-share", "0.3", "--protocol", "leaky"), "--validation-share has no part"),
        (("--folds", "1"), "neither a number from 2 on"),
        (("--folds", "few"), "nor luna-jimenez"),
        (("--folds", "luna-jimenez"), "No fold of Luna-Jiménez"),
        (("--seeds", "0"), "x>=1"),
        (("--seed", "1"), "No such option"),
        (("--quiet",), "-o FOLDER or --json"),
    ],
)
def test_what_a_recipe_has_no_use_for_is_refused(
    evaluate: RowRange, ravdess: Path, options: tuple[str, ...], told: str
) -> None:
    ran = evaluate("mfcc40", ravdess, *options)
    assert ran.code == 2
    assert told in ran.err


def test_speakers_must_be_known_where_they_matter(evaluate: RowRange, tmp_path: Path) -> None:
    for seed in range(4):
        write_voice(tmp_path / f"{seed}.wav", seed=seed)
    rows = "0.wav,sad\n1.wav,happy\n2.wav,sad\n3.wav,happy\n"
    (tmp_path / "m.csv").write_text(f"file,label\n{rows}")
    ran = evaluate("mfcc40", tmp_path / "m.csv")
    assert ran.code == 2
    assert "add a column speaker" in ran.err


def test_a_name_that_is_nothing_lists_models_and_recipes(evaluate: RowRange, ravdess: Path) -> None:
    ran = evaluate("mfcc41", ravdess)
    assert ran.code == 2
    assert "there is no such model" in ran.err
    assert "name a recipe: default, accurate, functionals, cnn1d, melattn" in ran.err


def test_a_model_that_does_not_tell_what_it_learnt_from_is_tested_with_a_warning(
    evaluate: RowRange, tiny_bundle: Bundle, unrecognised: Path
) -> None:
    ran = evaluate(tiny_bundle.path, unrecognised, "--json")
    assert ran.code == 0, ran.err
    told = json.loads(ran.out)
    assert any("does not tell which recordings" in note for note in told["info"]["notes"])
