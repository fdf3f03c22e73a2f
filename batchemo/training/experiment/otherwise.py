"""The tests of trials once more, with the same recordings heard otherwise: in noise, by phone.

The nets are those of the trials themselves: what is tested has no part in what a net is taught, so
nothing is taught again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from batchemo.corpora import Example
from batchemo.training.data.copies import ORIGINAL
from batchemo.training.data.items import Progress, gather_items
from batchemo.training.data.protocols import Trial
from batchemo.training.experiment.context import Classroom


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
