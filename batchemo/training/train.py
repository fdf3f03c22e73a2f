"""The whole of a training: features, net, bundle; stopped at any time, it goes on from there."""

from __future__ import annotations

from dataclasses import dataclass

from batchemo.bundles import Bundle
from batchemo.corpora import Example
from batchemo.errors import BatchemoError
from batchemo.training.data.feature_store import Progress
from batchemo.training.data.protocols import final_trial
from batchemo.training.experiment.context import TrainedModel
from batchemo.training.experiment.cross_validation import Experiment, quieten
from batchemo.training.experiment.runs import Told, train
from batchemo.training.export.package import PackageOptions, write_package


@dataclass(frozen=True, slots=True)
class TrainResult:
    """A new bundle, how its training went, and the recordings that gave nothing to learn."""

    bundle: Bundle
    trained: TrainedModel
    failures: tuple[tuple[Example, str], ...]


def train_bundle(
    experiment: Experiment,
    delivery: PackageOptions,
    *,
    jobs: int = 1,
    progress: Progress = lambda done, total: None,
    told: Told = lambda split, epoch: None,
) -> TrainResult:
    """Teach a system on all recordings, some speakers only watched, and write its bundle."""
    quieten()
    gathered = experiment.gather(jobs=jobs, progress=progress)
    if not gathered.items:
        raise BatchemoError("none of the recordings gives anything to learn from: see the reasons")
    context = experiment.context(gathered)
    split = final_trial(context.items, experiment.hyperparameters)
    trained = train(context, split, told)
    return TrainResult(write_package(context, split, trained, delivery), trained, gathered.failures)
