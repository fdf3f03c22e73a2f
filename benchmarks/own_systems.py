"""The models that a scan uses: judged on speakers they never heard, taught, judged in a language.

    python benchmarks/own_systems.py RAVDESS NEMO --foreign EMOVO --work own.work --jobs 2

RAVDESS and NEMO, the folders of the recordings, are learnt from; EMOVO never is: the finished
models are judged on it. Needs `pip install '.[train]'`, about two hours on two cores, and 9 GB of
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
from batchemo.training.experiment.evaluate import evaluate_bundle, evaluate_system
from batchemo.training.export.package import PackageOptions, replace_figures
from batchemo.training.fit.history import Epoch
from batchemo.training.recipes import Recipe, get_recipe
from batchemo.training.train import train_bundle

CONTROL = "functionals"
SHARED = ("neutral", "happy", "sad", "angry")
"""The classes that all corpora have."""


def main() -> None:
    options = _options()
    corpus, foreign = read_corpus(options.corpora), read_corpus([options.foreign])
    control: list[Evaluation] = []
    for name in (CONTROL, "default", "accurate"):
        system = get_recipe(name)
        unseen = _judge(system, corpus, options)
        bundle = _train(system, corpus, unseen, control, options)
        other_corpora_share = _judge_abroad(bundle, foreign, options)
        finished = replace_figures(bundle, [unseen, other_corpora_share], control)
        print(f"{finished.path}: {finished.digest}", flush=True)
        if name == CONTROL:
            control = [unseen, other_corpora_share]


def _judge(system: Recipe, corpus: Corpus, options: argparse.Namespace) -> Evaluation:
    """On speakers that it never heard, as they are and heard otherwise."""

    def told(done: int, total: int, split: Split, predictions: Sequence[Prediction]) -> None:
        print(f"{system.name}: {done}/{total}, {split.fold}, seed {split.seed}", flush=True)

    # Several nets together share those of the single ones: so they have fewer seeds.
    seeds = tuple(range(max(1, options.seeds // system.nets)))
    experiment = _exam(system, corpus, options, seeds)
    evaluation = evaluate_system(experiment, corpus, jobs=options.jobs, told=told)
    write_evaluation(options.work / "evaluations" / system.name, evaluation)
    return evaluation


def _train(
    system: Recipe,
    corpus: Corpus,
    unseen: Evaluation,
    control: Sequence[Evaluation],
    options: argparse.Namespace,
) -> Bundle:
    def told(split: Split, epoch: Epoch) -> None:
        print(f"{system.name}: seed {split.seed}, epoch {epoch.number + 1}", flush=True)

    delivery = PackageOptions(
        out=options.models / system.name,
        command=f"batchemo train ravdess nemo --recipe {system.name} -o {system.name}",
        evaluations=[unseen],
        beside=control,
    )
    made = train_bundle(_exam(system, corpus, options), delivery, jobs=options.jobs, told=told)
    return made.bundle


def _judge_abroad(bundle: Bundle, foreign: Corpus, options: argparse.Namespace) -> Evaluation:
    """In a language that it never learnt from, on the classes that all corpora have."""
    evaluation = evaluate_bundle(
        bundle,
        foreign,
        "speaker",
        classes=SHARED,
        cache=options.work / "features",
        jobs=options.jobs,
    )
    write_evaluation(options.work / "evaluations" / f"{bundle.name}-abroad", evaluation)
    return evaluation


def _exam(
    system: Recipe, corpus: Corpus, options: argparse.Namespace, seeds: tuple[int, ...] = (0,)
) -> Experiment:
    return Experiment(
        system=system,
        hyperparameters=system.hyperparameters,
        examples=corpus.examples,
        labels=corpus.labels,
        work=options.work,
        seeds=seeds,
        folds="luna-jimenez",
        conditions=tuple(CONDITIONS),
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("corpora", nargs="+", type=Path, help="folders to learn from")
    parser.add_argument("--foreign", type=Path, required=True, help="a corpus only to judge on")
    parser.add_argument("--work", type=Path, default=Path("own.work"), help="what is kept")
    parser.add_argument("--models", type=Path, default=Path("models"), help="where bundles go")
    parser.add_argument("--seeds", type=int, default=3, help="how often each fold is trained")
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time")
    return parser.parse_args()


if __name__ == "__main__":
    main()
