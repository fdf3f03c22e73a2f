"""Runs all folds and seeds of an experiment, in several processes, and calibrates what comes."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TypeAlias

from batchemo.corpora import Example
from batchemo.evaluation.predictions import Prediction
from batchemo.training.data.augment_audio import ORIGINAL
from batchemo.training.data.encoding import Encoder
from batchemo.training.data.feature_store import (
    FeatureItems,
    OnProgress,
    find_main_corpus,
    gather_items,
    ignore_progress,
    with_twins,
)
from batchemo.training.data.protocols import Folds, Protocol, Sample, Split, make_splits
from batchemo.training.experiment.calibration import (
    UNCALIBRATED,
    Weigh,
    between,
    corpus_weights,
    equal_weights,
    final_temperature,
    temperatures,
)
from batchemo.training.experiment.context import FEATURES, RunContext
from batchemo.training.experiment.encoder import make_encoder
from batchemo.training.experiment.runs import RunResult, run_split
from batchemo.training.recipes import Recipe
from batchemo.workers.parallel import map_in_processes

OnRun: TypeAlias = Callable[[int, int, Split, tuple[Prediction, ...]], None]
"""Called with how many of how many runs are done, and the last of them with its predictions."""


def ignore_run(done: int, total: int, split: Split, predictions: tuple[Prediction, ...]) -> None:
    """Do nothing: the `on_run` of callers who want to know nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """What is trained and tested, how, and where intermediate results are kept."""

    recipe: Recipe
    examples: tuple[Example, ...]
    labels: tuple[str, ...]
    work: Path
    encoder: Path | None = None
    """The file of the encoder, for recipes that have one; None for that of the model `default`."""
    protocol: Protocol = "speaker"
    seeds: tuple[int, ...] = (0,)
    folds: Folds = None
    test_only: tuple[str, ...] = ()
    """The corpora that the protocol `corpus` tests, but never trains on."""
    test_on: tuple[str, ...] = ()
    """The corpora that the protocol `speaker` tests; empty for all."""
    conditions: tuple[str, ...] = ()
    """The conditions under which test recordings are predicted once more."""
    other_temperature: float | None = None
    """What another protocol fitted: see `experiment.calibration.between`."""

    @property
    def has_twins(self) -> bool:
        """Whether every recording is there twice: how a recipe without augmentations leaks."""
        return self.protocol == "leaky" and not self.recipe.hyperparameters.augmentations

    def gather(self, *, jobs: int = 1, on_progress: OnProgress = ignore_progress) -> FeatureItems:
        """Return the items of all recordings; what is not stored is computed."""
        trained = [one for one in self.examples if one.corpus not in self.test_only]
        hyperparameters = self.recipe.hyperparameters
        return gather_items(
            self.examples,
            self.recipe.features,
            self.recipe.windows,
            hyperparameters.augmentations,
            main_corpus=find_main_corpus(trained) if hyperparameters.other_corpora_share else None,
            encoder=self.encoder_graph(),
            folder=self.work / FEATURES,
            jobs=jobs,
            on_progress=on_progress,
        )

    def context(self, gathered: FeatureItems | None = None) -> RunContext:
        """Return what the runs share; the items are computed unless they are given."""
        items = (gathered or self.gather()).items
        if self.has_twins:
            items = with_twins(items)
        return RunContext(self.recipe, items, self.labels, self.work, self.encoder_graph())

    def encoder_graph(self) -> Encoder | None:
        """Return the recipe's encoder as a graph, which is made in the work folder if need be."""
        return make_encoder(self.encoder, self.recipe, self.work) if self.recipe.encoder else None

    def splits(self, context: RunContext) -> tuple[Split, ...]:
        """Return the splits of all runs."""
        return make_splits(
            self.protocol,
            context.samples,
            self.recipe.hyperparameters,
            self.seeds,
            folds=self.folds,
            test_only=self.test_only,
            test_on=self.test_on,
        )


def experiment_options(experiment: Experiment) -> dict[str, object]:
    """Return the options that the figures of an experiment depend on, for its report."""
    options = asdict(experiment.recipe.hyperparameters)
    del options["seed"]  # `seeds` takes its place.
    folds = {} if experiment.folds is None else {"folds": experiment.folds}
    for name in ("test_only", "test_on"):
        if corpora := getattr(experiment, name):
            options[name] = corpora
    return {**options, **folds, "features": experiment.recipe.features.to_dict()}


@dataclass(frozen=True, slots=True)
class ExperimentResult:
    """The predictions of all runs."""

    predictions: tuple[Prediction, ...]
    temperature: float | None
    """For a model that is trained on all folds; None where runs were calibrated by validation."""


