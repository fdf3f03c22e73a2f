"""Evaluates a recipe by training it, or a finished bundle, on a corpus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from batchemo.audio import WindowConfig
from batchemo.bundles import Bundle, open_classifier
from batchemo.common.arrays import Float64
from batchemo.corpora import Corpus, Example
from batchemo.errors import BatchemoError, UsageError
from batchemo.evaluation import CorpusCounts, Evaluation, EvaluationInfo, evaluate
from batchemo.evaluation.predictions import Prediction
from batchemo.training.data.feature_store import (
    Failures,
    FeatureItem,
    FeatureItems,
    OnProgress,
    gather_items,
    ignore_progress,
)
from batchemo.training.data.left_out import reasons_not_tested
from batchemo.training.data.protocols import Protocol, protocol_description
from batchemo.training.data.training_set import read_training_set, select_unseen
from batchemo.training.experiment.calibration import TEMPERATURE
from batchemo.training.experiment.cross_validation import (
    Experiment,
    OnRun,
    experiment_options,
    failures_of,
    ignore_run,
    run_experiment,
)

BUNDLE_FOLD = "bundle"
"""The fold of a finished bundle's predictions, which has only one."""

BUNDLE_PROTOCOLS: Mapping[Protocol, str] = {
    "speaker": (
        "The finished model, on recordings of speakers that are not in its training data; all"
        " others are left out."
    ),
    "corpus": (
        "The finished model, on corpora and languages that are not in its training data; all others"
        " are left out."
    ),
    "random": (
        "The finished model, on recordings that it was not trained on; it may know their speakers"
        " from others."
    ),
    "leaky": (
        "LEAKY: the finished model, on all recordings, those that it was trained on among them. Not"
        " a measure of accuracy on new speech."
    ),
}

_MIN_PROBABILITY = float(np.finfo(np.float32).tiny)
"""Taken for 0: where all selected classes have a probability of 0, their sum must not be 0."""


def evaluate_recipe(
    experiment: Experiment,
    corpus: Corpus,
    *,
    jobs: int = 1,
    on_progress: OnProgress = ignore_progress,
    on_run: OnRun = ignore_run,
) -> Evaluation:
    """Train and test a recipe under the experiment's protocol."""
    # With several processes; the experiment's runs then find the features in the store.
    gathered = experiment.gather(jobs=jobs, on_progress=on_progress)
    result = run_experiment(experiment, jobs=jobs, on_progress=on_progress, on_run=on_run)
    notes = corpus_notes(corpus)
    if experiment.has_twins:
        notes += ("Every recording was there twice, as in copies of RAVDESS that are shared.",)
    predictions, failures = result.predictions, failures_of(gathered)
    left_out = _count_by_reason(failures)
    if experiment.protocol == "corpus":
        # What is reported of a fold is here reported of a corpus; several may share their models.
        predictions = tuple(replace(one, fold=one.example.corpus) for one in predictions)
        failed = {example for example, _ in failures}
        usable = (example for example in experiment.examples if example not in failed)
        left_out += reasons_not_tested(usable, {one.example for one in predictions})
        notes += _language_notes(experiment.examples)
    info = EvaluationInfo(
        subject=experiment.recipe.name,
        kind="recipe",
        protocol=experiment.protocol,
        protocol_description=protocol_description(
            experiment.protocol, experiment.hyperparameters, experiment.other_temperature
        ),
        corpora=_count_by_corpus(prediction.example for prediction in predictions),
        left_out=left_out,
        notes=notes,
        options={**experiment_options(experiment), TEMPERATURE: result.temperature},
    )
    return evaluate(predictions, experiment.labels, info=info)


def evaluate_bundle(
    bundle: Bundle,
    corpus: Corpus,
    protocol: Protocol,
    *,
    classes: Sequence[str] = (),
    conditions: Sequence[str] = (),
    feature_folder: Path,
    jobs: int = 1,
    on_progress: OnProgress = ignore_progress,
) -> Evaluation:
    """Predict a corpus with a finished bundle, as a scan does, and evaluate the predictions.

    With `classes`, only recordings of these are evaluated, and the probabilities are normalised
    over them; otherwise recordings whose labels the bundle does not know are left out. With
    `conditions`, recordings are predicted under each of these too.
    """
    bundle.require_labels("an evaluation")
    check_classes(bundle, classes)
    labels = tuple(classes) or bundle.labels
    examples = [example for example in corpus.examples if example.emotion in labels]
    if not examples:
        raise UsageError(
            f"{', '.join(corpus.labels)}: none of these is evaluated here, only"
            f" {', '.join(labels)}. Say what they stand for with --label old=new"
        )
    left_out = Counter(
        f"{example.emotion} is not evaluated here"
        for example in corpus.examples
        if example.emotion not in labels
    )
    unseen, seen = select_unseen(bundle, examples, protocol)
    gathered = gather_for_bundle(
        bundle,
        unseen,
        conditions,
        feature_folder=feature_folder,
        jobs=jobs,
        on_progress=on_progress,
    )
    if not gathered.items:
        failed, reason = gathered.failures[0]
        raise BatchemoError(
            f"none of the recordings that are left can be analysed: {failed.path}: {reason}"
        )
    predictions = predict_with_bundle(bundle, gathered.items, labels)
    notes = corpus_notes(corpus)
    if read_training_set(bundle) is None:
        unknown = "The bundle does not say which recordings it was trained on: some of these may be"
        notes += (f"{unknown} among them.",)
    info = EvaluationInfo(
        subject=bundle.name,
        kind="bundle",
        protocol=protocol,
        protocol_description=BUNDLE_PROTOCOLS[protocol],
        corpora=_count_by_corpus(item.example for item in gathered.items),
        left_out={**left_out, **seen, **_count_by_reason(gathered.failures)},
        notes=notes,
        options={
            "model": f"{bundle.name}@{bundle.digest[:12]}",
            "classes": list(classes),
        },
    )
    return evaluate(predictions, labels, info=info)


