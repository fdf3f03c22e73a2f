"""Runs all folds and seeds of an experiment, in several processes."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

from batchemo.corpora import Example
from batchemo.evaluation.predictions import Prediction
from batchemo.training.data.augment_audio import ORIGINAL
from batchemo.training.data.feature_store import (
    FeatureItems,
    Progress,
    find_main_corpus,
    gather_items,
)
from batchemo.training.data.protocols import (
    Folds,
    Protocol,
    Split,
    make_trials,
    with_twins,
)
from batchemo.training.experiment.calibration import AS_IT_IS, temperature_of_all, temperatures
from batchemo.training.experiment.context import Answers, RunContext
from batchemo.training.experiment.runs import judge, run_trial
from batchemo.training.hyperparameters import Hyperparameters
from batchemo.training.recipes import Recipe, get_recipe


def hear_otherwise(
    context: RunContext,
    splits: Sequence[Split],
    conditions: Sequence[str],
    *,
    jobs: int = 1,
    progress: Progress = lambda done, total: None,
) -> tuple[RunContext, tuple[Split, ...]]:
    """The room with what is tested under each condition as well, and the trials that test it."""
    tested = {context.items[place].example: None for split in splits for place in split.test}
    gathered = gather_items(
        tuple(tested),
        context.system.features,
        context.system.windows,
        conditions,
        cache=context.features,
        jobs=jobs,
        progress=progress,
    )
    changed = [item for item in gathered.items if item.copy != ORIGINAL]
    beside = context.beside
    if beside:
        same = [context.trial_beside(split) for split in splits]
        beside, _ = hear_otherwise(beside, same, conditions, jobs=jobs, progress=progress)
    wide = replace(context, items=(*context.items, *changed), beside=beside)
    places: dict[Example, list[int]] = {example: [] for example in tested}
    for place, item in enumerate(changed, start=len(context.items)):
        places[item.example].append(place)
    return wide, tuple(
        replace(
            split, test=tuple(p for one in context.some(split.test) for p in places[one.example])
        )
        for split in splits
    )


Sat: TypeAlias = Callable[[int, int, Split, tuple[Prediction, ...]], None]
"""Told how many of how many trials are done, and the last of them with its verdicts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """What is examined, how, and where its work is kept."""

    system: Recipe
    hyperparameters: Hyperparameters
    examples: tuple[Example, ...]
    labels: tuple[str, ...]
    work: Path
    protocol: Protocol = "speaker"
    seeds: tuple[int, ...] = (0,)
    folds: Folds = None
    conditions: tuple[str, ...] = ()
    """What the tested recordings are heard under besides."""

    def gather(
        self, *, jobs: int = 1, progress: Progress = lambda done, total: None
    ) -> FeatureItems:
        """The items of all recordings and of their copies: computed once, then found."""
        gathered = gather_items(
            self.examples,
            self.system.features,
            self.system.windows,
            self.hyperparameters.augmentations,
            main_corpus=find_main_corpus(self.examples)
            if self.hyperparameters.other_corpora_share
            else None,
            cache=self.work / "features",
            jobs=jobs,
            progress=progress,
        )
        if self.beside:
            self.beside.gather(jobs=jobs, progress=progress)
        return gathered

    @property
    def beside(self) -> Experiment | None:
        """The same exam of the system beside this one, which learns from copies of its own.

        Where copies lie on both sides, they are the same: else some could not be asked about.
        """
        if not self.system.beside:
            return None
        system, own = get_recipe(self.system.beside), self.hyperparameters
        hyperparameters = replace(
            system.hyperparameters,
            augmentations=own.augmentations
            if self.protocol == "leaky"
            else system.hyperparameters.augmentations,
            other_corpora_share=min(
                own.other_corpora_share, system.hyperparameters.other_corpora_share
            ),
            validation_share=own.validation_share,
            seed=own.seed,
        )
        return replace(self, system=system, hyperparameters=hyperparameters)

    @property
    def twice(self) -> bool:
        """Whether every recording is there twice: how a system without copies leaks."""
        return self.protocol == "leaky" and not self.hyperparameters.augmentations

    def context(self, gathered: FeatureItems | None = None) -> RunContext:
        """The classroom of this exam's trials, with all items: those that are gathered, if any."""
        items = (gathered or self.gather()).items
        if self.twice:
            items = with_twins(items)
        beside = self.beside.context() if self.beside else None
        return RunContext(self.system, self.hyperparameters, items, self.labels, self.work, beside)

    def splits(self, context: RunContext) -> tuple[Split, ...]:
        """All trainings of this exam."""
        return make_trials(
            self.protocol, context.items, self.hyperparameters, self.seeds, folds=self.folds
        )


