"""A bundle holds what was trained, how, and on what; its figures can be replaced afterwards."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
from made_items import LABELS, made_example, made_items
from made_predictions import make_evaluation, make_info, random_predictions

from batchemo.bundles import (
    Bundle,
    Calibration,
    find_bundle,
    load_bundle,
    open_classifier,
)
from batchemo.evaluation import Evaluation, evaluate, figures_for_card
from batchemo.training.data.protocols import Split, final_split
from batchemo.training.experiment.calibration import TEMPERATURE, UNCALIBRATED
from batchemo.training.experiment.context import RunContext
from batchemo.training.experiment.runs import TrainedModel, train_model
from batchemo.training.export.model_card import write_model_card
from batchemo.training.export.package import (
    PackageOptions,
    draw_curves,
    log_bytes,
    replace_figures,
    write_package,
)
from batchemo.training.fit.history import Epoch
from batchemo.training.fit.trainer import FitResult
from batchemo.training.hyperparameters import Hyperparameters
from batchemo.training.recipes import get_recipe

Trained: TypeAlias = "tuple[RunContext, Split, TrainedModel]"

VALIDATED = FitResult(
    tuple(Epoch(n, 0.1, 1 / (n + 1), 0.5, 1.2 / (n + 1), 0.4, 0.4) for n in range(3)),
    Epoch(1, 0.1, 0.5, 0.5, 0.6, 0.4, 0.4),
)
NOT_VALIDATED = FitResult(
    tuple(Epoch(n, 0.1, 1 / (n + 1), 0.5) for n in range(3)), Epoch(2, 0.1, 1 / 3, 0.5)
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A net that was trained on all recordings, with none for validation."""
    pytest.importorskip("tensorflow")
    examples = [
        made_example(speaker, label, take, corpus="ravdess", language="en")
        for speaker in "abcd"
        for label in LABELS
        for take in (0, 1)
    ]
    recipe = get_recipe("mfcc40")
    hyperparameters = Hyperparameters(epochs=1, select_epoch="last", validation_share=0.0)
    recipe = replace(recipe, hyperparameters=hyperparameters)
    items, work = made_items(examples, shape=(40,)), tmp_path_factory.mktemp("work")
    context = RunContext(recipe, items, LABELS, work)
    split = final_split(context.samples, hyperparameters)
    return context, split, train_model(context, split)


def package(
    trained: Trained, out: Path, evaluations: Sequence[Evaluation] = (), **options: Any
) -> Bundle:
    return write_package(
        *trained, PackageOptions(out=out, command="made", evaluations=evaluations, **options)
    )


def with_temperature(
    temperature: float | None, protocol: str = "speaker", kind: str = "recipe"
) -> Evaluation:
    """Return an evaluation that has this temperature among its options."""
    info = replace(make_info(protocol), kind=kind, options={TEMPERATURE: temperature})
    predictions = random_predictions(seeds=1, takes=1, labels=LABELS)
    return evaluate(predictions, LABELS, info=info)


@pytest.mark.tensorflow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
class TestWritePackage:
    def test_it_says_what_the_model_takes_and_gives(self, trained: Trained, tmp_path: Path) -> None:
        bundle = package(trained, tmp_path / "made")

        recipe = trained[0].recipe
        assert bundle.name == "made"
        assert bundle.description == recipe.description
        assert bundle.labels == LABELS
        assert bundle.input.feature_set == recipe.features
        assert (bundle.rate, bundle.window, bundle.hop) == (22050, 3.0, 1.5)
        assert bundle.window_range == (1.0, 10.0)
        assert bundle.input.padding == "trained"
        assert bundle.info["outputs"]["classes"]["name"] == "logits"
        assert bundle.licence == "CC BY-NC-SA 4.0"
        assert bundle.info["licences"]["training_data"] == {"ravdess": "CC BY-NC-SA 4.0"}

    def test_it_says_how_the_model_was_trained_and_on_what(
        self, trained: Trained, tmp_path: Path
    ) -> None:
        bundle = package(trained, tmp_path / "made", licence="mine")

        training = bundle.info["training"]
        facts = {"recordings": 24, "speakers": 4, "languages": ["en"]}
        assert training["recipe"] == "mfcc40"
        assert training["corpora"] == {"ravdess": facts}
        assert training["validation"] == {}
        assert (training["net"], training["nets"]) == ("mfcc40", 1)
        assert training["options"]["validation_share"] == 0.0
        assert training["selected_epoch"]["validation_loss"] is None
        assert len(bundle.read("training_set.csv").splitlines()) == 1 + 24
        assert bundle.licence == "mine"

    @pytest.mark.parametrize(
        ("evaluations", "expected"),
        [
            (
                (
                    with_temperature(3.0, "random"),
                    with_temperature(3.0, kind="bundle"),
                    with_temperature(1.7),
                ),
                1.7,
            ),
            ((with_temperature(3.0, "leaky"), with_temperature(None)), UNCALIBRATED),
        ],
        ids=["by speaker", "none by speaker"],
    )
    def test_without_validation_the_temperature_is_that_of_an_evaluation_by_speaker(
        self,
        trained: Trained,
        tmp_path: Path,
        evaluations: Sequence[Evaluation],
        expected: float,
    ) -> None:
        assert package(trained, tmp_path / "made", evaluations).calibration.temperature == expected

    def test_the_temperature_of_the_validation_comes_first(
        self, trained: Trained, tmp_path: Path
    ) -> None:
        context, split, model = trained
        validated = (context, split, replace(model, temperature=0.8))

        bundle = package(validated, tmp_path / "made", (with_temperature(1.7),))

        assert bundle.calibration.temperature == 0.8

    def test_a_model_with_familiarity_and_embedding_is_packaged_with_its_calibration(
        self, trained: Trained, tmp_path: Path
    ) -> None:
        import keras

        context, split, model = trained
        features = keras.Input((40,), name="features")
        outputs = {
            "logits": keras.layers.Dense(len(LABELS))(features),
            "embedding": keras.layers.Dense(5)(features),
            "familiarity": keras.layers.Dense(1, activation="sigmoid")(features),
        }
        rich = replace(model, model=keras.Model(features, outputs))
        calibration = Calibration(1.3, slope=0.5)

        bundle = package((context, split, rich), tmp_path / "made", calibration=calibration)

        assert bundle.calibration == calibration
        result = open_classifier(bundle).run(np.zeros((2, 40), np.float32))
        assert result.familiarity is not None
        assert result.embedding is not None
        assert result.embedding.shape == (2, 5)