def check_classes(bundle: Bundle, classes: Sequence[str]) -> None:
    """Raise a UsageError unless the bundle has all of these labels."""
    if unknown := [name for name in classes if name not in bundle.labels]:
        raise UsageError(
            f"{bundle.name} does not know {', '.join(unknown)}; it knows {', '.join(bundle.labels)}"
        )


def gather_for_bundle(
    bundle: Bundle,
    examples: Sequence[Example],
    conditions: Sequence[str] = (),
    *,
    feature_folder: Path,
    jobs: int = 1,
    on_progress: OnProgress = ignore_progress,
) -> FeatureItems:
    """Return the items that a bundle takes, of the originals and under each of the conditions."""
    feature_set = bundle.input.feature_set
    # Features are kept on disk and padded as in training; signals are neither.
    if feature_set is None or bundle.input.padding == "forbidden":
        raise UsageError(
            f"{bundle.name}: only models that take features, padded to one length, can be evaluated"
        )
    return gather_items(
        examples,
        feature_set,
        WindowConfig(rate=feature_set.rate, window=bundle.window, hop=bundle.hop),
        conditions,
        folder=feature_folder,
        jobs=jobs,
        on_progress=on_progress,
    )


def predict_with_bundle(
    bundle: Bundle, items: Sequence[FeatureItem], classes: Sequence[str]
) -> list[Prediction]:
    """Return the bundle's predictions for items, normalised over some of its labels."""
    check_classes(bundle, classes)
    classifier = open_classifier(bundle)
    columns = [bundle.labels.index(name) for name in classes]
    predictions = []
    for item in items:
        result = classifier.run(item.windows)
        windows = np.maximum(result.probabilities.astype(np.float64), _MIN_PROBABILITY)
        calibrated = _normalised_mean(windows, columns)
        # Softmax at a temperature, to the power of the temperature, is softmax without it but for
        # a factor: so probabilities before calibration need no second run.
        temperatures = bundle.calibration.temperatures(result.familiarity)
        uncalibrated = _normalised_mean(windows**temperatures, columns)
        predictions.append(
            Prediction(item.example, item.variant, BUNDLE_FOLD, 0, calibrated, uncalibrated)
        )
    return predictions


def _normalised_mean(windows: Float64, columns: Sequence[int]) -> tuple[float, ...]:
    """Return the mean over windows, normalised over some classes after the mean, as a scan does."""
    mean = (windows / windows.sum(axis=1, keepdims=True)).mean(axis=0)[columns]
    return tuple((mean / mean.sum()).tolist())


def corpus_notes(corpus: Corpus) -> tuple[str, ...]:
    """Return what readers of figures should know of the corpus."""
    notes = []
    if corpus.duplicates:
        first = corpus.duplicates[0]
        notes.append(
            f"Recordings under two names, counted once: {len(corpus.duplicates)},"
            f" such as {first.dropped.name}, which is {first.kept.name}."
        )
    if corpus.failures:
        notes.append(f"Recordings that could not be decoded: {len(corpus.failures)}.")
    if corpus.unrecognised:
        notes.append(
            f"Left out, for their names do not contain an emotion: {len(corpus.unrecognised)}."
        )
    notes += [
        f"Left out, for {label} is none of the classes: {count}."
        for label, count in corpus.without_class
    ]
    return tuple(notes)


def _language_notes(examples: Iterable[Example]) -> tuple[str, ...]:
    unknown = sorted({example.corpus for example in examples if not example.language})
    if not unknown:
        return ()
    names = ", ".join(unknown)
    return (f"The language is not known: corpora of the same may be trained on. {names}.",)


def _count_by_reason(failures: Failures) -> Counter[str]:
    """Count recordings without features by the code of the reason; the details differ."""
    return Counter(reason.partition(":")[0] for _, reason in failures)


def _count_by_corpus(examples: Iterable[Example]) -> dict[str, CorpusCounts]:
    """Count the recordings and speakers of each corpus; a recording that comes twice is one."""
    by_corpus: dict[str, set[Example]] = {}
    for example in examples:
        by_corpus.setdefault(example.corpus, set()).add(example)
    return {
        name: CorpusCounts(
            len(recordings),
            len({example.speaker for example in recordings if example.speaker}),
        )
        for name, recordings in sorted(by_corpus.items())
    }
