"""From a recipe, or a finished bundle, and a corpus to the results of an evaluation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from batchemo.bundles import Bundle, open_classifier
from batchemo.common.arrays import Float64
from batchemo.corpora import Corpus, Example
from batchemo.errors import BatchemoError, UsageError
from batchemo.evaluation import (
    CorpusCounts,
    Evaluation,
    EvaluationInfo,
    evaluate,
)
from batchemo.evaluation.predictions import Prediction
from batchemo.features import FeatureSet
from batchemo.training.data.augment_spectrogram import Windows
from batchemo.training.data.feature_store import FeatureItem, Progress, gather_items
from batchemo.training.data.protocols import Protocol, protocol_description
from batchemo.training.data.training_set import read_training_set, unseen_by
from batchemo.training.experiment.calibration import TEMPERATURE
from batchemo.training.experiment.cross_validation import (
    Experiment,
    Sat,
    exam_options,
    run_experiment,
)

BUNDLE_FOLD = "bundle"

_LEAST = float(np.finfo(np.float32).tiny)
"""No probability is taken for 0: so that there is always something to share out."""


def features_for(
    bundle: Bundle,
    examples: Sequence[Example],
    conditions: Sequence[str] = (),
    *,
    cache: Path,
    jobs: int = 1,
    progress: Progress = lambda done, total: None,
) -> tuple[tuple[FeatureItem, ...], tuple[tuple[Example, str], ...]]:
    """The features that the bundle wants of the recordings, and those that give none.

    The recordings are heard as they are, and under each of the conditions.
    """
    gathered = gather_items(
        examples,
        FeatureSet.from_dict(bundle.recipe),
        Windows(seconds=bundle.window, hop=bundle.hop),
        conditions,
        cache=cache,
        jobs=jobs,
        progress=progress,
    )
    return gathered.items, gathered.failures


def check_classes(bundle: Bundle, classes: Sequence[str]) -> None:
    """Raise a UsageError unless the bundle knows all of these labels."""
    if unknown := [name for name in classes if name not in bundle.labels]:
        raise UsageError(
            f"{bundle.name} does not know {', '.join(unknown)}; it knows {', '.join(bundle.labels)}"
        )


def predict_with_bundle(
    bundle: Bundle, items: Sequence[FeatureItem], classes: Sequence[str]
) -> list[Prediction]:
    """What the bundle says of items, its probabilities shared out among some of its labels."""
    check_classes(bundle, classes)
    classifier = open_classifier(bundle)
    places = [bundle.labels.index(name) for name in classes]
    predictions = []
    for item in items:
        windows = np.maximum(classifier.run(item.windows).astype(np.float64), _LEAST)
        told = _shared_out(windows, places)
        # The temperature of softmax is undone by a power: what a window's net said before.
        before = _shared_out(windows**bundle.temperature, places)
        predictions.append(Prediction(item.example, item.copy, BUNDLE_FOLD, 0, told, before))
    return predictions


def _shared_out(windows: Float64, places: Sequence[int]) -> tuple[float, ...]:
    """The mean over windows, of which each counts alike, shared out among some labels."""
    shares = (windows / windows.sum(axis=1, keepdims=True)).mean(axis=0)[places]
    return tuple((shares / shares.sum()).tolist())


BUNDLE_PROTOCOLS: Mapping[Protocol, str] = {
    "speaker": (
        "The finished model, on recordings of speakers of whom it learnt nothing; all others are"
        " left out."
    ),
    "random": (
        "The finished model, on recordings that it did not learn from; it may know their speakers"
        " from others."
    ),
    "leaky": (
        "LEAKY: the finished model, on all recordings, those that it learnt from among them. Not a"
        " measure of accuracy on new speech."
    ),
}


def evaluate_system(
    experiment: Experiment,
    corpus: Corpus,
    *,
    jobs: int = 1,
    progress: Progress = lambda done, total: None,
    told: Sat = lambda done, total, split, predictions: None,
) -> Evaluation:
    """Train and test a system under a protocol, and report."""
    gathered = experiment.gather(jobs=jobs, progress=progress)
    sitting = run_experiment(experiment, jobs=jobs, progress=progress, told=told)
    predictions = sitting.predictions
    notes = corpus_notes(corpus)
    if experiment.twice:
        notes = (
            *notes,
            "Every recording was there twice, as in copies of RAVDESS that are shared.",
        )
    info = EvaluationInfo(
        subject=experiment.system.name,
        kind="recipe",
        protocol=experiment.protocol,
        protocol_description=protocol_description(experiment.protocol, experiment.hyperparameters),
        corpora=_heard([one.example for one in predictions]),
        left_out=_reasons(gathered.failures),
        notes=notes,
        options={**exam_options(experiment), TEMPERATURE: sitting.temperature},
    )
    return evaluate(predictions, experiment.labels, info=info)


def evaluate_bundle(
    bundle: Bundle,
    corpus: Corpus,
    protocol: Protocol,
    *,
    classes: Sequence[str] = (),
    conditions: Sequence[str] = (),
    cache: Path,
    jobs: int = 1,
    progress: Progress = lambda done, total: None,
) -> Evaluation:
    """Put a corpus through a finished bundle, as a scan does, and report.

    With `classes`, only recordings of these are judged, and the probabilities are shared out among
    them; otherwise those of labels that the bundle does not know are left out. With `conditions`,
    recordings are heard under each of these too.
    """
    check_classes(bundle, classes)
    wanted = tuple(classes) or bundle.labels
    known = [example for example in corpus.examples if example.emotion in wanted]
    if not known:
        raise UsageError(
            f"{', '.join(corpus.labels)}: none of these is judged here, only {', '.join(wanted)}."
            " Say what they stand for with --label old=new"
        )
    left_out = Counter(
        f"{example.emotion} is not judged here"
        for example in corpus.examples
        if example.emotion not in wanted
    )
    examples, seen = unseen_by(bundle, known, protocol)
    items, failures = features_for(
        bundle, examples, conditions, cache=cache, jobs=jobs, progress=progress
    )
    if not items:
        path, why = failures[0][0].path, failures[0][1]
        raise BatchemoError(f"none of the recordings that are left can be heard: {path}: {why}")
    predictions = predict_with_bundle(bundle, items, wanted)
    notes = corpus_notes(corpus)
    if read_training_set(bundle) is None:
        notes = (
            *notes,
            "The bundle does not tell which recordings it learnt from: some of these may be among"
            " them.",
        )
    info = EvaluationInfo(
        subject=bundle.name,
        kind="bundle",
        protocol=protocol,
        protocol_description=BUNDLE_PROTOCOLS[protocol],
        corpora=_heard([item.example for item in items]),
        left_out={**left_out, **seen, **_reasons(failures)},
        notes=notes,
        options={"model": f"{bundle.name}@{bundle.digest[:12]}", "classes": list(classes)},
    )
    return evaluate(predictions, wanted, info=info)


def corpus_notes(corpus: Corpus) -> tuple[str, ...]:
    """What a reader of figures should know of the corpus."""
    notes = []
    if corpus.duplicates:
        one = corpus.duplicates[0]
        notes.append(
            f"Recordings under two names, counted once: {len(corpus.duplicates)},"
            f" such as {one.dropped.name}, which is {one.kept.name}."
        )
    if corpus.failures:
        notes.append(f"Recordings that could not be decoded: {len(corpus.failures)}.")
    if corpus.unrecognised:
        notes.append(f"Left out, for their names tell no emotion: {len(corpus.unrecognised)}.")
    return tuple(notes)


def _reasons(failures: Sequence[tuple[Example, str]]) -> Counter[str]:
    """Count what could not be heard by the code of the reason; the details differ."""
    return Counter(why.partition(":")[0] for _, why in failures)


def _heard(examples: Sequence[Example]) -> dict[str, CorpusCounts]:
    corpora: dict[str, set[Example]] = {}
    for example in examples:
        corpora.setdefault(example.corpus, set()).add(example)
    return {
        name: CorpusCounts(len(own), len({example.speaker for example in own if example.speaker}))
        for name, own in sorted(corpora.items())
    }
