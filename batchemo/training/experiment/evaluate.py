"""Evaluates a recipe by training it, or a finished bundle, on a corpus."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from batchemo.audio import WindowConfig
from batchemo.bundles import Bundle, open_classifier
from batchemo.common.arrays import Float64
from batchemo.corpora import Corpus, Example
from batchemo.errors import BatchemoError, UsageError
from batchemo.evaluation import CorpusCounts, Evaluation, EvaluationInfo, evaluate
from batchemo.evaluation.predictions import Prediction
from batchemo.inference.predict_task import PredictTask, predict_chunk
from batchemo.inference.settings import ModelSettings
from batchemo.sources import Recording
from batchemo.sources.recording import stat_recording
from batchemo.tables.rows import RecordingResult
from batchemo.training.data.augment_audio import ORIGINAL
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
    ignore_run,
    run_experiment,
)
from batchemo.workers.parallel import map_in_processes

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

_CHUNK_RECORDINGS = 16
"""Recordings that a worker gets together, so that their windows fill batches."""

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
    predictions, failures = result.predictions, gathered.failures
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
            experiment.protocol, experiment.recipe.hyperparameters, experiment.other_temperature
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
    if _takes_stored_features(bundle):
        gathered = gather_for_bundle(
            bundle,
            unseen,
            conditions,
            feature_folder=feature_folder,
            jobs=jobs,
            on_progress=on_progress,
        )
        failures = gathered.failures
        predictions = predict_with_bundle(bundle, gathered.items, labels)
    else:
        if conditions:
            raise UsageError(
                f"--conditions needs a model that takes features of windows of one length, and"
                f" {bundle.name} does not"
            )
        predictions, failures = predict_as_scan(
            bundle, unseen, labels, jobs=jobs, on_progress=on_progress
        )
    if not predictions:
        failed, reason = failures[0]
        raise BatchemoError(
            f"none of the recordings that are left can be analysed: {failed.path}: {reason}"
        )
    notes = corpus_notes(corpus)
    if read_training_set(bundle) is None:
        unknown = "The bundle does not say which recordings it was trained on: some of these may be"
        notes += (f"{unknown} among them.",)
    info = EvaluationInfo(
        subject=bundle.name,
        kind="bundle",
        protocol=protocol,
        protocol_description=BUNDLE_PROTOCOLS[protocol],
        corpora=_count_by_corpus(one.example for one in predictions),
        left_out={**left_out, **seen, **_count_by_reason(failures)},
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


def _takes_stored_features(bundle: Bundle) -> bool:
    """Whether the input is what training keeps on disk: features, padded to one length."""
    return bundle.input.feature_set is not None and bundle.input.padding != "forbidden"


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
    if feature_set is None:
        raise ValueError(f"{bundle.name} takes samples, which are not kept")
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


def predict_as_scan(
    bundle: Bundle,
    examples: Sequence[Example],
    classes: Sequence[str],
    *,
    jobs: int = 1,
    on_progress: OnProgress = ignore_progress,
) -> tuple[list[Prediction], Failures]:
    """Return the predictions of a bundle of any input, and the recordings that a scan refuses.

    Nothing is kept on disk. Probabilities before calibration are not known.
    """
    check_classes(bundle, classes)
    columns = [bundle.labels.index(name) for name in classes]
    task = PredictTask((ModelSettings(str(bundle.path.resolve())),))
    chunks = [
        examples[first : first + _CHUNK_RECORDINGS]
        for first in range(0, len(examples), _CHUNK_RECORDINGS)
    ]
    predictions, failures = list[Prediction](), list[tuple[Example, str]]()
    on_progress(0, len(examples))
    work = partial(_predict_chunk, task)
    with closing(map_in_processes(chunks, work, jobs, ordered=True)) as results:
        for chunk, rows in results:
            for example, row in zip(chunk, rows, strict=True):
                if row.reason is not None:
                    failures.append((example, f"{row.reason}: {row.detail}"))
                elif row.probabilities is not None:
                    mean = np.array([row.probabilities], np.float64)
                    calibrated = _normalised_mean(mean, columns)
                    predictions.append(Prediction(example, ORIGINAL, BUNDLE_FOLD, 0, calibrated))
            on_progress(len(predictions) + len(failures), len(examples))
    return predictions, tuple(failures)


def _predict_chunk(task: PredictTask, examples: Sequence[Example]) -> list[RecordingResult]:
    """In a worker process: return the row of each recording."""
    recordings = [_recording(example.path) for example in examples]
    result = predict_chunk(task, recordings)
    if result.fatal is not None:
        raise BatchemoError(result.fatal)
    return [row for rows in result.rows for row in rows]


def _recording(path: Path) -> Recording:
    root, file = os.path.split(os.path.abspath(path))
    return stat_recording(root, file) or Recording(root, file, None, None)


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
