"""One study of one kind of net: the folds that tell how good it is, and the net that ships."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

import numpy as np

from batchemo.features import Recipe
from batchemo.training.corpora import EMOTIONS, Example
from batchemo.training.evaluate import Heard, hear
from batchemo.training.export import keras_graph
from batchemo.training.fit import Model, fit
from batchemo.training.nets import Conformer, build_conformer
from batchemo.training.options import FitOptions
from batchemo.training.pictures import Clip, Variant, Windows, make_clips
from batchemo.training.splits import Fold

Say: TypeAlias = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that is decided before a study begins."""

    recipe: Recipe
    windows: Windows
    variants: Mapping[str, Sequence[Variant]]
    size: Conformer = field(default_factory=Conformer)
    options: FitOptions = field(default_factory=FitOptions)


class Study:
    """Nets trained by one plan; each is kept in the work folder and never trained twice."""

    def __init__(self, plan: Plan, examples: Sequence[Example], work: Path, say: Say) -> None:
        self.plan = plan
        self.examples = tuple(examples)
        self._work = work
        self._say = say

    def net(self, name: str, examples: Sequence[Example], seed: int) -> Model:
        """The net that learnt from these examples, by this seed: trained now, or found."""
        import keras

        folder = self._work / f"{name}-s{seed}"
        done = folder / "model.keras"
        if done.is_file():
            return keras.saving.load_model(done, compile=False)
        clips = [self._clips[example] for example in examples]
        options = replace(self.plan.options, seed=seed)
        keras.utils.set_random_seed(seed)
        model = self._fresh(clips)
        say = self._say
        fit(
            model,
            clips,
            options,
            checkpoint=folder / "checkpoint",
            report=lambda epoch, loss: say(f"{name}, seed {seed}, epoch {epoch}: {loss:.3f}"),
        )
        model.save(folder / "model.new.keras")
        (folder / "model.new.keras").replace(done)
        return model

    def heard_by(self, fold: Fold, seed: int) -> tuple[Heard, ...]:
        """What a fold's net makes of the recordings of the speakers that it never heard."""
        graph = keras_graph(self.net(fold.name, fold.training, seed))
        return hear(fold.test, self.plan.recipe, self.plan.windows, graph)

    @cached_property
    def _clips(self) -> dict[Example, Clip]:
        self._say(f"hearing {len(self.examples)} recordings")
        plan = self.plan
        clips = make_clips(self.examples, plan.recipe, plan.windows, plan.variants, seed=0)
        return {clip.example: clip for clip in clips}

    def _fresh(self, clips: Sequence[Clip]) -> Model:
        frames = np.concatenate([clip.pictures[0].astype(np.float32) for clip in clips])
        return build_conformer(
            self.plan.size,
            mean=frames.mean(axis=0),
            spread=frames.std(axis=0),
            floor=self.plan.options.augmentation.floor,
            labels=len(EMOTIONS),
        )
