"""The work of one worker on one chunk: hear each recording, fill batches, hand back rows.

Nothing is raised to the parent and nothing is written: what goes wrong with a recording is its
row, what goes wrong with the model is `Done.fatal`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from batchemo.audio import Facts, Failure, ListenOptions, Window
from batchemo.errors import BatchemoError
from batchemo.features import Recipe, extract
from batchemo.scan import watch
from batchemo.scan.hearing import hear, spend
from batchemo.scan.options import Settings, Task
from batchemo.scan.pool import Done, Stages
from batchemo.sources import Recording, names
from batchemo.tables.rows import Floats, Row, Windows

if TYPE_CHECKING:
    from batchemo.bundles import Bundle, Runtime


@dataclass(slots=True)
class _Draft:
    """A recording under way: its windows, and room for their probabilities."""

    recording: Recording
    starts: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    probabilities: list[Floats | None] = field(default_factory=list)
    facts: Facts | None = None
    failure: Failure | None = None


class _Batch:
    """Collects windows across recordings and runs them when the net's batch is full."""

    def __init__(self, runtime: Runtime, size: int, stages: Stages) -> None:
        self._runtime, self._size, self._stages = runtime, size, stages
        self._items: list[Floats] = []
        self._owners: list[tuple[_Draft, int]] = []

    def add(self, item: Floats, draft: _Draft) -> None:
        self._items.append(item)
        self._owners.append((draft, len(draft.probabilities) - 1))
        if len(self._items) == self._size:
            self.flush()

    def flush(self) -> None:
        if not self._items:
            return
        began = perf_counter()
        results = self._runtime.run(np.stack(self._items))
        for (draft, index), result in zip(self._owners, results, strict=True):
            draft.probabilities[index] = result
        self._items, self._owners = [], []
        spend(self._stages, "model", perf_counter() - began)


@dataclass(frozen=True, slots=True)
class Tools:
    """The model and all that follows from it; a worker loads it once."""

    bundle: Bundle
    recipe: Recipe
    runtime: Runtime
    listening: ListenOptions


def analyse(task: Task, recordings: Sequence[Recording]) -> Done[Row]:
    """Analyse a chunk of recordings."""
    try:
        tools = _tools_at_hand(task.settings)
    except BatchemoError as error:
        return Done(fatal=str(error))
    return analyse_with(tools, task, recordings)


def analyse_with(tools: Tools, task: Task, recordings: Sequence[Recording]) -> Done[Row]:
    """Analyse a chunk of recordings with tools that are loaded already."""
    stages: Stages = {}
    batch = _Batch(tools.runtime, task.settings.batch_size, stages)
    drafts = []
    for recording in recordings:
        with watch.over(recording, task.timeout) as rearm:
            drafts.append(_hear(recording, tools, batch, stages, rearm))
    batch.flush()
    return Done(tuple(_row(draft, len(tools.bundle.labels)) for draft in drafts), stages)


def load_tools(settings: Settings) -> Tools:
    """Load the model that the settings name."""
    from batchemo.bundles import load_bundle, open_runtime

    bundle = load_bundle(settings.model)
    recipe = Recipe.from_dict(bundle.recipe)
    window = settings.window or bundle.window
    hop = settings.hop or min(bundle.hop, window)
    runtime = open_runtime(bundle, backend=settings.backend, batch_size=settings.batch_size)
    listening = ListenOptions(rate=recipe.rate, window=window, hop=hop, channel=settings.channel)
    return Tools(bundle, recipe, runtime, listening)


_tools_at_hand = lru_cache(maxsize=2)(load_tools)


def _hear(
    recording: Recording, tools: Tools, batch: _Batch, stages: Stages, rearm: watch.Rearm
) -> _Draft:
    draft = _Draft(recording)
    take = partial(_take, draft=draft, tools=tools, batch=batch, stages=stages)
    options = tools.listening
    draft.facts, draft.failure = hear(recording, options, take, stages=stages, rearm=rearm)
    return draft


def _take(window: Window, draft: _Draft, tools: Tools, batch: _Batch, stages: Stages) -> None:
    draft.starts.append(window.start)
    draft.ends.append(window.end)
    draft.probabilities.append(None)
    if not window.speech:
        return
    began = perf_counter()
    item = extract(tools.recipe, window.samples, tools.listening.window)
    spend(stages, "features", perf_counter() - began)
    batch.add(item, draft)


def _row(draft: _Draft, labels: int) -> Row:
    failure = draft.failure
    voiced = [p for p in draft.probabilities if p is not None]
    if failure is None and not voiced:
        failure = Failure("no_speech", "no window of it holds anything like speech")
    windows = probabilities = None
    if failure is None:
        # In double precision: thousands of windows must not add up to a rounding error.
        probabilities = np.stack(voiced).astype(np.float64).mean(axis=0).astype(np.float32)
        unheard = np.full(labels, np.nan, np.float32)
        windows = Windows(
            np.array(draft.starts),
            np.array(draft.ends),
            np.stack([unheard if p is None else p for p in draft.probabilities]),
        )
    facts = draft.facts or Facts()
    return Row(
        root=names.to_text(draft.recording.root),
        file=names.to_text(draft.recording.file),
        reason=failure.reason if failure else None,
        detail=failure.detail if failure else None,
        probabilities=probabilities,
        windows=windows,
        duration=facts.duration,
        sample_rate=facts.sample_rate,
        channels=facts.channels,
        rms_db=facts.rms_db,
        clipped=facts.clipped,
        silence=facts.silence,
        size=facts.size,
        mtime_ns=facts.mtime_ns,
    )
