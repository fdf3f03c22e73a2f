"""What all runs of an experiment share: a recipe with the feature items of all recordings.

    WORK/
      features/                            see `data.feature_store`
      NET-FOLD-sSEED-KEY/                  one net; KEY is a hash of all that its weights depend on
        checkpoint.npz                     see `fit.checkpoint`
        logits-KEY.npz                     what it predicted for one test and its validation items

The names of recipes are no part of a key: recipes with the same net share its training.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from batchemo.common.arrays import Float32, Index
from batchemo.evaluation.conditions import CONDITIONS
from batchemo.training.data.dataset import Dataset, make_dataset
from batchemo.training.data.encoding import Encoder
from batchemo.training.data.feature_store import FeatureItem, find_main_corpus, gather_items
from batchemo.training.data.protocols import ALL_VARIANTS, Sample, Split
from batchemo.training.hyperparameters import Hyperparameters
from batchemo.training.recipes import LOGISTIC, Recipe

CHECKPOINT = "checkpoint.npz"
FEATURES = "features"

_UNSAFE = re.compile(r"[^A-Za-z0-9._+-]")
"""What the name of a corpus, and with it that of a fold, may have and the name of a folder not."""
_FOLD_LENGTH = 80


@dataclass(frozen=True)
class RunContext:
    """A recipe with its items: all recordings, in the variants that it needs."""

    recipe: Recipe
    items: tuple[FeatureItem, ...]
    labels: tuple[str, ...]
    """The classes, in the order of the outputs."""
    work: Path
    encoder: Encoder | None = None
    """What the items were encoded by; None where they are features."""

    @property
    def samples(self) -> tuple[Sample, ...]:
        """What the items are of, in their order."""
        return tuple(self._index_of_sample)

    def select(self, samples: Sequence[Sample]) -> list[FeatureItem]:
        """Return the items of these samples."""
        return [self.items[index] for index in self._indices(samples)]

    def dataset(self, samples: Sequence[Sample]) -> Dataset:
        """Return the items of these samples, to train on or to validate with."""
        items = self.select(samples)
        examples = [item.example for item in items]
        main_corpus = self._main_corpus
        if examples and all(example.corpus != main_corpus for example in examples):
            # The main corpus is left out: another one takes its place.
            main_corpus = find_main_corpus(examples)
        return make_dataset(items, self.labels, main_corpus=main_corpus)

    def label_indices(self, samples: Sequence[Sample]) -> Index:
        """Return the index of each sample's emotion among the labels."""
        return np.array([self.labels.index(sample.example.emotion) for sample in samples], np.intp)

    def inputs(self, samples: Sequence[Sample]) -> list[Float32]:
        """Return the windows of original recordings as a finished model takes them."""
        if self.encoder is None:
            return [item.windows for item in self.select(samples)]
        recipe, examples = self.recipe, [sample.example for sample in samples]
        folder = self.work / FEATURES
        gathered = gather_items(examples, recipe.features, recipe.windows, folder=folder)
        return [item.windows for item in gathered.items]

    def net_splits(self, split: Split) -> tuple[Split, ...]:
        """Return the split for each single net, each with a seed of its own."""
        if self.recipe.net == LOGISTIC:
            # No seed changes what is fitted: one fit serves all.
            return (replace(split, seed=0),)
        count = self.recipe.nets
        return tuple(replace(split, seed=split.seed * count + n) for n in range(count))

    def hyperparameters(self, split: Split) -> Hyperparameters:
        """Return the recipe's hyperparameters with the split's seed."""
        return replace(self.recipe.hyperparameters, seed=split.seed)

    def folder(self, split: Split) -> Path:
        """Return the folder of a single net: another for whatever could change its weights."""
        key = {
            **self._fixed_key,
            "hyperparameters": asdict(self.hyperparameters(split)),
            "items": [self._item_keys(part) for part in (split.train, split.validation)],
        }
        fold = _UNSAFE.sub("-", split.fold)[:_FOLD_LENGTH]
        return self.work / f"{self.recipe.net}-{fold}-s{split.seed}-{_hash(key)}"

    def logits_path(self, split: Split) -> Path:
        """Return the file of a single net's logits: another for whatever it is tested on."""
        return self.folder(split) / f"logits-{_hash(self._item_keys(split.test))}.npz"

    def _indices(self, samples: Sequence[Sample]) -> Iterator[int]:
        for sample in samples:
            if sample.variant == ALL_VARIANTS:
                yield from self._training_variants.get(sample.example, ())
            else:
                yield self._index_of_sample[sample]

    def _item_keys(self, samples: Sequence[Sample]) -> list[tuple[str, str, str]]:
        # Digests instead of paths: recordings may be moved between two runs.
        return [
            (item.example.digest, item.variant, item.example.emotion)
            for item in self.select(samples)
        ]

    @cached_property
    def _fixed_key(self) -> dict[str, object]:
        """What the weights depend on and is the same for all splits."""
        recipe = self.recipe
        return {
            "net": recipe.net,
            "features": recipe.features.to_dict(),
            "windows": [recipe.windows.window, recipe.windows.hop],
            "floor": recipe.floor,
            "labels": self.labels,
            **({} if self.encoder is None else {"encoder": self.encoder.digest()}),
        }

    @cached_property
    def _index_of_sample(self) -> dict[Sample, int]:
        return {Sample(item.example, item.variant): n for n, item in enumerate(self.items)}

    @cached_property
    def _training_variants(self) -> dict[object, list[int]]:
        """The items of each recording that are trained on: conditions are for tests alone."""
        indices: dict[object, list[int]] = {}
        for index, item in enumerate(self.items):
            if item.variant not in CONDITIONS:
                indices.setdefault(item.example, []).append(index)
        return indices

    @cached_property
    def _main_corpus(self) -> str:
        return find_main_corpus([item.example for item in self.items])


def _hash(key: object) -> str:
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:12]
