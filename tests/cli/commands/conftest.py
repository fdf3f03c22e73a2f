"""One synthetic corpus, one folder of features and one trained model for `train` and `evaluate`."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import RunCommand
from made_corpus import make_actor, make_ravdess


@pytest.fixture(scope="session")
def ravdess(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """32 recordings of four actors, named as in RAVDESS."""
    return make_ravdess(tmp_path_factory.mktemp("corpus") / "ravdess")


@pytest.fixture(scope="session")
def new_actors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """16 recordings of two other actors, on whom `trained` was not trained."""
    folder = tmp_path_factory.mktemp("corpus") / "new"
    make_actor(folder, 5)
    make_actor(folder, 6)
    return folder


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Features, checkpoints and results, shared so that nothing is computed twice."""
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="session")
def trained(ravdess: Path, work: Path) -> Path:
    """The bundle of a short training of mfcc40 on `ravdess`, in a folder of that name."""
    from batchemo.cli.main import run

    out = work / "models" / "mfcc40"
    args = ["train", ravdess, "--recipe", "mfcc40", "-o", out, "--epochs", 3, "--seed", 1]
    assert run([*map(str, args), "--work", str(work), "-j", "1", "-q"]) == 0
    return out


@pytest.fixture
def train(batchemo: RunCommand, work: Path) -> RunCommand:
    """Run `batchemo train` with the shared work folder and one process."""

    def call(*args: object, recipe: str = "mfcc40") -> object:
        return batchemo("train", *args, "--recipe", recipe, "--work", work, "-j", 1)

    return call


@pytest.fixture
def evaluate(batchemo: RunCommand, work: Path) -> RunCommand:
    """Run `batchemo evaluate` with the shared work folder and one process."""

    def call(*args: object) -> object:
        return batchemo("evaluate", *args, "--work", work, "-j", 1)

    return call
