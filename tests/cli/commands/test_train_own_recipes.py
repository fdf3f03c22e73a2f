"""What a scan uses is a recipe like the others, but watches nobody; folds calibrate it."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from made_corpus import make_ravdess
from made_nets import TINY

from batchemo.training.nets.registry import NETS

pytest.importorskip("tensorflow")

from batchemo.training.nets.conformer import build_conformer

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

RowRange = Callable[..., Any]


@pytest.fixture(scope="module")
def ravdess(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_ravdess(tmp_path_factory.mktemp("corpus") / "ravdess")


def test_the_default_is_trained_watches_nobody_and_scans(
    batchemo: RowRange, ravdess: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(NETS, "conformer", partial(build_conformer, size=TINY))
    out = tmp_path / "mine"
    words = ("--recipe", "default", "--epochs", 2, "--augmentations", "none", "-j", 1)

    ran = batchemo("train", ravdess, *words, "-o", out, "--work", tmp_path / "work")

    assert ran.code == 0, ran.err
    assert "epoch 2/2: loss" in ran.err
    assert "watched" not in ran.err + ran.out
    assert "2 epochs → " in ran.out
    log = list(csv.DictReader((out / "training.csv").open()))
    assert [row["number"] for row in log] == ["0", "1"]
    assert {row["validation_loss"] for row in log} == {""}
    info = json.loads((out / "bundle.json").read_text())
    training = info["training"]
    assert info["input"]["features"]["name"] == "combined"
    assert (training["nets"], training["beside"]) == (1, "functionals")
    assert training["watched"] == {}
    assert training["corpora"] == {"ravdess": {"recordings": 32, "speakers": 4}}

    scanned = batchemo("scan", ravdess, "-m", out, "-o", tmp_path / "r.csv", "-j", 1)
    assert scanned.code == 0, scanned.err
    rows = list(csv.DictReader((tmp_path / "r.csv").open(encoding="utf-8")))
    assert {row["status"] for row in rows} == {"ok"}


def test_a_net_and_the_control_beside_it_are_judged_as_one_also_when_heard_otherwise(
    batchemo: RowRange, ravdess: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(NETS, "conformer", partial(build_conformer, size=TINY))
    few = ("--folds", 2, "--epochs", 1, "--augmentations", "none", "--conditions", "level")
    where = ("--work", tmp_path / "work", "-o", tmp_path / "figures", "-j", 1, "-q")

    ran = batchemo("evaluate", "default", ravdess, *few, *where)

    assert ran.code == 0, ran.err
    told = json.loads((tmp_path / "figures" / "evaluation.json").read_text())
    assert told["info"]["options"]["features"]["name"] == "combined"
    kept = {path.name.partition("-")[0] for path in (tmp_path / "work").iterdir()}
    assert kept == {"features", "conformer", "regression"}


def test_the_features_of_two_systems_are_taken_as_they_are(
    batchemo: RowRange, ravdess: Path, tmp_path: Path
) -> None:
    words = ("train", ravdess, "--recipe", "default", "-o", tmp_path / "mine")

    ran = batchemo(*words, "--param", "n_mels=32")

    assert ran.code == 2
    assert "default takes its features as they are" in ran.err


def test_what_the_folds_of_an_evaluation_tell_calibrates_the_model(
    batchemo: RowRange, ravdess: Path, tmp_path: Path
) -> None:
    blind = ("--validation-share", 0, "--select-epoch", "last", "--epochs", 1)
    work = ("--work", tmp_path / "work", "-j", 1, "-q")
    figures = tmp_path / "figures"

    ran = batchemo("evaluate", "mfcc40", ravdess, "--folds", 2, *blind, *work, "-o", figures)

    assert ran.code == 0, ran.err
    told = json.loads((figures / "evaluation.json").read_text())["info"]
    assert "No epoch was chosen" in told["protocol_told"]
    assert told["options"]["temperature"] > 0

    words = ("--recipe", "mfcc40", "--figures", figures / "evaluation.json")
    ran = batchemo("train", ravdess, *words, *blind, *work, "-o", tmp_path / "mine")

    assert ran.code == 0, ran.err
    info = json.loads((tmp_path / "mine" / "bundle.json").read_text())
    assert info["calibration"]["temperature"] == told["options"]["temperature"]


def test_the_control_is_no_net_and_scans_all_the_same(
    batchemo: RowRange, ravdess: Path, tmp_path: Path
) -> None:
    out = tmp_path / "control"
    where = ("-o", out, "--work", tmp_path / "work")
    words = ("train", ravdess, "--recipe", "functionals", "--augmentations", "none", *where)

    refused = batchemo(*words, "--epochs", 3, "--mixup", 0.5)
    ran = batchemo(*words, "-j", 1)

    assert refused.code == 2
    assert "--epochs, --mixup: not for functionals, which is no net" in refused.err
    assert ran.code == 0, ran.err
    assert f"learnt → {out}" in ran.out
    files = {path.name for path in out.iterdir()}
    assert files == {"README.md", "bundle.json", "training_set.csv", "model.keras", "model.onnx"}

    scanned = batchemo("scan", ravdess, "-m", out, "-o", tmp_path / "r.csv", "-j", 1)
    assert scanned.code == 0, scanned.err
