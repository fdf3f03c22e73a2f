"""An experiment runs all splits, and predicts their tests under conditions by the same nets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from inline_map import gather_inline
from made_corpus import make_ravdess

from batchemo.corpora import Corpus, read_corpus
from batchemo.training.data.augment_audio import ORIGINAL
from batchemo.training.data.feature_store import TWIN
from batchemo.training.experiment.cross_validation import (
    Experiment,
    experiment_options,
    run_experiment,
    with_conditions,
)
from batchemo.training.experiment.evaluate import evaluate_bundle, evaluate_recipe
from batchemo.training.recipes import get_recipe

CONDITIONS = ("noise0", "level")


@pytest.fixture(autouse=True, scope="module")
def _features_in_this_process() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        gather_inline(patch)
        yield


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return read_corpus([make_ravdess(tmp_path_factory.mktemp("corpus") / "ravdess")])


@pytest.fixture(scope="module")
def experiment(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    recipe = get_recipe("mfcc40")
    hyperparameters = replace(recipe.hyperparameters, epochs=1, augmentations=("noise",))
    return Experiment(
        recipe=replace(recipe, hyperparameters=hyperparameters),
        examples=corpus.examples,
        labels=corpus.labels,
        work=tmp_path_factory.mktemp("work"),
        folds=2,
    )


def test_a_leaky_experiment_without_augmentations_has_every_recording_twice(
    experiment: Experiment,
) -> None:
    recipe = experiment.recipe
    hyperparameters = replace(recipe.hyperparameters, augmentations=())
    leaky = replace(
        experiment, protocol="leaky", recipe=replace(recipe, hyperparameters=hyperparameters)
    )

    context = leaky.context()

    assert leaky.has_twins
    assert len(context.samples) == 2 * len(experiment.examples)
    assert {sample.variant for sample in context.samples} == {ORIGINAL, TWIN}
    assert not replace(leaky, protocol="random").has_twins
    assert not experiment.has_twins


def test_the_options_of_an_experiment_are_what_its_figures_depend_on(
    experiment: Experiment,
) -> None:
    options = experiment_options(experiment)

    assert options["epochs"] == 1
    assert options["folds"] == 2
    assert options["features"] == experiment.recipe.features.to_dict()
    assert "seed" not in options
    assert "folds" not in experiment_options(replace(experiment, folds=None))


def test_only_tested_recordings_are_predicted_under_conditions(experiment: Experiment) -> None:
    context = experiment.context()
    splits = experiment.splits(context)[:1]

    extended, changed = with_conditions(context, splits, CONDITIONS)

    items, extended_items = context.items, extended.items
    assert extended_items[: len(items)] == items
    assert [replace(one, test=splits[0].test) for one in changed] == list(splits)
    tested = [sample.example for sample in splits[0].test]
    at_level = [sample.example for sample in changed[0].test if sample.variant == "level"]
    assert at_level == tested
    assert {sample.variant for sample in changed[0].test} <= set(CONDITIONS)
    assert len(extended_items) == len(items) + len(changed[0].test), "not those of the other fold"


def checkpoints(work: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in work.rglob("checkpoint.npz")}


@pytest.mark.tensorflow
def test_every_split_is_reported_with_its_predictions(experiment: Experiment) -> None:
    reported: list[tuple[int, int, str, int]] = []

    result = run_experiment(
        experiment,
        on_run=lambda done, total, split, predictions: reported.append(
            (done, total, split.fold, len(predictions))
        ),
    )

    assert reported == [(1, 2, "speakers-1", 16), (2, 2, "speakers-2", 16)]
    assert len(result.predictions) == len(experiment.examples)
    assert result.temperature is None, "each fold has the temperature of its validation"


@pytest.mark.tensorflow
@pytest.mark.process
def test_several_processes_give_what_one_gives(experiment: Experiment, tmp_path: Path) -> None:
    alone = run_experiment(experiment).predictions

    parallel = run_experiment(replace(experiment, work=tmp_path), jobs=2).predictions

    assert [replace(one, probabilities=(), uncalibrated=()) for one in parallel] == [
        replace(one, probabilities=(), uncalibrated=()) for one in alone
    ]
    for one, other in zip(parallel, alone, strict=True):
        np.testing.assert_allclose(one.uncalibrated, other.uncalibrated, atol=1e-3)


@pytest.mark.tensorflow
def test_conditions_are_evaluated_besides_the_same_figures_without_training_again(
    experiment: Experiment, corpus: Corpus
) -> None:
    plain = evaluate_recipe(experiment, corpus)
    before = checkpoints(experiment.work)

    evaluation = evaluate_recipe(replace(experiment, conditions=CONDITIONS), corpus)

    assert [one.name for one in evaluation.conditions] == list(CONDITIONS)
    assert replace(evaluation, conditions=()) == plain
    level = evaluation.conditions[1]
    assert (level.recordings, level.without_speech) == (plain.recordings, 0)
    assert len(before) == 2
    assert checkpoints(experiment.work) == before


@pytest.mark.tensorflow
def test_a_condition_is_predicted_by_the_fold_that_was_not_trained_on_the_speaker(
    experiment: Experiment,
) -> None:
    predictions = run_experiment(replace(experiment, conditions=("level",))).predictions

    folds = {(one.example, one.variant): one.fold for one in predictions}
    for (example, variant), fold in folds.items():
        assert variant == ORIGINAL or fold == folds[example, ORIGINAL]
    assert len(predictions) == 2 * len(experiment.examples)


def test_a_finished_model_is_evaluated_under_conditions_too(corpus: Corpus, tmp_path: Path) -> None:
    from batchemo.bundles import load_bundle

    evaluation = evaluate_bundle(
        load_bundle("mfcc40"), corpus, "leaky", conditions=CONDITIONS, feature_folder=tmp_path
    )

    assert [one.name for one in evaluation.conditions] == list(CONDITIONS)
    assert evaluation.recordings == len(corpus.examples)
    assert evaluation.conditions[1].uar.mean == pytest.approx(
        evaluation.figures["uar"].mean + evaluation.conditions[1].change, abs=1e-5
    )
