"""`batchemo train`: one command from recordings to a model that scans, interrupted or not."""

from __future__ import annotations

import csv
import json
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from command_line import COMMAND, RunCommand
from made_predictions import make_info, random_predictions
from voices import write_voice

from batchemo.corpora import EMOTIONS
from batchemo.errors import BatchemoError
from batchemo.evaluation import evaluate as evaluate_predictions
from batchemo.evaluation import write_evaluation
from batchemo.training.experiment.cross_validation import Experiment
from batchemo.training.export.package import PackageOptions
from batchemo.training.recipes import RECIPES

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

LABELS = ("sad", "happy", "angry")
RAVDESS_COUNTS = {"recordings": 32, "speakers": 4, "languages": ["en"]}

OPTIONS = """
--param n_mfcc=13 --window 2 --labels low,high --epochs 2 --batch-size 8 --seed 3
--learning-rate 0.002 --weight-decay 0.01 --clip-norm 2.0 --ema-decay 0.5 --loss focal
--focal-gamma 1.5 --label-smoothing 0.2 --class-weights --oversample --augmentations noise
--mixup 0.6 --dropout 0.1 --l2 0.001 --patience 5 --plateau-patience 2 --plateau-factor 0.3
--select-epoch last --validation-share 0.4
"""
"""Options that can be combined for a feature set of vectors; none has the recipe's value."""


def bundle_info(folder: Path) -> dict[str, Any]:
    info: dict[str, Any] = json.loads((folder / "bundle.json").read_text())
    return info


def read_csv(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.open(encoding="utf-8")))


def test_trained_model_scans(
    batchemo: RunCommand, trained: Path, ravdess: Path, tmp_path: Path
) -> None:
    assert batchemo("scan", ravdess, "-m", trained, "-o", tmp_path / "r.csv", "-j", 1).code == 0

    rows = read_csv(tmp_path / "r.csv")
    assert len(rows) == 32
    assert {row["status"] for row in rows} == {"ok"}
    assert {row["emotion"] for row in rows} <= set(EMOTIONS)


def test_bundle_records_how_it_was_trained_without_paths_of_this_machine(trained: Path) -> None:
    info = bundle_info(trained)
    expected = "batchemo train ravdess --recipe mfcc40 -o mfcc40 --epochs 3 --seed 1"
    assert info["training"]["command"] == expected
    assert info["outputs"]["classes"]["labels"] == list(EMOTIONS)
    assert info["licences"]["weights"] == "CC BY-NC-SA 4.0"

    assert [row["number"] for row in read_csv(trained / "training.csv")] == ["0", "1", "2"]
    assert (trained / "curves.png").read_bytes().startswith(b"\x89PNG")
    names = ("bundle.json", "README.md", "training_set.csv")
    texts = [(trained / name).read_text() for name in names]
    assert not any(str(trained.parents[1]) in text for text in texts)


def test_without_its_encoder_a_recipe_says_how_to_get_it(
    train: RunCommand, evaluate: RunCommand, ravdess: Path, tmp_path: Path
) -> None:
    nowhere = ("--encoder", tmp_path / "nowhere.onnx")
    for ran, message in (
        (train(ravdess, "-o", tmp_path / "mine", recipe="accurate"), "accurate needs --encoder"),
        (evaluate("accurate", ravdess), "accurate needs --encoder"),
        (evaluate("accurate", ravdess, *nowhere), "nowhere.onnx: cannot be read"),
    ):
        assert ran.code == 2
        assert message in ran.err
        assert "pip download --no-deps pipecat-ai" in ran.err