def run_experiment(
    experiment: Experiment,
    *,
    jobs: int = 1,
    on_progress: OnProgress = ignore_progress,
    on_run: OnRun = ignore_run,
) -> ExperimentResult:
    """Run every split; what an earlier, interrupted call has finished is not run again."""
    context, splits = _context_and_splits(experiment, under_conditions=False)
    results: list[RunResult] = []
    with closing(_run_splits(experiment, jobs, under_conditions=False)) as running:
        for done, result in enumerate(running, start=1):
            results.append(result)
            # Preliminary: other folds, which may calibrate this one, are not finished yet.
            predictions = result.predictions(result.temperature or UNCALIBRATED)
            on_run(done, len(splits), result.split, predictions)
    weigh: Weigh = equal_weights
    if experiment.protocol == "corpus":
        # What validation says is true of the corpora that were trained on, and of no other.
        results = [replace(result, temperature=None) for result in results]
        weigh = partial(corpus_weights, test_only=experiment.test_only)
    between_both = partial(between, experiment.other_temperature)
    calibration = [between_both(one) for one in temperatures(context, results, weigh)]
    predicted = [
        prediction
        for result, temperature in zip(results, calibration, strict=True)
        for prediction in result.predictions(temperature)
    ]
    if experiment.conditions:
        with_conditions(context, splits, experiment.conditions, jobs=jobs, on_progress=on_progress)
        with closing(_run_splits(experiment, jobs, under_conditions=True)) as running:
            for result, temperature in zip(running, calibration, strict=True):
                predicted += result.predictions(temperature)
    final = final_temperature(context, results, weigh)
    return ExperimentResult(tuple(predicted), None if final is None else between_both(final))


def with_conditions(
    context: RunContext,
    splits: Sequence[Split],
    conditions: Sequence[str],
    *,
    jobs: int = 1,
    on_progress: OnProgress = ignore_progress,
) -> tuple[RunContext, tuple[Split, ...]]:
    """Return the context with the test recordings under conditions, and splits that test these.

    A recording without speech under a condition is not tested under it.
    """
    tested = tuple(dict.fromkeys(sample.example for split in splits for sample in split.test))
    gathered = gather_items(
        tested,
        context.recipe.features,
        context.recipe.windows,
        conditions,
        encoder=context.encoder,
        folder=context.work / FEATURES,
        jobs=jobs,
        on_progress=on_progress,
    )
    new_items = (item for item in gathered.items if item.variant != ORIGINAL)
    extended = replace(context, items=(*context.items, *new_items))
    available = set(extended.samples)
    return extended, tuple(
        replace(
            split,
            test=tuple(
                changed
                for sample in split.test
                for condition in conditions
                if (changed := Sample(sample.example, condition)) in available
            ),
        )
        for split in splits
    )


@lru_cache(maxsize=2)
def _context_and_splits(
    experiment: Experiment, *, under_conditions: bool
) -> tuple[RunContext, tuple[Split, ...]]:
    """Return what all runs share; cached, as a worker process runs many splits of an experiment."""
    if under_conditions:
        context, splits = _context_and_splits(experiment, under_conditions=False)
        return with_conditions(context, splits, experiment.conditions)
    context = experiment.context()
    return context, experiment.splits(context)


def _run_splits(
    experiment: Experiment, jobs: int, *, under_conditions: bool
) -> Generator[RunResult, None, None]:
    """Yield the result of each split in order."""
    _, splits = _context_and_splits(experiment, under_conditions=under_conditions)
    numbers, jobs = range(len(splits)), min(jobs, len(splits))
    run = partial(_run_number, experiment, under_conditions=under_conditions, alone=jobs == 1)
    if jobs == 1:
        # In this process, where TensorFlow may use all cores.
        yield from map(run, numbers)
        return
    with closing(map_in_processes(numbers, run, jobs, ordered=True)) as running:
        for _, result in running:
            yield result


def _run_number(
    experiment: Experiment, number: int, *, under_conditions: bool, alone: bool
) -> RunResult:
    """Run the split of that number: splits are made anew here, which is quicker than sending."""
    quieten_tensorflow()
    if not alone:
        use_one_thread()
    context, splits = _context_and_splits(experiment, under_conditions=under_conditions)
    return run_split(context, splits[number])


def quieten_tensorflow() -> None:
    """Keep TensorFlow from logging, and from taking all of a GPU's memory for one process."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    with _silenced_stderr():
        import tensorflow as tf
    tf.get_logger().setLevel(logging.ERROR)


@contextmanager
def _silenced_stderr() -> Iterator[None]:
    """Send standard error nowhere: some messages of TensorFlow's start heed no log level."""
    # The descriptor itself, as they are written by C++.
    saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)


def use_one_thread() -> None:
    """Give each of several processes one core."""
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        return  # TensorFlow has started in this process already, with the threads it was given.