def log_rows(*histories: Sequence[Epoch]) -> list[dict[str, str]]:
    log = log_bytes([FitResult(tuple(history), history[-1]) for history in histories])
    return list(csv.DictReader(log.decode().splitlines()))


def test_the_log_has_a_row_an_epoch_and_empty_cells_without_validation() -> None:
    validated, not_validated = Epoch(0, 0.1, 1 / 3, 0.5, 0.25, 0.75, 0.5), Epoch(1, 0.1, 0.2, 0.5)

    first, second = log_rows([validated, not_validated])

    assert (first["number"], first["learning_rate"]) == ("0", "0.1")
    assert (first["loss"], first["validation_loss"]) == ("0.333333", "0.25")
    assert (second["number"], second["loss"]) == ("1", "0.2")
    for name in ("validation_loss", "validation_accuracy", "validation_uar"):
        assert second[name] == ""


def test_the_log_of_several_nets_has_one_after_the_other() -> None:
    epochs = [Epoch(number, 0.1, 0.2, 0.5) for number in range(2)]

    rows = log_rows(epochs, epochs[:1])

    assert [(row["net"], row["number"]) for row in rows] == [("0", "0"), ("0", "1"), ("1", "0")]
    assert "net" not in log_rows(epochs)[0]


class TestDrawCurves:
    pytest.importorskip("matplotlib")

    def test_equal_trainings_give_equal_bytes(self) -> None:
        assert draw_curves("mine", [VALIDATED]) == draw_curves("mine", [VALIDATED])
        assert draw_curves("mine", [VALIDATED]).startswith(b"\x89PNG")

    def test_without_validation_its_curve_is_not_drawn(self) -> None:
        assert draw_curves("mine", [NOT_VALIDATED]).startswith(b"\x89PNG")
        assert draw_curves("mine", [NOT_VALIDATED]) != draw_curves("mine", [VALIDATED])

    def test_each_of_several_nets_is_drawn(self) -> None:
        assert draw_curves("mine", [NOT_VALIDATED] * 2) != draw_curves("mine", [NOT_VALIDATED])

    @pytest.mark.parametrize("name", ["$\\frac{$", "\x1b[2J\u202ename"])
    def test_any_name_is_plain_text_in_the_title(self, name: str) -> None:
        assert draw_curves(name, [NOT_VALIDATED]).startswith(b"\x89PNG")


class TestReplaceFigures:
    @pytest.fixture
    def mine(self, tmp_path: Path) -> Bundle:
        """A copy of a shipped bundle."""
        shutil.copytree(find_bundle("mfcc40"), tmp_path / "mfcc40")
        return load_bundle(tmp_path / "mfcc40")

    def test_card_and_figures_change_and_nothing_else(self, mine: Bundle) -> None:
        evaluation = make_evaluation()

        changed = replace_figures(mine, [evaluation])

        assert changed.path == mine.path
        assert changed == load_bundle(mine.path)
        assert changed.info["figures"]["speaker"]["uar"]["mean"] == evaluation.figures["uar"].mean
        card = write_model_card(changed.info, figures_for_card([evaluation]))
        assert changed.read("README.md").decode() == card
        same = mine.info.keys() - {"figures", "files"}
        assert {key: changed.info[key] for key in same} == {key: mine.info[key] for key in same}
        before, after = mine.info["files"], changed.info["files"]
        changing = {"README.md", "coverage.png", "reliability.png"}
        assert changing <= after.keys()
        assert {name for name in after if after[name] != before.get(name)} == changing
        assert before.keys() <= after.keys()

    def test_the_same_figures_give_the_same_bundle(self, mine: Bundle) -> None:
        evaluations = [make_evaluation(), make_evaluation("random")]
        comparisons = [make_evaluation(subject="functionals")]

        once = replace_figures(mine, evaluations, comparisons)
        again = replace_figures(once, evaluations, comparisons)

        assert again.digest == once.digest
        assert "for comparison, `functionals`" in again.card
        assert "on speakers that are not in its training data" in again.card
