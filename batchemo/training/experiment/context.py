"""What all runs of an experiment share."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

from batchemo.common.arrays import Float32
from batchemo.evaluation.conditions import CONDITIONS
from batchemo.features.combined import combine
from batchemo.training.data.dataset import Dataset, make_dataset
from batchemo.training.data.feature_store import FeatureItem, find_main_corpus
from batchemo.training.data.protocols import Split
from batchemo.training.fit.trainer import FitResult
from batchemo.training.hyperparameters import Hyperparameters
from batchemo.training.nets.layers import Model
from batchemo.training.recipes import REGRESSION, Recipe

Logits: TypeAlias = tuple[Float32, ...]
"""Of each item, what was said of its windows: (windows, labels)."""


CHECKPOINT = "checkpoint.npz"
"""Kept when all is learnt, too: a net may be asked again, about recordings heard otherwise."""


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A net, how the training went of each net that it is made of, and its temperature."""

    model: Model
    taught: tuple[FitResult, ...]
    """Empty where nothing was taught epoch by epoch."""
    temperature: float | None
    """What suits the watched recordings; None where nothing was watched."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What the net of a trial said of what it was tested on, and of what was only watched."""

    test: Logits
    watch: Logits


@dataclass(frozen=True)
class RunContext:
    """What all trials of a study share."""

    system: Recipe
    hyperparameters: Hyperparameters
    items: tuple[FeatureItem, ...]
    labels: tuple[str, ...]
    work: Path
    """The folder of checkpoints and results."""
    beside: RunContext | None = None
    """The same recordings as the system beside this one hears them; its copies may be others."""

    def choices_of(self, split: Split) -> Hyperparameters:
        """The choices, with the trial's own seed."""
        return replace(self.hyperparameters, seed=split.seed)

    def some(self, places: Sequence[int]) -> list[FeatureItem]:
        """The items at these places."""
        return [self.items[place] for place in places]

    def heard(self, places: Sequence[int]) -> list[Float32]:
        """The windows of the items at these places, as the finished net takes them."""
        own = [item.windows for item in self.some(places)]
        if not self.beside:
            return own
        other = self.beside.heard(self.beside.places_of(self.some(places)))
        return [combine(*both) for both in zip(other, own, strict=True)]

    def places_of(self, items: Sequence[FeatureItem]) -> tuple[int, ...]:
        """Where this room has the same recordings, changed in the same way or not at all."""
        return tuple(self._places[item.example.digest, item.copy] for item in items)

    def trial_beside(self, split: Split) -> Split:
        """The same trial by the items of the room beside this one."""
        beside = self.beside
        if not beside or beside._identities == self._identities:
            return split
        # Its own copies of whatever recordings are learnt from.
        learnt = {item.example.digest for item in self.some(split.learn)}
        learn = tuple(
            place
            for place, item in enumerate(beside.items)
            if item.example.digest in learnt and item.copy not in CONDITIONS
        )
        watch, test = (beside.places_of(self.some(part)) for part in (split.watch, split.test))
        return replace(split, learn=learn, watch=watch, test=test)

    def nets(self, split: Split) -> tuple[Split, ...]:
        """The trials of the single nets that a trial's net is made of, each by its own seed."""
        if self.system.net == REGRESSION:
            # No seed has a say in what is learnt: what one has found will do for all.
            return (replace(split, seed=0),)
        count = self.system.nets
        return tuple(replace(split, seed=split.seed * count + n) for n in range(count))

    def dataset(self, places: Sequence[int]) -> Dataset:
        """The items at these places, to learn from or to watch."""
        return make_dataset(
            self.some(places), self.labels, main_corpus=self._home, floor=self.system.floor
        )

    @property
    def features(self) -> Path:
        """Where the features of recordings are kept."""
        return self.work / "features"

    def folder(self, split: Split) -> Path:
        """The own folder of a single net: another for whatever could change what it learns."""
        told = {
            **self._standing,
            "choices": asdict(self.choices_of(split)),
            "parts": [self._told(part) for part in (split.learn, split.watch)],
        }
        return self.work / f"{self.system.net}-{split.fold}-s{split.seed}-{_digest(told)}"

    def result(self, split: Split) -> Path:
        """The file of what a single net answers: another for whatever else it is tested on."""
        return self.folder(split) / f"answers-{_digest(self._told(split.test))}.npz"

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
        return find_main_corpus([item.example for item in self.items])

    @cached_property
    def _identities(self) -> list[tuple[str, str, str]]:
        return [(item.example.digest, item.copy, item.example.emotion) for item in self.items]


def _digest(told: object) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:12]
