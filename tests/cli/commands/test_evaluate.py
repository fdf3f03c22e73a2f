"""`batchemo evaluate`: figures with the protocol that gave them, never on training data unsaid."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
from command_line import RunCommand
from voices import write_voice

from batchemo.bundles import Bundle, find_bundle
from batchemo.corpora import EMOTIONS
from batchemo.evaluation import read_evaluation

pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize(
    ("protocol", "folds", "title"),
    [
        ("speaker", [f"speakers-{n}" for n in range(1, 5)], "speaker — on speakers that are not"),
        ("random", ["random"], "random — on other recordings of speakers in its training data"),
        ("leaky", ["leaky"], "leaky — LEAKY: copies of the same recordings are in the training"),
    ],
)
def test_recipe_is_trained_and_every_output_names_the_protocol(
    evaluate: RunCommand, ravdess: Path, tmp_path: Path, protocol: str, folds: list[str], title: str
) -> None:
    args = ("mfcc40", ravdess, "--protocol", protocol, "--epochs", 2)

    ran = evaluate(*args, "--json", "-o", tmp_path / "figures")

    assert ran.code == 0, ran.err
    evaluation = json.loads(ran.out)
    info = evaluation["info"]
    assert (info["kind"], info["protocol"]) == ("recipe", protocol)
    assert [fold["fold"] for fold in evaluation["folds"]] == folds
    assert info["options"]["epochs"] == 2
    assert evaluation == read_evaluation(tmp_path / "figures").to_dict()
    for table in ("figures", "classes", "confusion", "groups"):
        rows = list(csv.DictReader((tmp_path / "figures" / f"{table}.csv").open()))
        assert {row["protocol"] for row in rows} == {protocol}
    assert f"run {len(folds)}/{len(folds)} trained and tested" in ran.err
    assert "mfcc40 is the recipe, trained anew here" in ran.err
    assert f"the shipped model is {find_bundle('mfcc40')}" in ran.err

    # The kept results are shown again, without another training.
    output = " ".join(evaluate(*args).out.split())
    assert title in output
    assert f"{evaluation['figures']['uar']['mean']:.3f}" in output


def test_folds_seeds_and_conditions_of_a_recipe(evaluate: RunCommand, ravdess: Path) -> None:
    options = ("--folds", 2, "--seeds", 2, "--epochs", 1, "--conditions", "level,mp3")
    ran = evaluate("mfcc40", ravdess, *options, "--json", "-q")
    assert (ran.code, ran.err) == (0, "")
    evaluation = json.loads(ran.out)
    assert [seed["seed"] for seed in evaluation["seeds"]] == [0, 1]
    assert len(evaluation["folds"]) == 2
    assert evaluation["predictions"] == 64
    assert [condition["name"] for condition in evaluation["conditions"]] == ["level", "mp3"]
    assert evaluation["conditions"][0]["recordings"] == evaluation["recordings"]


def test_conditions_of_a_model(evaluate: RunCommand, trained: Path, new_actors: Path) -> None:
    ran = evaluate(trained, new_actors, "--conditions", "level,mp3", "--json", "-q")
    evaluation = json.loads(ran.out)
    assert [condition["name"] for condition in evaluation["conditions"]] == ["level", "mp3"]
    assert evaluation["conditions"][0]["recordings"] == evaluation["recordings"]


@pytest.mark.parametrize("protocol", ["speaker", "random"])
def test_model_is_not_tested_on_its_training_data(
    evaluate: RunCommand, trained: Path, ravdess: Path, protocol: str
) -> None:
    ran = evaluate(trained, ravdess, "--protocol", protocol)
    assert ran.code == 2
    assert "32: " in ran.err
    assert ran.out == ""


def test_leaky_protocol_tests_a_model_on_its_training_data_and_says_so(
    evaluate: RunCommand, trained: Path, ravdess: Path
) -> None:
    ran = evaluate(trained, ravdess, "--protocol", "leaky")
    assert ran.code == 0
    assert "LEAKY: the finished model, on all recordings" in " ".join(ran.out.split())


def test_model_is_tested_on_unseen_speakers_and_no_file_is_kept(
    batchemo: RunCommand,
    trained: Path,
    ravdess: Path,
    new_actors: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = batchemo("evaluate", trained, ravdess, new_actors, "--json", "-j", 1)
    assert ran.code == 0
    evaluation = json.loads(ran.out)
    assert evaluation["info"]["kind"] == "bundle"
    assert evaluation["labels"] == list(EMOTIONS)
    assert evaluation["recordings"] == 16
    assert list(evaluation["info"]["left_out"].values()) == [32]
    assert list(tmp_path.iterdir()) == []


def test_path_is_a_model_although_a_recipe_has_its_name(
    evaluate: RunCommand, trained: Path, new_actors: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trained.parent)
    ran = evaluate(f"./{trained.name}", new_actors)
    assert ran.code == 0
    assert "./mfcc40 is a trained model and is not trained again" in ran.err


def test_model_can_be_evaluated_on_some_classes_only(
    evaluate: RunCommand, trained: Path, new_actors: Path
) -> None:
    ran = evaluate(trained, new_actors, "--classes", "happy,sad", "--json")
    evaluation = json.loads(ran.out)
    assert evaluation["labels"] == ["happy", "sad"]
    assert evaluation["recordings"] == 4
    assert sum(evaluation["info"]["left_out"].values()) == 12


def test_failed_recordings_are_counted_and_change_the_exit_code(
    evaluate: RunCommand, trained: Path, new_actors: Path, tmp_path: Path
) -> None:
    corpus = tmp_path / "ravdess"
    shutil.copytree(new_actors, corpus)
    write_voice(corpus / "03-01-03-01-01-02-05.wav", seconds=0.05)
    (corpus / "03-01-04-01-01-02-05.wav").write_text("not a recording\n")
    ran = evaluate(trained, corpus, "--json")
    assert ran.code == 3
    assert "03-01-04-01-01-02-05.wav (not_audio" in ran.err
    info = json.loads(ran.out)["info"]
    assert info["left_out"] == {"too_short": 1}
    assert "Recordings that could not be decoded: 1." in info["notes"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--epochs", "3"), "--epochs: only for recipes"),
        (("--no-oversample",), "--oversample: only for recipes"),
        (("--param", "n_mfcc=13", "--window", "2"), "--window, --param: only for recipes"),
        (("--seeds", "2"), "--seeds: only for recipes"),
        (("--folds", "3"), "--folds: only for recipes"),
        (("--test-only", "emovo"), "--test-only: only for recipes"),
        (("--test-on", "emovo"), "--test-on: only for recipes"),
        (("--encoder", "encoder.onnx"), "--encoder: only for recipes"),
        (("--classes", "happy,smug"), "does not know smug; it knows neutral"),
        (("--label", "sad=", "--classes", "sad"), "none of these is evaluated here"),
    ],
)
def test_options_of_recipes_are_refused_for_a_model(
    evaluate: RunCommand, trained: Path, new_actors: Path, options: tuple[str, ...], message: str
) -> None:
    ran = evaluate(trained, new_actors, *options)
    assert ran.code == 2
    assert message in ran.err


def test_model_without_a_record_of_its_training_data_is_tested_with_a_note(
    evaluate: RunCommand, tiny_bundle: Bundle, new_actors: Path
) -> None:
    ran = evaluate(tiny_bundle.path, new_actors, "--json")
    assert ran.code == 0, ran.err
    notes = json.loads(ran.out)["info"]["notes"]
    assert any("which recordings" in note for note in notes)


@pytest.fixture
def two_corpora(ravdess: Path, tmp_path: Path) -> Path:
    """A manifest by which two actors are a corpus in one language, and two in another."""
    rows = ["file,label,speaker,corpus,language"]
    for path in sorted(ravdess.rglob("*.wav")):
        emotion, actor = int(path.stem[6:8]), path.stem[-2:]
        corpus = "english,en" if actor < "03" else "polish,pl"
        rows.append(f"{path},{EMOTIONS[emotion - 1]},{actor},{corpus}")
    manifest = tmp_path / "two.csv"
    manifest.write_text("\n".join(rows) + "\n")
    return manifest


def test_each_corpus_is_left_out_in_turn(evaluate: RunCommand, two_corpora: Path) -> None:
    args = ("mfcc40", two_corpora, "--leave-out", "corpus", "--epochs", 1)

    ran = evaluate(*args, "--json")

    assert ran.code == 0, ran.err
    evaluation = json.loads(ran.out)
    assert evaluation["info"]["protocol"] == "corpus"
    assert [of["corpus"] for of in evaluation["by_corpus"]] == ["english", "polish"]
    assert [fold["recordings"] for fold in evaluation["folds"]] == [16, 16]
    # Fitted on what was left out, although the recipe holds out recordings for validation.
    assert evaluation["info"]["options"]["temperature"] > 0
    output = " ".join(evaluate(*args, "--test-only", "polish").out.split())
    assert "there is no corpus of another language to train on" in output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--leave-out", "corpus", "--folds", "3"), "--folds has no effect with --protocol corpus"),
        (("--test-only", "polish"), "--test-only has no effect with --protocol speaker"),
        (
            ("--protocol", "random", "--test-on", "polish"),
            "--test-on has no effect with --protocol",
        ),
        (("--leave-out", "corpus", "--test-on", "polish"), "--test-on has no effect with"),
        (("--test-on", "urdu"), "--test-on urdu: no fold has recordings"),
        (("--leave-out", "corpus", "--test-only", "urdu"), "--test-only urdu: there are no such"),
        (("--leave-out", "corpus", "--only", "english"), "leaves nothing to train on"),
    ],
)
def test_left_out_corpora_that_cannot_be_tested_are_refused_before_any_work(
    evaluate: RunCommand, two_corpora: Path, options: tuple[str, ...], message: str
) -> None:
    ran = evaluate("mfcc40", two_corpora, *options)

    assert ran.code == 2
    assert message in ran.err