def test_the_command_on_the_card_names_the_file_of_the_encoder(
    train: RunCommand, ravdess: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(experiment: Experiment, options: PackageOptions, **_: object) -> None:
        raise BatchemoError(f"{experiment.encoder} in {options.command}")

    monkeypatch.setattr("batchemo.training.train.train_bundle", stop)
    file = tmp_path / "turn.onnx"

    ran = train(ravdess, "-o", tmp_path / "mine", "--encoder", file, recipe="accurate")

    command = "batchemo train ravdess --recipe accurate -o mine --encoder turn.onnx"
    assert f"{file} in {command}" in ran.err


def test_every_option_is_used_and_recorded(train: RunCommand, tmp_path: Path) -> None:
    rows = ["file,label,speaker"]
    for seed in range(12):
        write_voice(tmp_path / f"{seed}.wav", seed=seed)
        rows.append(f"{seed}.wav,{('low', 'high')[seed % 2]},{'abc'[seed // 4]}")
    (tmp_path / "calls.csv").write_text("\n".join(rows))
    options = shlex.split(OPTIONS)

    ran = train(tmp_path / "calls.csv", "-o", tmp_path / "calls", *options, "--licence", "mine")

    assert ran.code == 0, ran.err
    info = bundle_info(tmp_path / "calls")
    assert info["outputs"]["classes"]["labels"] == ["low", "high"]
    assert info["licences"]["weights"] == "mine"
    assert info["input"]["window"] == 2.0
    assert info["input"]["features"]["params"]["n_mfcc"] == 13
    assert info["training"]["options"] == {
        "epochs": 2,
        "batch_size": 8,
        "learning_rate": 0.002,
        "lr_schedule": "plateau",
        "weight_decay": 0.01,
        "clip_norm": 2.0,
        "ema_decay": 0.5,
        "loss": "focal",
        "focal_gamma": 1.5,
        "label_smoothing": 0.2,
        "class_weights": True,
        "oversample": True,
        "other_corpora_share": 0.0,
        "augmentations": ["noise"],
        "mixup": 0.6,
        "speaker_shift": 0.0,
        "dropout": 0.1,
        "l2": 0.001,
        "patience": 5,
        "plateau_patience": 2,
        "plateau_factor": 0.3,
        "select_epoch": "last",
        "validation_share": 0.4,
        "seed": 3,
    }
    command = info["training"]["command"].split()
    assert command[:7] == ["batchemo", "train", "calls.csv", "--recipe", "mfcc40", "-o", "calls"]
    assert sorted(command[7:]) == sorted(options)
    loss = float(info["training"]["selected_epoch"]["loss"])
    assert f"epoch 2/2: loss {loss:.3f}" in ran.err
    assert "2 epochs, epoch 2 selected: validation accuracy" in ran.out


def test_recordings_that_are_left_out_are_named(
    train: RunCommand, ravdess: Path, tmp_path: Path
) -> None:
    corpus = tmp_path / "ravdess"
    shutil.copytree(ravdess, corpus)
    recording = corpus / "Actor_01" / "03-01-01-01-01-01-01.wav"
    shutil.copy(recording, recording.with_name("03-01-01-01-01-02-01.wav"))
    recording.with_name("03-01-02-01-01-02-01.wav").write_text("not a recording\n")
    shutil.copy(recording, recording.with_name("jingle.wav"))
    write_voice(recording.with_name("03-01-03-01-01-02-01.wav"), seconds=0.05)

    ran = train(corpus, "-o", tmp_path / "mine", "--epochs", 1)

    assert ran.code == 3, ran.err
    assert "1 recording under two names, used once" in ran.err
    assert "03-01-01-01-01-02-01.wav is Actor_01/03-01-01-01-01-01-01.wav" in ran.err
    assert "Actor_01/03-01-02-01-01-02-01.wav (not_audio" in ran.err
    assert "Actor_01/03-01-03-01-01-02-01.wav (too_short" in ran.err
    assert "no emotion is in the file name: Actor_01/jingle.wav" in ran.err
    counts = bundle_info(tmp_path / "mine")["training"]["corpora"]
    assert counts == {"ravdess": RAVDESS_COUNTS}


@pytest.mark.process
def test_killed_training_resumes(ravdess: Path, tmp_path: Path) -> None:
    args = ["train", ravdess, "--recipe", "mfcc40", "-o", "mine", "--epochs", "60", "-j", "1"]

    with _process(args, tmp_path) as process:
        for line in _error_lines(process):
            if "epoch 3/" in line:
                process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "mine").exists()
    assert (tmp_path / "mine.work").is_dir()

    with _process(args, tmp_path) as process:
        lines = list(_error_lines(process))
    assert process.wait() == 0, lines
    (message,) = [line for line in lines if "resumed from epoch" in line]
    done = int(message.split("resumed from epoch ")[1].split(",")[0])
    assert done >= 1
    epochs = [int(line.split("epoch ")[1].split("/")[0]) for line in lines if "/60: loss" in line]
    assert epochs == list(range(done + 1, 61))
    log = read_csv(tmp_path / "mine" / "training.csv")
    assert [int(row["number"]) for row in log] == list(range(60))


def _process(args: list[Any], folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *map(str, args)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
    )


def _error_lines(process: subprocess.Popen[str]) -> Iterator[str]:
    assert process.stderr is not None
    yield from process.stderr


def test_existing_model_is_replaced_only_with_overwrite(
    train: RunCommand, ravdess: Path, tmp_path: Path, trained: Path
) -> None:
    out = tmp_path / "mine"
    shutil.copytree(trained, out)
    for name, info in (("leaky", make_info("leaky")), ("other", make_info(subject="ours"))):
        evaluation = evaluate_predictions(random_predictions(), LABELS, info=info)
        write_evaluation(tmp_path / name, evaluation)
    args = (ravdess, "-o", out, "--epochs", 3, "--seed", 1)
    args += ("--figures", tmp_path / "leaky" / "evaluation.json", "--compare", tmp_path / "other")

    refused = train(*args)
    assert refused.code == 2
    assert "--overwrite" in refused.err
    assert "leaky" not in (out / "README.md").read_text()

    assert train(*args, "--overwrite").code == 0
    card = (out / "README.md").read_text()
    assert "| `leaky`: LEAKY" in card
    assert "`ours`, `speaker`" in card
    assert (out / "training.csv").read_bytes() == (trained / "training.csv").read_bytes()

    (tmp_path / "precious").mkdir()
    refused = train(ravdess, "-o", tmp_path / "precious", "--overwrite")
    assert refused.code == 2
    assert "exists and is not a model" in refused.err


