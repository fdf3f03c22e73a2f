"""Runs one training and its test, and keeps what came of it, so that it never runs twice."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

import numpy as np

from batchemo.errors import BatchemoError
from batchemo.features.joint import join
from batchemo.training.choices import Choices
from batchemo.training.conditions import CONDITIONS
from batchemo.training.given import Given, Model
from batchemo.training.history import Epoch
from batchemo.training.items import Item, home_of
from batchemo.training.judged import Judged
from batchemo.training.lessons import Lessons, make_lessons
from batchemo.training.nets import NETS, joined, net_of, together
from batchemo.training.pictures import Float32
from batchemo.training.protocols import Trial
from batchemo.training.regression import L2S, REGRESSION, learn_regression
from batchemo.training.systems import System
from batchemo.training.teach import Taught, teach
from batchemo.training.verdicts import fit_temperature, hear_items, probabilities

Told: TypeAlias = Callable[[Trial, Epoch], None]
Logits: TypeAlias = tuple[Float32, ...]
"""Of each item, what was said of its windows: (windows, labels)."""

CHECKPOINT = "checkpoint.npz"
"""Kept when all is learnt, too: a net may be asked again, about recordings heard otherwise."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A net, how the training went of each net that it is made of, and its temperature."""

    model: Model
    taught: tuple[Taught, ...]
    """Empty where nothing was taught epoch by epoch."""
    temperature: float | None
    """What suits the watched recordings; None where nothing was watched."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What the net of a trial said of what it was tested on, and of what was only watched."""

    test: Logits
    watch: Logits


@dataclass(frozen=True)
class Classroom:
    """What all trials of a study share."""

    system: System
    choices: Choices
    items: tuple[Item, ...]
    labels: tuple[str, ...]
    work: Path
    """The folder of checkpoints and results."""
    beside: Classroom | None = None
    """The same recordings as the system beside this one hears them; its copies may be others."""

    def choices_of(self, trial: Trial) -> Choices:
        """The choices, with the trial's own seed."""
        return replace(self.choices, seed=trial.seed)

    def some(self, places: Sequence[int]) -> list[Item]:
        """The items at these places."""
        return [self.items[place] for place in places]

    def heard(self, places: Sequence[int]) -> list[Float32]:
        """The windows of the items at these places, as the finished net takes them."""
        own = [item.windows for item in self.some(places)]
        if not self.beside:
            return own
        other = self.beside.heard(self.beside.places_of(self.some(places)))
        return [join(*both) for both in zip(other, own, strict=True)]

    def places_of(self, items: Sequence[Item]) -> tuple[int, ...]:
        """Where this room has the same recordings, changed in the same way or not at all."""
        return tuple(self._places[item.example.digest, item.copy] for item in items)

    def trial_beside(self, trial: Trial) -> Trial:
        """The same trial by the items of the room beside this one."""
        beside = self.beside
        if not beside or beside._identities == self._identities:
            return trial
        # Its own copies of whatever recordings are learnt from.
        learnt = {item.example.digest for item in self.some(trial.learn)}
        learn = tuple(
            place
            for place, item in enumerate(beside.items)
            if item.example.digest in learnt and item.copy not in CONDITIONS
        )
        watch, test = (beside.places_of(self.some(part)) for part in (trial.watch, trial.test))
        return replace(trial, learn=learn, watch=watch, test=test)

    def nets(self, trial: Trial) -> tuple[Trial, ...]:
        """The trials of the single nets that a trial's net is made of, each by its own seed."""
        if self.system.net == REGRESSION:
            # No seed has a say in what is learnt: what one has found will do for all.
            return (replace(trial, seed=0),)
        count = self.system.nets
        return tuple(replace(trial, seed=trial.seed * count + n) for n in range(count))

    def lessons(self, places: Sequence[int]) -> Lessons:
        """The items at these places, to learn from or to watch."""
        return make_lessons(
            self.some(places), self.labels, home=self._home, floor=self.system.floor
        )

    @property
    def features(self) -> Path:
        """Where the features of recordings are kept."""
        return self.work / "features"

    def folder(self, trial: Trial) -> Path:
        """The own folder of a single net: another for whatever could change what it learns."""
        told = {
            **self._standing,
            "choices": asdict(self.choices_of(trial)),
            "parts": [self._told(part) for part in (trial.learn, trial.watch)],
        }
        return self.work / f"{self.system.net}-{trial.fold}-s{trial.seed}-{_digest(told)}"

    def result(self, trial: Trial) -> Path:
        """The file of what a single net answers: another for whatever else it is tested on."""
        return self.folder(trial) / f"answers-{_digest(self._told(trial.test))}.npz"

    def _told(self, places: Sequence[int]) -> list[tuple[str, str, str]]:
        return [self._identities[place] for place in places]

    @cached_property
    def _standing(self) -> dict[str, object]:
        """What is the same for all trials. The system's name is not: nets may be shared."""
        system = self.system
        return {
            "net": system.net,
            "features": system.features.to_dict(),
            "windows": asdict(system.windows),
            "floor": system.floor,
            "labels": self.labels,
        }

    @cached_property
    def _places(self) -> dict[tuple[str, str], int]:
        return {(item.example.digest, item.copy): n for n, item in enumerate(self.items)}

    @cached_property
    def _home(self) -> str:
        return home_of([item.example for item in self.items])

    @cached_property
    def _identities(self) -> list[tuple[str, str, str]]:
        return [(item.example.digest, item.copy, item.example.emotion) for item in self.items]


def _digest(told: object) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:12]


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
    from batchemo.training.export import keras_graph

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
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with draft.open("wb") as file:
        np.savez(file, **told)  # type: ignore[arg-type]
    draft.replace(path)
