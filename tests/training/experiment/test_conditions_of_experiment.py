"""The nets of an evaluation are asked again about what they were tested on, heard otherwise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from made_corpus import make_ravdess

from batchemo.corpora import Corpus, read_corpus
from batchemo.training.data.augment_audio import ORIGINAL
from batchemo.training.experiment.cross_validation import Experiment, hear_otherwise, run_experiment
from batchemo.training.experiment.evaluate import evaluate_bundle, evaluate_system
from batchemo.training.recipes import get_recipe

pytest.importorskip("tensorflow")

CONDITIONS = ("noise0", "level")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return read_corpus([make_ravdess(tmp_path_factory.mktemp("otherwise") / "ravdess")])


@pytest.fixture(scope="module")
def experiment(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    system = get_recipe("mfcc40")
    return Experiment(
        system=system,
        hyperparameters=replace(system.hyperparameters, epochs=1, augmentations=("noise",)),
        examples=corpus.examples,
        labels=corpus.labels,
        work=tmp_path_factory.mktemp("work"),
        folds=2,
    )


def checkpoints(work: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in work.rglob("checkpoint.npz")}


def test_only_what_is_tested_is_heard_otherwise_and_by_the_net_that_tests_it(
    experiment: Experiment,
) -> None:
    context = experiment.context()
    splits = experiment.splits(context)[:1]

    wide, changed = hear_otherwise(context, splits, CONDITIONS)

    assert wide.items[: len(context.items)] == context.items
    assert [replace(one, test=splits[0].test) for one in changed] == list(splits)
    asked = wide.some(changed[0].test)
    tested = [item.example for item in context.some(splits[0].test)]
    assert [(item.example, item.copy) for item in asked if item.copy == "level"] == [
        (example, "level") for example in tested
    ]
    assert {item.copy for item in asked} <= set(CONDITIONS)
    assert len(wide.items) == len(context.items) + len(asked), "the other fold is not heard again"


def test_conditions_are_told_beside_the_same_figures_and_nothing_is_taught_again(
    experiment: Experiment, corpus: Corpus
) -> None:
    plain = evaluate_system(experiment, corpus)
    taught = checkpoints(experiment.work)

    found = evaluate_system(replace(experiment, conditions=CONDITIONS), corpus)

    assert [one.name for one in found.conditions] == list(CONDITIONS)
    assert replace(found, conditions=()) == plain
    level = found.conditions[1]
    assert (level.recordings, level.without_speech) == (plain.recordings, 0)
    assert len(taught) == 2
    assert checkpoints(experiment.work) == taught


def test_each_verdict_is_of_the_fold_that_did_not_learn_from_the_speaker(
    experiment: Experiment,
) -> None:
    predictions = run_experiment(replace(experiment, conditions=("level",))).predictions

    folds = {(one.example, one.variant): one.fold for one in predictions}
    for (example, copy), fold in folds.items():
        assert copy == ORIGINAL or fold == folds[example, ORIGINAL]
    assert len(predictions) == 2 * len(experiment.examples)


def test_a_finished_model_is_asked_too(
    experiment: Experiment, corpus: Corpus, tmp_path: Path
) -> None:
    from batchemo.bundles import load_bundle

    found = evaluate_bundle(
        load_bundle("mfcc40"), corpus, "leaky", conditions=CONDITIONS, cache=tmp_path
    )

    assert [one.name for one in found.conditions] == list(CONDITIONS)
    assert found.recordings == len(corpus.examples)
    assert found.conditions[1].uar.mean == pytest.approx(
        found.figures["uar"].mean + found.conditions[1].change, abs=1e-5
    )
