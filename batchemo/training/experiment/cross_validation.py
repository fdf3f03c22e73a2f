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
from batchemo.evaluation.predictions import Judged
from batchemo.training.data.augment_audio import ORIGINAL
from batchemo.training.data.feature_store import (
    Gathered,
    Progress,
    gather_items,
    home_of,
)
from batchemo.training.data.protocols import (
    Folds,
    Protocol,
    Trial,
    make_trials,
    with_twins,
)
from batchemo.training.experiment.calibration import AS_IT_IS, temperature_of_all, temperatures
from batchemo.training.experiment.context import Answers, Classroom
from batchemo.training.experiment.runs import judge, run_trial
from batchemo.training.hyperparameters import Choices
from batchemo.training.recipes import System, get_system


def hear_otherwise(
    room: Classroom,
    trials: Sequence[Trial],
    conditions: Sequence[str],
    *,
    jobs: int = 1,
    progress: Progress = lambda done, total: None,
) -> tuple[Classroom, tuple[Trial, ...]]:
    """The room with what is tested under each condition as well, and the trials that test it."""
    tested = {room.items[place].example: None for trial in trials for place in trial.test}
    gathered = gather_items(
        tuple(tested),
        room.system.features,
        room.system.windows,
        conditions,
        cache=room.features,
        jobs=jobs,
        progress=progress,
    )
    changed = [item for item in gathered.items if item.copy != ORIGINAL]
    beside = room.beside
    if beside:
        same = [room.trial_beside(trial) for trial in trials]
        beside, _ = hear_otherwise(beside, same, conditions, jobs=jobs, progress=progress)
    wide = replace(room, items=(*room.items, *changed), beside=beside)
    places: dict[Example, list[int]] = {example: [] for example in tested}
    for place, item in enumerate(changed, start=len(room.items)):
        places[item.example].append(place)
    return wide, tuple(
        replace(trial, test=tuple(p for one in room.some(trial.test) for p in places[one.example]))
        for trial in trials
    )


Sat: TypeAlias = Callable[[int, int, Trial, tuple[Judged, ...]], None]
"""Told how many of how many trials are done, and the last of them with its verdicts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exam:
    """What is examined, how, and where its work is kept."""

    system: System
    choices: Choices
    examples: tuple[Example, ...]
    labels: tuple[str, ...]
    work: Path
    protocol: Protocol = "speaker"
    seeds: tuple[int, ...] = (0,)
    folds: Folds = None
    conditions: tuple[str, ...] = ()
    """What the tested recordings are heard under besides."""

    def gather(self, *, jobs: int = 1, progress: Progress = lambda done, total: None) -> Gathered:
        """The items of all recordings and of their copies: computed once, then found."""
        gathered = gather_items(
            self.examples,
            self.system.features,
            self.system.windows,
            self.choices.copies,
            home=home_of(self.examples) if self.choices.abroad else None,
            cache=self.work / "features",
            jobs=jobs,
            progress=progress,
        )
        if self.beside:
            self.beside.gather(jobs=jobs, progress=progress)
        return gathered

    @property
    def beside(self) -> Exam | None:
        """The same exam of the system beside this one, which learns from copies of its own.

        Where copies lie on both sides, they are the same: else some could not be asked about.
        """
        if not self.system.beside:
            return None
        system, own = get_system(self.system.beside), self.choices
        choices = replace(
            system.choices,
            copies=own.copies if self.protocol == "leaky" else system.choices.copies,
            abroad=min(own.abroad, system.choices.abroad),
            validation=own.validation,
            seed=own.seed,
        )
        return replace(self, system=system, choices=choices)

    @property
    def twice(self) -> bool:
        """Whether every recording is there twice: how a system without copies leaks."""
        return self.protocol == "leaky" and not self.choices.copies

    def room(self, gathered: Gathered | None = None) -> Classroom:
        """The classroom of this exam's trials, with all items: those that are gathered, if any."""
        items = (gathered or self.gather()).items
        if self.twice:
            items = with_twins(items)
        beside = self.beside.room() if self.beside else None
        return Classroom(self.system, self.choices, items, self.labels, self.work, beside)

    def trials(self, room: Classroom) -> tuple[Trial, ...]:
        """All trainings of this exam."""
        return make_trials(self.protocol, room.items, self.choices, self.seeds, folds=self.folds)


@dataclass(frozen=True, slots=True)
class Sitting:
    """What came of an exam."""

    judged: tuple[Judged, ...]
    temperature: float | None
    """What suits the nets of all folds; None where each was calibrated by what it watched."""


def sit(
    exam: Exam,
    *,
    jobs: int = 1,
    progress: Progress = lambda done, total: None,
    told: Sat = lambda done, total, trial, judged: None,
) -> Sitting:
    """Run every trial; what an earlier, interrupted exam has finished in its work is not redone."""
    import joblib

    room = _room(exam)
    trials = exam.trials(room)
    running = joblib.Parallel(n_jobs=min(jobs, len(trials)), return_as="generator")(
        joblib.delayed(_sit_one)(exam, trial, jobs > 1) for trial in trials
    )
    every: list[tuple[Trial, Answers, float | None]] = []
    for done, (trial, (answers, own)) in enumerate(zip(trials, running, strict=True), start=1):
        every.append((trial, answers, own))
        told(done, len(trials), trial, judge(room, trial, answers, own or AS_IT_IS))
    fitting = temperatures(room, every)
    judged = [
        one
        for (trial, answers, _), temperature in zip(every, fitting, strict=True)
        for one in judge(room, trial, answers, temperature)
    ]
    if exam.conditions:
        hear_otherwise(room, trials, exam.conditions, jobs=jobs, progress=progress)
        judged += _sit_otherwise(exam, fitting, jobs)
    return Sitting(tuple(judged), temperature_of_all(room, every))


def _sit_otherwise(exam: Exam, fitting: Sequence[float], jobs: int) -> Iterator[Judged]:
    """The verdicts of the same nets, at the same temperatures, on recordings heard otherwise."""
    import joblib

    wide, trials = _wide_room(exam)
    running = joblib.Parallel(n_jobs=min(jobs, len(trials)), return_as="generator")(
        joblib.delayed(_ask_again)(exam, place, jobs > 1) for place in range(len(trials))
    )
    for trial, answers, temperature in zip(trials, running, fitting, strict=True):
        yield from judge(wide, trial, answers, temperature)


def exam_options(exam: Exam) -> dict[str, object]:
    """The choices that figures depend on, as a report tells them."""
    folds = {} if exam.folds is None else {"folds": exam.folds}
    options = {key: value for key, value in asdict(exam.choices).items() if key != "seed"}
    return {**options, **folds, "features": exam.system.heard.to_dict()}


@lru_cache(maxsize=1)
def _room(exam: Exam) -> Classroom:
    # Kept: a worker runs many trials of one exam.
    return exam.room()


@lru_cache(maxsize=1)
def _wide_room(exam: Exam) -> tuple[Classroom, tuple[Trial, ...]]:
    room = _room(exam)
    return hear_otherwise(room, exam.trials(room), exam.conditions)


def _sit_one(exam: Exam, trial: Trial, alone: bool) -> tuple[Answers, float | None]:
    _settle(alone)
    return run_trial(_room(exam), trial)


def _ask_again(exam: Exam, place: int, alone: bool) -> Answers:
    _settle(alone)
    wide, trials = _wide_room(exam)
    answers, _ = run_trial(wide, trials[place])
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
