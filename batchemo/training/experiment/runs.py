"""Runs one training and its test, and keeps what came of it, so that it never runs twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np

from batchemo.common.arrays import Float32
from batchemo.common.files import atomic_write
from batchemo.errors import BatchemoError
from batchemo.evaluation.predictions import Judged
from batchemo.training.data.dataset import Lessons
from batchemo.training.data.feature_store import Item
from batchemo.training.data.protocols import Trial
from batchemo.training.experiment.context import (
    CHECKPOINT,
    Answers,
    Classroom,
    Logits,
    Trained,
)
from batchemo.training.fit.history import Epoch
from batchemo.training.fit.scoring import fit_temperature, hear_items, probabilities
from batchemo.training.fit.trainer import Taught, teach
from batchemo.training.nets.layers import Given, Model
from batchemo.training.nets.logistic import L2S, learn_regression
from batchemo.training.nets.registry import (
    NETS,
    joined,
    net_of,
    together,
)
from batchemo.training.recipes import REGRESSION

Told: TypeAlias = Callable[[Trial, Epoch], None]


def run_trial(
    room: Classroom, trial: Trial, told: Told = lambda trial, epoch: None
) -> tuple[Answers, float | None]:
    """What the trial's net answers, found now or kept, and the temperature that suits it.

    The temperature is None where nothing was watched that could tell it.
    """
    answers = _answers(room, trial, told)
    return answers, _temperature(room, trial, answers.watch)


def judge(
    room: Classroom, trial: Trial, answers: Answers, temperature: float
) -> tuple[Judged, ...]:
    """The verdicts on what was tested, calibrated by this temperature."""
    plain = probabilities(answers.test).tolist()
    calibrated = probabilities(answers.test, temperature).tolist()
    return tuple(
        Judged(item.example, item.copy, trial.fold, trial.seed, tuple(row), tuple(before))
        for item, row, before in zip(room.some(trial.test), calibrated, plain, strict=True)
    )


def train(room: Classroom, trial: Trial, told: Told = lambda trial, epoch: None) -> Trained:
    """Teach fresh nets what the trial says, from the checkpoints of an earlier try if any."""
    trained = [_train_net(room, one, told) for one in room.nets(trial)]
    taught = tuple(taught for _, taught in trained if taught)
    model = together([net for net, _ in trained])
    watched = _hear(model, room.some(trial.watch))
    if room.beside:
        same = room.trial_beside(trial)
        other = train(room.beside, same)
        watched = _mean([watched, _hear(other.model, room.beside.some(same.watch))])
        model = joined(model, other.model)
    return Trained(model, taught, _temperature(room, trial, watched))


def _train_net(room: Classroom, trial: Trial, told: Told) -> tuple[Model, Taught | None]:
    import keras

    choices = room.choices_of(trial)
    learn, watch = room.lessons(trial.learn), room.lessons(trial.watch)
    _check_classes(learn, room.labels)
    if room.system.net == REGRESSION:
        return _regress(room, trial, learn), None
    mean, spread = learn.scaling()
    keras.utils.set_random_seed(choices.seed)
    given = Given(
        shape=learn.windows[0].shape[1:],
        mean=mean,
        spread=spread,
        labels=len(room.labels),
        dropout=choices.dropout,
        l2=choices.l2,
        floor=room.system.floor,
    )
    model = NETS[room.system.net](given)
    taught = teach(
        model,
        learn,
        watch,
        choices,
        checkpoint=room.folder(trial) / CHECKPOINT,
        report=lambda epoch: told(trial, epoch),
    )
    return model, taught


def _regress(room: Classroom, trial: Trial, learn: Lessons) -> Model:
    choices = room.choices_of(trial)
    return net_of(
        learn_regression(
            learn,
            [item.example.speaker for item in room.some(trial.learn)],
            l2s=(choices.l2,) if choices.l2 else L2S,
            foreign=choices.abroad,
        )
    )


def _check_classes(learn: Lessons, labels: Sequence[str]) -> None:
    missing = [name for place, name in enumerate(labels) if place not in learn.labels]
    if missing:
        raise BatchemoError(
            f"nothing is left to learn {', '.join(missing)} from: after the split, too few"
            " recordings of these classes, or of their speakers, remain"
        )


def _answers(room: Classroom, trial: Trial, told: Told) -> Answers:
    """What the nets of a trial say together, those of the system beside it included."""
    own = _mean_answers([_net_answers(room, one, told) for one in room.nets(trial)])
    if not room.beside:
        return own
    return _mean_answers([own, _answers(room.beside, room.trial_beside(trial), told)])


def _net_answers(room: Classroom, trial: Trial, told: Told) -> Answers:
    """What a single net answers: found now, or kept."""
    result = room.result(trial)
    parts = {"test": trial.test, "watch": trial.watch}
    if not result.is_file():
        model, _ = _train_net(room, trial, told)
        heard = {name: _hear(model, room.some(places)) for name, places in parts.items()}
        _keep(result, {name: np.concatenate(said) for name, said in heard.items() if said})
    with np.load(result, allow_pickle=False) as content:
        return Answers(
            **{
                name: _by_item(content[name], room.some(places)) if places else ()
                for name, places in parts.items()
            }
        )


def _hear(model: Model, items: Sequence[Item]) -> Logits:
    from batchemo.training.fit.scoring import keras_graph

    return tuple(hear_items(keras_graph(model), [i.windows for i in items])) if items else ()


def _temperature(room: Classroom, trial: Trial, watched: Logits) -> float | None:
    return fit_temperature(watched, room.lessons(trial.watch).labels) if watched else None


def _by_item(logits: Float32, items: Sequence[Item]) -> Logits:
    return tuple(np.split(logits, np.cumsum([len(item.windows) for item in items])[:-1]))


def _mean_answers(every: Sequence[Answers]) -> Answers:
    return Answers(_mean([one.test for one in every]), _mean([one.watch for one in every]))


def _mean(many: Sequence[Logits]) -> Logits:
    """The mean of what several nets say of each window."""
    if len(many) == 1:
        return many[0]
    return tuple(np.mean(said, axis=0) for said in zip(*many, strict=True))


def _keep(path: Path, told: dict[str, Float32]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path, shared=True) as file:
        np.savez(file, **told)  # type: ignore[arg-type]
