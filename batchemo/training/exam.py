"""Puts one of the systems through a protocol: all its trainings and tests, in several processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from batchemo.training.choices import Choices
from batchemo.training.corpora import Example
from batchemo.training.items import Gathered, Progress, gather_items
from batchemo.training.judged import Judged
from batchemo.training.protocols import Protocol, Trial, make_trials, with_twins
from batchemo.training.systems import System
from batchemo.training.trials import Classroom, run_trial


@dataclass(frozen=True, slots=True)
class Exam:
    """What is examined, how, and where its work is kept."""

    system: System
    choices: Choices
    examples: tuple[Example, ...]
    labels: tuple[str, ...]
    protocol: Protocol
    seeds: tuple[int, ...]
    folds: str | int | None
    work: Path

    def gather(self, *, jobs: int = 1, progress: Progress = lambda done, total: None) -> Gathered:
        """The items of all recordings and of their copies: computed once, then found."""
        return gather_items(
            self.examples,
            self.system.features,
            self.system.windows,
            self.choices.copies,
            cache=self.work / "features",
            jobs=jobs,
            progress=progress,
        )

    @property
    def twice(self) -> bool:
        """Whether every recording is there twice: how a system without copies leaks."""
        return self.protocol == "leaky" and not self.choices.copies

    def room(self) -> Classroom:
        """The classroom of this exam's trials, with all items."""
        items = self.gather().items
        if self.twice:
            items = with_twins(items)
        return Classroom(self.system, self.choices, items, self.labels, self.work)

    def trials(self, room: Classroom) -> tuple[Trial, ...]:
        """All trainings of this exam."""
        return make_trials(self.protocol, room.items, self.choices, self.seeds, folds=self.folds)


def sit(exam: Exam, *, jobs: int = 1) -> Iterator[tuple[int, Trial, tuple[Judged, ...]]]:
    """Run every trial, the number of all of them and each trial's verdicts as they come.

    What an earlier, interrupted exam in the same work folder has finished is not done again.
    """
    import joblib

    trials = exam.trials(_room(exam))
    done = joblib.Parallel(n_jobs=min(jobs, len(trials)), return_as="generator_unordered")(
        joblib.delayed(_sit_one)(exam, trial, jobs > 1) for trial in trials
    )
    for trial, judged in done:
        yield len(trials), trial, judged


@lru_cache(maxsize=1)
def _room(exam: Exam) -> Classroom:
    # Kept: a worker runs many trials of one exam.
    return exam.room()


def _sit_one(exam: Exam, trial: Trial, alone: bool) -> tuple[Trial, tuple[Judged, ...]]:
    quieten()
    if alone:
        use_one_thread()
    return trial, run_trial(_room(exam), trial)


def quieten() -> None:
    """Keep TensorFlow from talking, and from taking all of a GPU's memory for one process."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")


def use_one_thread() -> None:
    """Give each of several processes one core; for more than that it is too late at times."""
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        return  # TensorFlow is at work in this process, with the threads it was given.
