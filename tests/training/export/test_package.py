"""What a bundle tells of a training: its log, and the temperature that suits its net."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from made_items import LABELS, made_example, made_items
from made_predictions import make_info, random_predictions

from batchemo.bundles import load_bundle
from batchemo.evaluation import Evaluation, evaluate
from batchemo.training.data.protocols import Split, final_trial
from batchemo.training.experiment.calibration import AS_IT_IS, TEMPERATURE
from batchemo.training.fit.history import Epoch
from batchemo.training.fit.trainer import FitResult
from batchemo.training.hyperparameters import Hyperparameters
from batchemo.training.recipes import get_recipe

pytest.importorskip("tensorflow")

from batchemo.training.experiment.context import RunContext, TrainedModel
from batchemo.training.experiment.runs import train
from batchemo.training.export.package import PackageOptions, log_bytes, write_package

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

ITEMS = made_items(
    [
        made_example(who, label, n, corpus="ravdess")
        for who in "abcd"
        for label in LABELS
        for n in (0, 1)
    ],
    shape=(40,),
)
UNWATCHED = Hyperparameters(epochs=1, select_epoch="last", validation_share=0.0)


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunContext, Split, TrainedModel]:
    """A net that learnt from all, and nothing was watched."""
    work = tmp_path_factory.mktemp("work")
    context = RunContext(get_recipe("mfcc40"), UNWATCHED, ITEMS, LABELS, work)
    split = final_trial(ITEMS, UNWATCHED)
    return context, split, train(context, split)


def told(temperature: float | None, protocol: str = "speaker", kind: str = "recipe") -> Evaluation:
    """An evaluation that found this temperature."""
    of = replace(make_info(protocol), kind=kind, options={TEMPERATURE: temperature})
    return evaluate(random_predictions(seeds=1, takes=1, labels=LABELS), LABELS, info=of)


def shipped_temperature(
    taught: tuple[RunContext, Split, TrainedModel], out: Path, evaluations: Sequence[Evaluation]
) -> float:
    context, split, trained = taught
    write_package(
        context, split, trained, PackageOptions(out=out, command="made", evaluations=evaluations)
    )
    return load_bundle(out).temperature


@pytest.mark.parametrize(
    ("evaluations", "wanted"),
    [
        ((told(3.0, "random"), told(3.0, kind="bundle"), told(1.7)), 1.7),
        ((told(3.0, "leaky"), told(None)), AS_IT_IS),
    ],
    ids=["by speaker", "none by speaker"],
)
def test_where_nothing_was_watched_the_temperature_is_that_of_an_evaluation_by_speaker(
    taught: tuple[RunContext, Split, TrainedModel],
    tmp_path: Path,
    evaluations: Sequence[Evaluation],
    wanted: float,
) -> None:
    assert shipped_temperature(taught, tmp_path / "made", evaluations) == wanted


def test_what_was_watched_itself_tells_better(
    taught: tuple[RunContext, Split, TrainedModel], tmp_path: Path
) -> None:
    context, split, trained = taught
    watched = (context, split, replace(trained, temperature=0.8))

    assert shipped_temperature(watched, tmp_path / "made", (told(1.7),)) == 0.8


def test_who_learns_from_all_watches_nobody(
    taught: tuple[RunContext, Split, TrainedModel], tmp_path: Path
) -> None:
    context, split, trained = taught

    bundle = write_package(
        context, split, trained, PackageOptions(out=tmp_path / "made", command="made")
    )

    training = bundle.info["training"]
    assert bundle.temperature == AS_IT_IS
    assert training["corpora"] == {"ravdess": {"recordings": 24, "speakers": 4}}
    assert training["watched"] == {}
    assert (training["net"], training["nets"]) == ("mfcc40", 1)
    assert training["chosen"]["validation_loss"] is None


def rows(*every: Sequence[Epoch]) -> list[dict[str, str]]:
    log = log_bytes([FitResult(tuple(epochs), epochs[-1]) for epochs in every])
    return list(csv.DictReader(log.decode().splitlines()))


def test_a_log_has_a_row_an_epoch_and_empty_cells_for_what_was_not_watched() -> None:
    watched, unwatched = Epoch(0, 0.1, 1 / 3, 0.5, 0.25, 0.75, 0.5), Epoch(1, 0.1, 0.2, 0.5)

    one, other = rows([watched, unwatched])

    assert (one["number"], one["loss"], one["validation_loss"]) == ("0", "0.333333", "0.25")
    assert (other["number"], other["loss"]) == ("1", "0.2")
    for name in ("validation_loss", "validation_accuracy", "validation_uar"):
        assert other[name] == ""


def test_a_log_of_several_nets_tells_one_after_the_other() -> None:
    epochs = [Epoch(number, 0.1, 0.2, 0.5) for number in range(2)]

    assert [(row["net"], row["number"]) for row in rows(epochs, epochs[:1])] == [
        ("0", "0"),
        ("0", "1"),
        ("1", "0"),
    ]
    assert "net" not in rows(epochs)[0]