@dataclass(frozen=True, slots=True)
class ExperimentResult:
    """What came of an exam."""

    predictions: tuple[Prediction, ...]
    temperature: float | None
    """What suits the nets of all folds; None where each was calibrated by what it watched."""


def run_experiment(
    experiment: Experiment,
    *,
    jobs: int = 1,
    progress: Progress = lambda done, total: None,
    told: Sat = lambda done, total, split, predictions: None,
) -> ExperimentResult:
    """Run every trial; what an earlier, interrupted exam has finished in its work is not redone."""
    import joblib

    context = _room(experiment)
    splits = experiment.splits(context)
    running = joblib.Parallel(n_jobs=min(jobs, len(splits)), return_as="generator")(
        joblib.delayed(_sit_one)(experiment, split, jobs > 1) for split in splits
    )
    every: list[tuple[Split, Answers, float | None]] = []
    for done, (split, (answers, own)) in enumerate(zip(splits, running, strict=True), start=1):
        every.append((split, answers, own))
        told(done, len(splits), split, judge(context, split, answers, own or AS_IT_IS))
    fitting = temperatures(context, every)
    predictions = [
        one
        for (split, answers, _), temperature in zip(every, fitting, strict=True)
        for one in judge(context, split, answers, temperature)
    ]
    if experiment.conditions:
        hear_otherwise(context, splits, experiment.conditions, jobs=jobs, progress=progress)
        predictions += _sit_otherwise(experiment, fitting, jobs)
    return ExperimentResult(tuple(predictions), temperature_of_all(context, every))


def _sit_otherwise(
    experiment: Experiment, fitting: Sequence[float], jobs: int
) -> Iterator[Prediction]:
    """The verdicts of the same nets, at the same temperatures, on recordings heard otherwise."""
    import joblib

    wide, splits = _wide_room(experiment)
    running = joblib.Parallel(n_jobs=min(jobs, len(splits)), return_as="generator")(
        joblib.delayed(_ask_again)(experiment, place, jobs > 1) for place in range(len(splits))
    )
    for split, answers, temperature in zip(splits, running, fitting, strict=True):
        yield from judge(wide, split, answers, temperature)


def exam_options(experiment: Experiment) -> dict[str, object]:
    """The choices that figures depend on, as a report tells them."""
    folds = {} if experiment.folds is None else {"folds": experiment.folds}
    options = {
        key: value for key, value in asdict(experiment.hyperparameters).items() if key != "seed"
    }
    return {**options, **folds, "features": experiment.system.heard.to_dict()}


@lru_cache(maxsize=1)
def _room(experiment: Experiment) -> RunContext:
    # Kept: a worker runs many trials of one exam.
    return experiment.context()


@lru_cache(maxsize=1)
def _wide_room(experiment: Experiment) -> tuple[RunContext, tuple[Split, ...]]:
    context = _room(experiment)
    return hear_otherwise(context, experiment.splits(context), experiment.conditions)


def _sit_one(experiment: Experiment, split: Split, alone: bool) -> tuple[Answers, float | None]:
    _settle(alone)
    return run_trial(_room(experiment), split)


def _ask_again(experiment: Experiment, place: int, alone: bool) -> Answers:
    _settle(alone)
    wide, splits = _wide_room(experiment)
    answers, _ = run_trial(wide, splits[place])
    return answers


def _settle(alone: bool) -> None:
    """Prepare a process for TensorFlow."""
    quieten()
    if alone:
        use_one_thread()


def quieten() -> None:
    """Keep TensorFlow from talking, and from taking all of a GPU's memory for one process."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    with _deaf_to_errors():
        import tensorflow as tf
    tf.get_logger().setLevel(logging.ERROR)


@contextmanager
def _deaf_to_errors() -> Iterator[None]:
    """Let standard error lead nowhere: some of what TensorFlow says at its start heeds no level."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def use_one_thread() -> None:
    """Give each of several processes one core."""
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        return  # TensorFlow is at work in this process, with the threads it was given.
