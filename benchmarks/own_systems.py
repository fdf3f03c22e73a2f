"""Evaluates and trains the models that a scan uses: on unseen speakers and on other corpora.

    python benchmarks/own_systems.py RAVDESS NEMO --foreign EMOVO --work own.work \\
        --recipes functionals
    python benchmarks/own_systems.py RAVDESS RAVDESS_SONG NEMO EMODB SPEECHOCEAN EMOSPEECH_CALM \\
        --foreign EMOVO --work own.work --recipes default accurate \\
        --encoder smart-turn-v3.2-cpu.onnx

The folders of recordings are trained on, but for EMOVO, which never is: the finished models are
evaluated on it. EMOSPEECH_CALM is a manifest of those recordings of emospeech that are labelled
calm: plain voices, which are trained on as other plain speech is. Needs `pip install '.[train]'`.
The first command takes about two hours on two cores, and 9 GB of memory with one job; with two,
23 GB were not enough. The second takes about an hour with two jobs. What is finished is kept in the
work folder, so that an interrupted run goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from batchemo.bundles import Bundle
from batchemo.corpora import Corpus, read_corpus
from batchemo.evaluation import Evaluation, write_evaluation
from batchemo.evaluation.conditions import CONDITIONS
from batchemo.evaluation.predictions import Prediction
from batchemo.training.data.protocols import Split
from batchemo.training.experiment.calibration import TEMPERATURE
from batchemo.training.experiment.cross_validation import Experiment
from batchemo.training.experiment.evaluate import evaluate_bundle, evaluate_recipe
from batchemo.training.export.package import PackageOptions, replace_figures
from batchemo.training.fit.history import Epoch
from batchemo.training.recipes import LIGHT, WHISPER_TINY, Recipe, get_recipe
from batchemo.training.train import train_bundle

BASELINE = "functionals"
SHARED_CLASSES = ("neutral", "happy", "sad", "angry")
"""The classes that all corpora have."""


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--models", type=Path, default=Path("models"), help="where bundles go")
    options = parser.parse_args()
    corpus, foreign = read_corpus(options.corpora), read_corpus([options.foreign])
    with_foreign = read_corpus([*options.corpora, options.foreign])
    baseline: list[Evaluation] = []
    # The baseline first: its figures stand on the cards of the others.
    for name in sorted(options.recipes, key=lambda name: name != BASELINE):
        recipe = get_recipe(name)
        by_speaker = partial(
            _evaluate,
            recipe,
            corpus,
            options,
            folds="luna-jimenez",
            test_on=("ravdess",),
            conditions=tuple(CONDITIONS),
        )
        by_corpus = partial(
            _evaluate,
            recipe,
            with_foreign,
            options,
            protocol="corpus",
            test_only=foreign_names(foreign),
        )
        # Once more with the temperature of the finished model, which is for both.
        of_speakers, of_corpora = (_temperature(one()) for one in (by_speaker, by_corpus))
        evaluations = [
            by_speaker(other_temperature=of_corpora),
            by_corpus(other_temperature=of_speakers),
        ]
        bundle = _train(recipe, corpus, evaluations, baseline, options)
        evaluations.append(_evaluate_foreign(bundle, foreign, options))
        finished = replace_figures(bundle, evaluations, baseline)
        print(f"{finished.path}: {finished.digest}", flush=True)
        if name == BASELINE:
            baseline = evaluations


def foreign_names(foreign: Corpus) -> tuple[str, ...]:
    """Return the names of the corpora that are never trained on."""
    return tuple(sorted({example.corpus for example in foreign.examples}))


def _temperature(evaluation: Evaluation) -> float:
    """Return the temperature for a model that is trained on everything."""
    temperature = evaluation.info.options[TEMPERATURE]
    assert isinstance(temperature, float)
    return temperature


def _evaluate(
    recipe: Recipe, corpus: Corpus, options: argparse.Namespace, **experiment_options: Any
) -> Evaluation:
    """Evaluate a recipe under a protocol, and keep the figures in the work folder."""

    def on_run(done: int, total: int, split: Split, predictions: Sequence[Prediction]) -> None:
        print(f"{recipe.name}: {done}/{total}, {split.fold}, seed {split.seed}", flush=True)

    seeds = tuple(range(options.seeds))
    experiment = make_experiment(recipe, corpus, options, seeds=seeds, **experiment_options)
    evaluation = evaluate_recipe(experiment, corpus, jobs=options.jobs, on_run=on_run)
    folder = f"{recipe.name}-{experiment.protocol}"
    write_evaluation(options.work / "evaluations" / folder, evaluation)
    return evaluation


def _train(
    recipe: Recipe,
    corpus: Corpus,
    evaluations: Sequence[Evaluation],
    baseline: Sequence[Evaluation],
    options: argparse.Namespace,
) -> Bundle:
    def on_epoch(split: Split, epoch: Epoch) -> None:
        print(f"{recipe.name}: seed {split.seed}, epoch {epoch.number + 1}", flush=True)

    package = PackageOptions(
        out=options.models / recipe.name,
        command=_command(recipe, options),
        # The strictest of those of the corpora; the others allow it.
        licence="CC BY-NC-SA 4.0",
        evaluations=evaluations,
        comparisons=baseline,
    )
    experiment = make_experiment(recipe, corpus, options)
    return train_bundle(experiment, package, jobs=options.jobs, on_epoch=on_epoch).bundle


def _command(recipe: Recipe, options: argparse.Namespace) -> str:
    """Return the command for the card, without the paths of this machine."""
    # The light encoder is part of the model default, and taken from there.
    encoder = f" --encoder {options.encoder.name}" if recipe.encoder == WHISPER_TINY else ""
    names = " ".join(path.resolve().name for path in options.corpora)
    return f"batchemo train {names} --recipe {recipe.name}{encoder} -o {recipe.name}"


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


def make_experiment(
    recipe: Recipe, corpus: Corpus, options: argparse.Namespace, **experiment_options: Any
) -> Experiment:
    """Return an experiment with a recipe, in the work folder."""
    files = {WHISPER_TINY: options.encoder, LIGHT: options.light_encoder}
    return Experiment(
        recipe=recipe,
        examples=corpus.examples,
        labels=corpus.labels,
        work=options.work,
        encoder=files.get(recipe.encoder or ""),
        **experiment_options,
    )


def left_out_experiment(name: str, options: argparse.Namespace) -> Experiment:
    """Return the experiment that leaves out each corpus in turn, of the recipe of that name."""
    return make_experiment(
        get_recipe(name),
        read_corpus([*options.corpora, options.foreign]),
        options,
        protocol="corpus",
        test_only=foreign_names(read_corpus([options.foreign])),
    )


def make_parser(description: str | None) -> argparse.ArgumentParser:
    """Return the options of every benchmark of these models; the description's first line."""
    parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("corpora", nargs="+", type=Path, help="folders to train on")
    parser.add_argument("--foreign", type=Path, required=True, help="a corpus to evaluate on only")
    parser.add_argument("--work", type=Path, default=Path("own.work"), help="the work folder")
    parser.add_argument("--recipes", nargs="+", default=[BASELINE, "default"], help="what to train")
    parser.add_argument("--encoder", type=Path, help="the file of the encoder, for accurate")
    parser.add_argument(
        "--light-encoder", type=Path, help="that of default, if not the one that default has"
    )
    parser.add_argument("--seeds", type=int, default=3, help="how often each fold is trained")
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time")
    return parser


if __name__ == "__main__":
    main()