@pytest.fixture
def small_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the recipe `default` train in seconds: two nets."""
    monkeypatch.setitem(RECIPES, "default", replace(RECIPES["default"], nets=2))


@pytest.fixture(scope="module")
def default_work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Features and checkpoints of the small `default`, and of nothing else."""
    return tmp_path_factory.mktemp("default")


@pytest.mark.usefixtures("small_default")
def test_default_recipe_trains_on_all_speakers_and_scans(
    batchemo: RunCommand, ravdess: Path, default_work: Path, tmp_path: Path
) -> None:
    out = tmp_path / "mine"
    options = ("--recipe", "default", "--epochs", 2, "--augmentations", "none", "-j", 1)

    ran = batchemo("train", ravdess, *options, "-o", out, "--work", default_work)

    assert ran.code == 0, ran.err
    assert "epoch 2/2: loss" in ran.err
    assert "validation" not in ran.err + ran.out
    assert "2 epochs → " in ran.out
    log = read_csv(out / "training.csv")
    assert [(row["net"], row["number"]) for row in log] == [
        (net, epoch) for net in "01" for epoch in "01"
    ]
    assert {row["validation_loss"] for row in log} == {""}
    info = bundle_info(out)
    assert info["input"]["features"]["name"] == "logmel80"
    training = info["training"]
    assert (training["net"], training["nets"]) == ("dense", 2)
    assert training["validation"] == {}
    assert training["corpora"] == {"ravdess": RAVDESS_COUNTS}

    scanned = batchemo("scan", ravdess, "-m", out, "-o", tmp_path / "r.csv", "-j", 1)
    assert scanned.code == 0, scanned.err
    assert {row["status"] for row in read_csv(tmp_path / "r.csv")} == {"ok"}


@pytest.mark.usefixtures("small_default")
def test_several_nets_are_evaluated_as_one_model_also_under_conditions(
    batchemo: RunCommand, ravdess: Path, default_work: Path, tmp_path: Path
) -> None:
    options = ("--protocol", "random", "--epochs", 1, "--augmentations", "none")
    folders = ("--work", default_work, "-o", tmp_path / "figures")

    ran = batchemo(
        *("evaluate", "default", ravdess, *options, *folders, "--conditions", "level"),
        *("-j", 1, "-q"),
    )

    assert ran.code == 0, ran.err
    evaluation = json.loads((tmp_path / "figures" / "evaluation.json").read_text())
    assert evaluation["info"]["options"]["features"]["name"] == "logmel80"
    assert [condition["name"] for condition in evaluation["conditions"]] == ["level"]
    kept = {path.name.partition("-")[0] for path in default_work.iterdir()}
    assert kept == {"features", "light", "dense"}


def test_model_without_validation_is_calibrated_by_the_folds_of_its_evaluation(
    evaluate: RunCommand, train: RunCommand, ravdess: Path, tmp_path: Path
) -> None:
    options = ("--validation-share", 0, "--select-epoch", "last", "--epochs", 1, "-q")
    figures = tmp_path / "figures"

    ran = evaluate("mfcc40", ravdess, "--folds", 2, *options, "-o", figures)

    assert ran.code == 0, ran.err
    info = json.loads((figures / "evaluation.json").read_text())["info"]
    assert "No epoch was selected" in info["protocol_description"]
    assert info["options"]["temperature"] > 0

    args = ("--figures", figures / "evaluation.json", "-o", tmp_path / "mine")
    ran = train(ravdess, *options, *args)

    assert ran.code == 0, ran.err
    temperature = bundle_info(tmp_path / "mine")["calibration"]["temperature"]
    assert temperature == info["options"]["temperature"]


def test_logistic_regression_trains_and_scans(
    batchemo: RunCommand, train: RunCommand, ravdess: Path, tmp_path: Path
) -> None:
    out = tmp_path / "baseline"

    ran = train(ravdess, "--augmentations", "none", "-o", out, recipe="functionals")

    assert ran.code == 0, ran.err
    assert f"trained → {out}" in ran.out
    files = {path.name for path in out.iterdir()}
    assert files == {"README.md", "bundle.json", "training_set.csv", "model.keras", "model.onnx"}

    scanned = batchemo("scan", ravdess, "-m", out, "-o", tmp_path / "r.csv", "-j", 1)
    assert scanned.code == 0, scanned.err
