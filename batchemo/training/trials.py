"""Runs one training and its test, and keeps what came of it, so that it never runs twice."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np

from batchemo.errors import BatchemoError
from batchemo.training.choices import Choices
from batchemo.training.classic import NETS, Given
from batchemo.training.history import Epoch
from batchemo.training.items import Item
from batchemo.training.judged import Judged
from batchemo.training.lessons import Lessons, make_lessons
from batchemo.training.nets import Model
from batchemo.training.protocols import Trial
from batchemo.training.systems import System
from batchemo.training.verdicts import Float64, fit_temperature, hear_items, probabilities

Told: TypeAlias = Callable[[Trial, Epoch], None]

RESULT = "judged.npz"


@dataclass(frozen=True, slots=True)
class Trained:
    """A net, how its training went, and the temperature that suits it."""

    model: Model
    history: tuple[Epoch, ...]
    chosen: Epoch
    temperature: float


@dataclass(frozen=True, slots=True)
class Classroom:
    """What all trials of a study share."""

    system: System
    choices: Choices
    items: tuple[Item, ...]
    labels: tuple[str, ...]
    work: Path
    """The folder of checkpoints and results."""

    def choices_of(self, trial: Trial) -> Choices:
        """The choices, with the trial's own seed."""
        return replace(self.choices, seed=trial.seed)

    def some(self, places: Sequence[int]) -> list[Item]:
        """The items at these places."""
        return [self.items[place] for place in places]

    def folder(self, trial: Trial) -> Path:
        """The trial's own folder: another for whatever could change its result."""
        system = self.system
        told = {
            "net": system.net,
            "features": system.features.to_dict(),
            "windows": asdict(system.windows),
            "choices": asdict(self.choices_of(trial)),
            "labels": self.labels,
            "parts": [
                [(item.example.digest, item.copy, item.example.emotion) for item in self.some(part)]
                for part in (trial.learn, trial.watch, trial.test)
            ],
        }
        digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
        return self.work / f"{system.name}-{trial.fold}-s{trial.seed}-{digest[:12]}"


def run_trial(
    room: Classroom, trial: Trial, told: Told = lambda trial, epoch: None
) -> tuple[Judged, ...]:
    """What the trial's net says of the recordings that it is tested on: found now, or kept."""
    result = room.folder(trial) / RESULT
    if not result.is_file():
        trained = train(room, trial, told)
        from batchemo.training.export import keras_graph

        test = room.some(trial.test)
        logits = hear_items(keras_graph(trained.model), [item.windows for item in test])
        _keep(result, probabilities(logits, trained.temperature))
        (result.parent / "checkpoint.npz").unlink(missing_ok=True)
    with np.load(result, allow_pickle=False) as content:
        judged = content["probabilities"]
    return tuple(
        Judged(item.example, item.copy, trial.fold, trial.seed, tuple(row))
        for item, row in zip(room.some(trial.test), judged.tolist(), strict=True)
    )


def train(room: Classroom, trial: Trial, told: Told = lambda trial, epoch: None) -> Trained:
    """Teach a fresh net what the trial says, from the checkpoint of an earlier try if any."""
    import keras

    from batchemo.training.export import keras_graph
    from batchemo.training.teach import teach

    choices = room.choices_of(trial)
    learn = make_lessons(room.some(trial.learn), room.labels)
    watch = make_lessons(room.some(trial.watch), room.labels)
    _check_classes(learn, room.labels)
    mean, spread = learn.scaling()
    keras.utils.set_random_seed(choices.seed)
    given = Given(
        shape=learn.windows[0].shape[1:],
        mean=mean,
        spread=spread,
        labels=len(room.labels),
        dropout=choices.dropout,
        l2=choices.l2,
    )
    model = NETS[room.system.net](given)
    taught = teach(
        model,
        learn,
        watch,
        choices,
        checkpoint=room.folder(trial) / "checkpoint.npz",
        report=lambda epoch: told(trial, epoch),
    )
    logits = hear_items(keras_graph(model), watch.windows)
    return Trained(model, taught.history, taught.chosen, fit_temperature(logits, watch.labels))


def _check_classes(learn: Lessons, labels: Sequence[str]) -> None:
    missing = [name for place, name in enumerate(labels) if place not in learn.labels]
    if missing:
        raise BatchemoError(
            f"nothing is left to learn {', '.join(missing)} from: after the split, too few"
            " recordings of these classes, or of their speakers, remain"
        )


def _keep(path: Path, told: Float64) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with draft.open("wb") as file:
        np.savez(file, probabilities=told)
    draft.replace(path)
