"""`batchemo train`: one command from recordings to a model that scans, stopped or not."""

from __future__ import annotations

import csv
import json
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from made_corpus import make_ravdess
from made_predictions import make_info, random_predictions
from terminal import in_a_terminal
from voices import write_voice

from batchemo.cli.main import run
from batchemo.cli.training_options import learning_words, system_from
from batchemo.corpora import EMOTIONS
from batchemo.evaluation import evaluate, write_evaluation
from batchemo.training.hyperparameters import Hyperparameters
from batchemo.training.recipes import RECIPES, Recipe

pytest.importorskip("tensorflow")

RowRange = Callable[..., Any]

CHOICES = """
--param n_mfcc=13 --window 2 --labels low,high --epochs 2 --batch-size 8 --seed 3
--learning-rate 0.002 --weight-decay 0.01 --clip-norm 2.0 --ema-decay 0.5
--loss focal --focal-gamma 1.5 --label-smoothing 0.2 --class-weights --oversample --augmentations noise
--mixup 0.6 --dropout 0.1 --l2 0.001 --patience 5 --plateau-patience 2 --plateau-factor 0.3 --select-epoch last --validation-share 0.4
"""
"""Choices that go together for vectors, and none as the recipe has it."""


@pytest.fixture(scope="module")
def ravdess(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_ravdess(tmp_path_factory.mktemp("corpus") / "ravdess")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Features and checkpoints that tests share, so that little is done twice."""
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def trained(ravdess: Path, work: Path) -> Path:
    out = work / "models" / "mine"
    words = ["train", ravdess, "--recipe", "mfcc40", "-o", out, "--epochs", 3, "--seed", 1]
    assert run([*map(str, words), "--work", str(work), "-j", "1", "-q"]) == 0
    return out


@pytest.fixture
def train(batchemo: RowRange, work: Path) -> RowRange:
    """Runs the command with the shared work folder and one process."""

    def call(*args: object, recipe: str = "mfcc40") -> Any:
        return batchemo("train", *args, "--recipe", recipe, "--work", work, "-j", 1)

    return call


def test_what_was_trained_scans(
    batchemo: RowRange, trained: Path, ravdess: Path, tmp_path: Path
) -> None:
    assert batchemo("scan", ravdess, "-m", trained, "-o", tmp_path / "r.csv", "-j", 1).code == 0

    rows = list(csv.DictReader((tmp_path / "r.csv").open(encoding="utf-8")))
    assert len(rows) == 32
    assert {row["status"] for row in rows} == {"ok"}
    assert {row["emotion"] for row in rows} <= set(EMOTIONS)


def test_a_bundle_tells_how_it_was_made_and_of_no_place_on_this_machine(trained: Path) -> None:
    info = json.loads((trained / "bundle.json").read_text())
    wanted = "batchemo train ravdess --recipe mfcc40 -o mine --epochs 3 --seed 1"
    assert info["training"]["command"] == wanted
    assert info["outputs"]["classes"]["labels"] == list(EMOTIONS)
    assert info["licences"]["weights"] == "CC BY-NC-SA 4.0"

    log = list(csv.DictReader((trained / "training.csv").open()))
    assert [row["number"] for row in log] == ["0", "1", "2"]
    assert (trained / "curves.png").read_bytes().startswith(b"\x89PNG")
    texts = [
        (trained / name).read_text() for name in ("bundle.json", "README.md", "training_set.csv")
    ]
    assert not any(str(trained.parents[1]) in text for text in texts)


def test_what_is_chosen_is_learnt_by_and_written_down(train: RowRange, tmp_path: Path) -> None:
    rows = ["file,label,speaker"]
    for seed in range(12):
        write_voice(tmp_path / f"{seed}.wav", seed=seed)
        rows.append(f"{seed}.wav,{('low', 'high')[seed % 2]},{'abc'[seed // 4]}")
    (tmp_path / "calls.csv").write_text("\n".join(rows))
    hyperparameters = shlex.split(CHOICES)

    ran = train(
        tmp_path / "calls.csv", "-o", tmp_path / "calls", *hyperparameters, "--licence", "mine"
    )

    assert ran.code == 0, ran.err
    info = json.loads((tmp_path / "calls" / "bundle.json").read_text())
    assert info["outputs"]["classes"]["labels"] == ["low", "high"]
    assert info["licences"]["weights"] == "mine"
    assert info["input"]["window"] == 2.0
    assert info["input"]["features"]["params"]["n_mfcc"] == 13
    assert info["training"]["options"] == {
        "epochs": 2,
        "batch_size": 8,
        "rate": 0.002,
        "pace": "plateau",
        "decay": 0.01,
        "clip_norm": 2.0,
        "average": 0.5,
        "loss": "focal",
        "focal_gamma": 1.5,
        "smoothing": 0.2,
        "class_weights": True,
        "oversample": True,
        "abroad": 0.0,
        "copies": ["noise"],
        "augment": False,
        "mixup": 0.6,
        "dropout": 0.1,
        "l2": 0.001,
        "patience": 5,
        "plateau_patience": 2,
        "plateau_factor": 0.3,
        "choose": "last",
        "validation": 0.4,
        "seed": 3,
    }
    told = info["training"]["command"].split()
    assert told[:7] == ["batchemo", "train", "calls.csv", "--recipe", "mfcc40", "-o", "calls"]
    assert sorted(told[7:]) == sorted(hyperparameters)
    assert f"epoch 2/2: loss {float(info['training']['chosen']['loss']):.3f}" in ran.err


@pytest.mark.parametrize(
    ("name", "params", "window", "shape"),
    [
        ("stats162", (), None, (162,)),
        ("stats162", ("n_mfcc=40",), None, (182,)),
        ("frames62", (), None, (130, 62)),
        ("frames62", ("offset=0", "frames=173"), 4.0, (173, 62)),
    ],
)
def test_parameters_and_windows_are_those_of_a_systems_features(
    name: str, params: tuple[str, ...], window: float | None, shape: tuple[int, ...]
) -> None:
    system = system_from(name, {"params": params, "window": window})
    assert system.features.shape() == shape
    assert system.windows.seconds == (window or system.features.window)


@pytest.mark.parametrize("system", RECIPES.values(), ids=list(RECIPES))
def test_the_choices_of_every_recipe_are_documented(system: Recipe) -> None:
    page = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
    words = " ".join(learning_words(system.hyperparameters, Hyperparameters()))
    told = ", ".join(f"`--{option.strip()}`" for option in words.split("--")[1:])
    if system.name == "accurate":
        assert system.hyperparameters == RECIPES["default"].hyperparameters
        told = "the same"
    assert f"| `{system.name}` | {system.told.rstrip('.')} | {told} |" in page


def test_recordings_that_do_not_count_are_named(
    train: RowRange, ravdess: Path, tmp_path: Path
) -> None:
    corpus = tmp_path / "ravdess"
    shutil.copytree(ravdess, corpus)
    good = corpus / "Actor_01" / "03-01-01-01-01-01-01.wav"
    shutil.copy(good, good.with_name("03-01-01-01-01-02-01.wav"))
    good.with_name("03-01-02-01-01-02-01.wav").write_text("not a recording\n")
    shutil.copy(good, good.with_name("jingle.wav"))
    write_voice(good.with_name("03-01-03-01-01-02-01.wav"), seconds=0.05)

    ran = train(corpus, "-o", tmp_path / "mine", "--epochs", 1)

    assert ran.code == 3, ran.err
    assert "1 recording under two names, counted once" in ran.err
    assert "03-01-01-01-01-02-01.wav is Actor_01/03-01-01-01-01-01-01.wav" in ran.err
    assert "Actor_01/03-01-02-01-01-02-01.wav (not_audio" in ran.err
    assert "Actor_01/03-01-03-01-01-02-01.wav (too_short" in ran.err
    assert "their names tell no emotion: Actor_01/jingle.wav" in ran.err
    info = json.loads((tmp_path / "mine" / "bundle.json").read_text())
    assert info["training"]["corpora"] == {"ravdess": {"recordings": 32, "speakers": 4}}


def test_a_killed_training_goes_on_where_it_was(ravdess: Path, tmp_path: Path) -> None:
    words = ["train", ravdess, "--recipe", "mfcc40", "-o", "mine", "--epochs", "60", "-j", "1"]

    with _process(words, tmp_path) as process:
        for line in _lines(process):
            if "epoch 3/" in line:
                process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "mine").exists()
    assert (tmp_path / "mine.work").is_dir()

    with _process(words, tmp_path) as process:
        lines = list(_lines(process))
    assert process.wait() == 0, lines
    (said,) = [line for line in lines if "goes on from epoch" in line]
    done = int(said.split("goes on from epoch ")[1].split(",")[0])
    assert done >= 1
    epochs = [int(line.split("epoch ")[1].split("/")[0]) for line in lines if "/60: loss" in line]
    assert epochs == list(range(done + 1, 61))
    log = list(csv.DictReader((tmp_path / "mine" / "training.csv").open()))
    assert [int(row["number"]) for row in log] == list(range(60))


def _process(words: list[Any], folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", "from batchemo.cli import main; main()", *map(str, words)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
    )


def _lines(process: subprocess.Popen[str]) -> Iterator[str]:
    assert process.stderr is not None
    yield from process.stderr


def test_a_model_is_replaced_only_when_asked_and_nothing_else_ever(
    train: RowRange, ravdess: Path, tmp_path: Path, trained: Path
) -> None:
    out = tmp_path / "mine"
    shutil.copytree(trained, out)
    evaluation = evaluate(random_predictions(), ("sad", "happy", "angry"), info=make_info("leaky"))
    write_evaluation(tmp_path / "leaky", evaluation)
    words = (ravdess, "-o", out, "--epochs", 3, "--seed", 1)
    words += ("--figures", tmp_path / "leaky" / "evaluation.json")
    other = evaluate(
        random_predictions(), ("sad", "happy", "angry"), info=make_info(subject="ours")
    )
    write_evaluation(tmp_path / "other", other)
    words += ("--beside", tmp_path / "other")

    refused = train(*words)
    assert refused.code == 2
    assert "--overwrite" in refused.err
    assert "leaky" not in (out / "README.md").read_text()

    assert train(*words, "--overwrite").code == 0
    assert "| `leaky`: LEAKY" in (out / "README.md").read_text()
    assert "| for comparison, `ours`, `speaker`: " in (out / "README.md").read_text()
    assert (out / "training.csv").read_bytes() == (trained / "training.csv").read_bytes()

    (tmp_path / "precious").mkdir()
    refused = train(ravdess, "-o", tmp_path / "precious", "--overwrite")
    assert refused.code == 2
    assert "is no model" in refused.err


def test_a_terminal_shows_a_bar_and_no_line_an_epoch(
    ravdess: Path, work: Path, tmp_path: Path
) -> None:
    words = ("train", ravdess, "--recipe", "mfcc40", "-o", tmp_path / "mine", "--epochs", 2)
    shown = in_a_terminal([*words, "--work", work, "-j", 1])
    assert "batchemo: epoch" not in shown
    assert "epoch 2/2: loss" in shown
    assert "2 epochs, the chosen one is" in shown


def test_labels_that_nobody_knows_are_listed_before_any_work(
    train: RowRange, tmp_path: Path
) -> None:
    for seed in range(3):
        write_voice(tmp_path / f"{seed}.wav", seed=seed)
    (tmp_path / "m.csv").write_text("file,label\n0.wav,smug\n1.wav,happy\n2.wav,bossy\n")
    ran = train(tmp_path / "m.csv", "-o", tmp_path / "mine")
    assert ran.code == 2
    assert "'smug': 1" in ran.err
    assert "'bossy': 1" in ran.err
    assert "--label old=new" in ran.err
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--param", "colour=red"), "it has: descriptors"),
        (("--param", "n_mfcc"), "NAME=VALUE"),
        (("--window", "0"), "1<=x<=10"),
        (("--learning-rate", "0"), "x>0"),
        (("--augmentations", "echo"), "there are: noise, pitch"),
        (
            ("--augment-spectrograms",),
            "--augment-spectrograms is for recipes whose pictures tell padding: default, accurate",
        ),
        (("--validation-share", "0"), "choose the last epoch (--select-epoch last)"),
        (
            ("--validation-share", "0", "--select-epoch", "last", "--patience", "3"),
            "without --patience",
        ),
        (("--mixup", "1.5"), "0<=x<=1"),
        (("--ema-decay", "1"), "0<=x<1"),
        (("--lr-schedule", "steady"), "'plateau', 'cycle'"),
        (("--lr-schedule", "one-cycle", "--plateau-patience", "3"), "is for --lr-schedule plateau"),
        (("--other-corpora-share", "0.3", "--oversample"), "is for --other-corpora-share 0"),
        (("--focal-gamma", "1"), "--loss focal"),
        (("--plateau-factor", "0.5"), "--plateau-patience"),
        (("--label", "joy"), "OLD=NEW"),
        (("--label", "=happy"), "OLD=NEW"),
        (("--only", "emovo"), "no recordings of emovo"),
        (("--figures", "nowhere.json"), "cannot be read"),
        (tuple(f"--label={name}=" for name in EMOTIONS[1:]), "at least two classes"),
    ],
)
def test_what_makes_no_sense_is_refused_before_any_work(
    train: RowRange, ravdess: Path, tmp_path: Path, options: tuple[str, ...], told: str
) -> None:
    ran = train(ravdess, "-o", tmp_path / "mine", *options)
    assert ran.code == 2
    assert told in ran.err
    assert list(tmp_path.iterdir()) == []


def test_a_recipe_that_is_none_lists_those_that_are(train: RowRange, ravdess: Path) -> None:
    ran = train(ravdess, "-o", "mine", recipe="mfcc41")
    assert ran.code == 2
    assert ", ".join(RECIPES) in ran.err


def test_figures_of_another_recipe_stay_off_the_card(
    train: RowRange, ravdess: Path, tmp_path: Path
) -> None:
    evaluation = evaluate(
        random_predictions(), ("sad", "happy", "angry"), info=make_info(subject="cnn1d")
    )
    write_evaluation(tmp_path / "figures", evaluation)
    ran = train(ravdess, "-o", tmp_path / "mine", "--figures", tmp_path / "figures")
    assert ran.code == 2
    assert "about cnn1d, not mfcc40" in ran.err


def test_what_is_not_installed_is_told_before_any_work(
    train: RowRange, ravdess: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("batchemo.cli.training_options._TO_TEACH", ("json", "no_such_module"))
    ran = train(ravdess, "-o", tmp_path / "mine")
    assert ran.code == 1
    assert "needs no_such_module, not installed" in ran.err
    assert "pip install 'batchemo[train]'" in ran.err
    assert list(tmp_path.iterdir()) == []
