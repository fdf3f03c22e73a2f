"""With corpora left out, nothing of their speakers, languages or missing classes gets in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from inline_map import gather_inline
from made_corpus import make_ravdess

from batchemo.corpora import Corpus, Example, read_corpus
from batchemo.evaluation import Evaluation
from batchemo.training.experiment.calibration import TEMPERATURE
from batchemo.training.experiment.cross_validation import Experiment, run_experiment
from batchemo.training.experiment.evaluate import evaluate_bundle, evaluate_recipe
from batchemo.training.recipes import get_recipe

CORPORA = {
    "ravdess-01": ("speech", "en"),
    "ravdess-02": ("polish", "pl"),
    "ravdess-03": ("german", "de"),
    "ravdess-04": ("readers", "en-zh"),
}
ONLY_IN_SPEECH = "calm"


@pytest.fixture(autouse=True, scope="module")
def _features_in_this_process() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        gather_inline(patch)
        yield


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Four actors as four corpora: one has all classes, one is neutral throughout."""
    found = read_corpus([make_ravdess(tmp_path_factory.mktemp("corpus") / "ravdess")])
    return replace(found, examples=tuple(_as_four_corpora(found.examples)))


def _as_four_corpora(examples: tuple[Example, ...]) -> Iterator[Example]:
    for example in examples:
        name, language = CORPORA[example.speaker]
        moved = replace(example, corpus=name, language=language)
        if name == "readers":
            moved = replace(moved, emotion="neutral")
        if name == "speech" or moved.emotion != ONLY_IN_SPEECH:
            yield moved


@pytest.fixture(scope="module")
def experiment(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    recipe = get_recipe("functionals")
    hyperparameters = replace(recipe.hyperparameters, augmentations=(), l2=10.0)
    return Experiment(
        recipe=replace(recipe, hyperparameters=hyperparameters),
        examples=corpus.examples,
        labels=corpus.labels,
        work=tmp_path_factory.mktemp("work"),
        protocol="corpus",
        test_only=("readers",),
    )


@pytest.fixture(scope="module")
def evaluation(experiment: Experiment, corpus: Corpus) -> Evaluation:
    return evaluate_recipe(experiment, corpus)


pytestmark = pytest.mark.tensorflow


def test_every_corpus_has_its_figures_and_the_headline_is_their_mean(
    evaluation: Evaluation,
) -> None:
    by_corpus = {of.corpus: of for of in evaluation.by_corpus}

    assert list(by_corpus) == ["german", "polish", "readers", "speech"]
    assert [fold.fold for fold in evaluation.folds] == ["german", "polish", "speech"]
    assert [by_corpus[name].classes for name in ("german", "polish", "speech")] == [7, 7, 7]
    uars = [of.uar.mean for of in evaluation.by_corpus if of.uar]
    assert evaluation.figures["uar"].mean == pytest.approx(sum(uars) / 3, abs=1e-5)
    assert by_corpus["readers"].claimed
    assert evaluation.info.options["test_only"] == ["readers"]
    assert evaluation.info.left_out == {"speech: calm is in no corpus of another language": 1}


def test_a_class_that_was_not_trained_on_gets_no_probability(experiment: Experiment) -> None:
    calm = experiment.labels.index(ONLY_IN_SPEECH)

    for prediction in run_experiment(experiment).predictions:
        without_calm = prediction.example.corpus in ("speech", "readers")
        assert (prediction.probabilities[calm] == 0) == without_calm
        assert sum(prediction.probabilities) == pytest.approx(1, abs=1e-5)


def test_the_temperature_does_not_depend_on_corpora_that_are_tested_only(
    experiment: Experiment, corpus: Corpus, evaluation: Evaluation
) -> None:
    others = tuple(example for example in corpus.examples if example.corpus != "readers")

    without = evaluate_recipe(replace(experiment, examples=others, test_only=()), corpus)

    assert without.info.options[TEMPERATURE] == evaluation.info.options[TEMPERATURE]
    assert without.figures == evaluation.figures
    assert [of.corpus for of in without.by_corpus] == ["german", "polish", "speech"]


def test_the_temperature_lies_between_the_fitted_one_and_that_of_another_protocol(
    experiment: Experiment, evaluation: Evaluation, corpus: Corpus
) -> None:
    fitted = evaluation.info.options[TEMPERATURE]
    assert isinstance(fitted, float)

    both = evaluate_recipe(replace(experiment, other_temperature=4 * fitted), corpus)

    assert both.info.options[TEMPERATURE] == pytest.approx(2 * fitted)
    before, after = (
        [of_corpus.confidence for of_corpus in one.by_corpus] for one in (evaluation, both)
    )
    assert all(less < more for less, more in zip(after, before, strict=True))
    assert f"of {4 * fitted:.2f}, which was fitted" in both.info.protocol_description


def test_an_unknown_language_is_noted(experiment: Experiment, corpus: Corpus) -> None:
    examples = tuple(
        replace(example, language="") if example.corpus == "polish" else example
        for example in corpus.examples
    )

    noted = evaluate_recipe(replace(experiment, examples=examples), corpus).info.notes

    assert any("language is not known" in note and "polish" in note for note in noted)


def test_a_finished_model_is_measured_on_plain_speech(corpus: Corpus, tmp_path: Path) -> None:
    from batchemo.bundles import load_bundle

    found = evaluate_bundle(load_bundle("mfcc40"), corpus, "leaky", feature_folder=tmp_path)

    by_corpus = {of.corpus: of for of in found.by_corpus}
    assert by_corpus["readers"].claimed
    assert by_corpus["readers"].recordings == 8
    assert found.recordings == len(corpus.examples) - 8
