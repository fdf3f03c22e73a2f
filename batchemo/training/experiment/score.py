"""Puts recordings through a finished bundle, as a scan does, to compare with what is known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from batchemo.bundles import Bundle, open_runtime
from batchemo.common.arrays import Float64
from batchemo.corpora import Example
from batchemo.errors import UsageError
from batchemo.evaluation.judged import Judged
from batchemo.features import Recipe
from batchemo.training.data.items import Item, Progress, gather_items
from batchemo.training.data.pictures import Windows

BUNDLE_FOLD = "bundle"

_LEAST = float(np.finfo(np.float32).tiny)
"""No probability is taken for 0: so that there is always something to share out."""


def hear_with(
    bundle: Bundle,
    examples: Sequence[Example],
    conditions: Sequence[str] = (),
    *,
    cache: Path,
    jobs: int = 1,
    progress: Progress = lambda done, total: None,
) -> tuple[tuple[Item, ...], tuple[tuple[Example, str], ...]]:
    """The features that the bundle wants of the recordings, and those that give none.

    The recordings are heard as they are, and under each of the conditions.
    """
    gathered = gather_items(
        examples,
        Recipe.from_dict(bundle.recipe),
        Windows(seconds=bundle.window, hop=bundle.hop),
        conditions,
        cache=cache,
        jobs=jobs,
        progress=progress,
    )
    return gathered.items, gathered.failures


def check_classes(bundle: Bundle, classes: Sequence[str]) -> None:
    """Raise a UsageError unless the bundle knows all of these labels."""
    if unknown := [name for name in classes if name not in bundle.labels]:
        raise UsageError(
            f"{bundle.name} does not know {', '.join(unknown)}; it knows {', '.join(bundle.labels)}"
        )


def judge_with(bundle: Bundle, items: Sequence[Item], classes: Sequence[str]) -> list[Judged]:
    """What the bundle says of items, its probabilities shared out among some of its labels."""
    check_classes(bundle, classes)
    runtime = open_runtime(bundle)
    places = [bundle.labels.index(name) for name in classes]
    judged = []
    for item in items:
        windows = np.maximum(runtime.run(item.windows).astype(np.float64), _LEAST)
        told = _shared_out(windows, places)
        # The temperature of softmax is undone by a power: what a window's net said before.
        before = _shared_out(windows**bundle.temperature, places)
        judged.append(Judged(item.example, item.copy, BUNDLE_FOLD, 0, told, before))
    return judged


def _shared_out(windows: Float64, places: Sequence[int]) -> tuple[float, ...]:
    """The mean over windows, of which each counts alike, shared out among some labels."""
    shares = (windows / windows.sum(axis=1, keepdims=True)).mean(axis=0)[places]
    return tuple((shares / shares.sum()).tolist())
