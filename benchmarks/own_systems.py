"""Evaluates and trains the models that a scan uses: on unseen speakers and on another language.

    python benchmarks/own_systems.py RAVDESS NEMO --foreign EMOVO --work own.work --jobs 2

RAVDESS and NEMO, the folders of the recordings, are trained on; EMOVO never is: the finished models
are evaluated on it. Needs `pip install '.[train]'`, about two hours on two cores, and 9 GB of
memory with one job; with two, 23 GB were not enough. What is finished is kept in the work folder,
so that an interrupted run goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from batchemo.bundles import Bundle
from batchemo.corpora import Corpus, read_corpus
from batchemo.evaluation import Evaluation, write_evaluation
from batchemo.evaluation.conditions import CONDITIONS
from batchemo.evaluation.predictions import Prediction
from batchemo.training.data.protocols import Split
from batchemo.training.experiment.cross_validation import Experiment
from batchemo.training.experiment.evaluate import evaluate_bundle, evaluate_recipe
from batchemo.training.export.package import PackageOptions, replace_figures
from batchemo.training.fit.history import Epoch
from batchemo.training.recipes import Recipe, get_recipe
from batchemo.training.train import train_bundle

BASELINE = "functionals"
SHARED_CLASSES = ("neutral", "happy", "sad", "angry")
"""The classes that all corpora have."""


def main() -> None:
    options = _options()
    corpus, foreign = read_corpus(options.corpora), read_corpus([options.foreign])
    baseline: list[Evaluation] = []
    # The baseline first: its figures stand on the cards of the others.
    for name in (BASELINE, "default", "accurate"):
        recipe = get_recipe(name)
        on_unseen_speakers = _evaluate(recipe, corpus, options)
        bundle = _train(recipe, corpus, on_unseen_speakers, baseline, options)
        on_foreign_corpus = _evaluate_foreign(bundle, foreign, options)
        finished = replace_figures(bundle, [on_unseen_speakers, on_foreign_corpus], baseline)
        print(f"{finished.path}: {finished.digest}", flush=True)
        if name == BASELINE:
            baseline = [on_unseen_speakers, on_foreign_corpus]


def _evaluate(recipe: Recipe, corpus: Corpus, options: argparse.Namespace) -> Evaluation:
    """Evaluate a recipe on unseen speakers, also under conditions."""

    def on_run(done: int, total: int, split: Split, predictions: Sequence[Prediction]) -> None:
        print(f"{recipe.name}: {done}/{total}, {split.fold}, seed {split.seed}", flush=True)

    # A recipe of several nets takes the seeds of recipes with a single one: so it has fewer.
    seeds = tuple(range(max(1, options.seeds // recipe.members[0].nets)))
    experiment = _experiment(recipe, corpus, options, seeds)
    evaluation = evaluate_recipe(experiment, corpus, jobs=options.jobs, on_run=on_run)
    write_evaluation(options.work / "evaluations" / recipe.name, evaluation)
    return evaluation


def _train(
    recipe: Recipe,
    corpus: Corpus,
    on_unseen_speakers: Evaluation,
    baseline: Sequence[Evaluation],
    options: argparse.Namespace,
) -> Bundle:
    def on_epoch(split: Split, epoch: Epoch) -> None:
        print(f"{recipe.name}: seed {split.seed}, epoch {epoch.number + 1}", flush=True)

    package = PackageOptions(
        out=options.models / recipe.name,
        command=f"batchemo train ravdess nemo --recipe {recipe.name} -o {recipe.name}",
        evaluations=[on_unseen_speakers],
        comparisons=baseline,
    )
    experiment = _experiment(recipe, corpus, options)
    return train_bundle(experiment, package, jobs=options.jobs, on_epoch=on_epoch).bundle


def _evaluate_foreign(bundle: Bundle, foreign: Corpus, options: argparse.Namespace) -> Evaluation:
    """Evaluate a model in a language that it was not trained on, on the shared classes."""
    evaluation = evaluate_bundle(
        bundle,
        foreign,
        "speaker",
        classes=SHARED_CLASSES,
        feature_folder=options.work / "features",
        jobs=options.jobs,
    )
    write_evaluation(options.work / "evaluations" / f"{bundle.name}-foreign", evaluation)
    return evaluation


def _experiment(
    recipe: Recipe, corpus: Corpus, options: argparse.Namespace, seeds: tuple[int, ...] = (0,)
) -> Experiment:
    return Experiment(
        recipe=recipe,
        hyperparameters=recipe.hyperparameters,
        examples=corpus.examples,
        labels=corpus.labels,
        work=options.work,
        seeds=seeds,
        folds="luna-jimenez",
        conditions=tuple(CONDITIONS),
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("corpora", nargs="+", type=Path, help="folders to train on")
    parser.add_argument("--foreign", type=Path, required=True, help="a corpus to evaluate on only")
    parser.add_argument("--work", type=Path, default=Path("own.work"), help="the work folder")
    parser.add_argument("--models", type=Path, default=Path("models"), help="where bundles go")
    parser.add_argument("--seeds", type=int, default=3, help="how often each fold is trained")
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time")
    return parser.parse_args()


if __name__ == "__main__":
    main()
