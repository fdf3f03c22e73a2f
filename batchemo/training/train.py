"""The whole of a training: features, net, bundle; stopped at any time, it goes on from there."""

from __future__ import annotations

from dataclasses import dataclass

from batchemo.bundles import Bundle
from batchemo.corpora import Example
from batchemo.errors import BatchemoError
from batchemo.training.data.feature_store import Progress
from batchemo.training.data.protocols import final_trial
from batchemo.training.experiment.context import Trained
from batchemo.training.experiment.cross_validation import Exam, quieten
from batchemo.training.experiment.runs import Told, train
from batchemo.training.export.package import Delivery, ship


@dataclass(frozen=True, slots=True)
class Graduate:
    """A new bundle, how its training went, and the recordings that gave nothing to learn."""

    bundle: Bundle
    trained: Trained
    failures: tuple[tuple[Example, str], ...]


def train_bundle(
    exam: Exam,
    delivery: Delivery,
    *,
    jobs: int = 1,
    progress: Progress = lambda done, total: None,
    told: Told = lambda trial, epoch: None,
) -> Graduate:
    """Teach a system on all recordings, some speakers only watched, and write its bundle."""
    quieten()
    gathered = exam.gather(jobs=jobs, progress=progress)
    if not gathered.items:
        raise BatchemoError("none of the recordings gives anything to learn from: see the reasons")
    room = exam.room(gathered)
    trial = final_trial(room.items, exam.choices)
    trained = train(room, trial, told)
    return Graduate(ship(room, trial, trained, delivery), trained, gathered.failures)
