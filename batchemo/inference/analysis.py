"""The work of one worker on one chunk: hear each recording, fill batches, hand back rows.

Nothing is raised to the parent and nothing is written: what goes wrong with a recording is its
row, what goes wrong with a model is `Done.fatal`.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter

import numpy as np

from batchemo.audio import Failure, Window
from batchemo.common.arrays import Float32
from batchemo.common.timing import StageSeconds, add_seconds
from batchemo.errors import BatchemoError
from batchemo.features import extract
from batchemo.inference.draft import Draft, Sheet
from batchemo.inference.hearing import hear, unexpected
from batchemo.inference.loaded import Tools, tools_at_hand, wishes_of
from batchemo.inference.settings import Task
from batchemo.sources import Recording
from batchemo.tables.rows import Row
from batchemo.workers import heartbeat
from batchemo.workers.executor import Done


def analyse(task: Task, recordings: Sequence[Recording]) -> Done[Row]:
    """Analyse a chunk of recordings."""
    try:
        several = tools_at_hand(task.settings)
    except BatchemoError as error:
        return Done(fatal=str(error))
    except MemoryError:
        return Done(fatal="there is not enough memory to load a model: try fewer workers (-j)")
    return analyse_with(several, task.timeout, recordings)


def analyse_with(
    several: Sequence[Tools], timeout: float, recordings: Sequence[Recording]
) -> Done[Row]:
    """Analyse a chunk of recordings with models that are loaded already."""
    desk = _Desk(several)
    drafts = []
    for recording in recordings:
        with heartbeat.over(recording, timeout) as rearm:
            drafts.append(desk.hear(recording, rearm))
    with heartbeat.over(recordings[-1], timeout):
        desk.finish()
    if desk.trouble is not None and len(recordings) > 1:
        # Their windows shared batches: whose the trouble was only shows when each is alone.
        alone = [analyse_with(several, timeout, [recording]) for recording in recordings]
        return Done(tuple(row for done in alone for row in done.rows), desk.stages)
    for draft in drafts:
        draft.failure = draft.failure or desk.trouble
    return Done(tuple(draft.row() for draft in drafts), desk.stages)


class _Desk:
    """Where recordings pass all models: decoded once, with a batch for each model."""

    def __init__(self, several: Sequence[Tools]) -> None:
        self.stages: StageSeconds = {}
        self._wishes = wishes_of(several)
        labels = several[0].bundle.labels
        self._batches = [_Batch(tools, labels, self.stages) for tools in several]

    def hear(self, recording: Recording, rearm: heartbeat.Rearm) -> Draft:
        draft = Draft(recording, [Sheet() for _ in self._batches])
        draft.facts, draft.failure = hear(
            recording,
            [wish.listening for wish in self._wishes],
            lambda window: self._take(window, draft.sheets),
            stages=self.stages,
            rearm=rearm,
        )
        return draft

    def _take(self, window: Window, sheets: Sequence[Sheet]) -> None:
        wish = self._wishes[window.of]
        for recipe, places in wish.recipes.items():
            for place in places:
                sheets[place].begin(window.start, window.end)
            if not window.speech:
                continue
            began = perf_counter()
            item = extract(recipe, window.samples, wish.listening.window)
            add_seconds(self.stages, "features", perf_counter() - began)
            for place in places:
                self._batches[place].add(item, sheets[place])

    def finish(self) -> None:
        for batch in self._batches:
            batch.flush()

    @property
    def trouble(self) -> Failure | None:
        """What went wrong with a batch, whoever's windows were in it."""
        return next((batch.trouble for batch in self._batches if batch.trouble), None)


class _Batch:
    """Collects a model's windows across recordings and runs them when its net's batch is full."""

    def __init__(self, tools: Tools, labels: Sequence[str], stages: StageSeconds) -> None:
        self._tools, self._stages = tools, stages
        self._order = tools.order_of(labels)
        self._items: list[Float32] = []
        self._owners: list[tuple[Sheet, int]] = []
        self.trouble: Failure | None = None

    def add(self, item: Float32, sheet: Sheet) -> None:
        """Take the features of the sheet's last window."""
        self._items.append(item)
        self._owners.append((sheet, len(sheet.probabilities) - 1))
        if len(self._items) == self._tools.batch_size:
            self.flush()

    def flush(self) -> None:
        if not self._items:
            return
        began = perf_counter()
        try:
            results = self._tools.runtime.run(np.stack(self._items))[:, self._order]
        except Exception as error:  # Want of memory has many names in the runtimes.
            self.trouble = unexpected(error)
        else:
            for (sheet, index), result in zip(self._owners, results, strict=True):
                sheet.probabilities[index] = result
        self._items, self._owners = [], []
        add_seconds(self._stages, "model", perf_counter() - began)
