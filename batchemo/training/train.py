"""Trains a recipe on all recordings and writes its bundle; interrupted, the next call goes on."""

from __future__ import annotations

from dataclasses import dataclass

from batchemo.bundles import Bundle
from batchemo.errors import BatchemoError
from batchemo.training.data.feature_store import Failures, OnProgress, ignore_progress
from batchemo.training.data.protocols import final_split
from batchemo.training.experiment.cross_validation import (
    Experiment,
    quieten_tensorflow,
)
from batchemo.training.experiment.runs import (
    OnEpoch,
    TrainedModel,
    ignore_epoch,
    train_model,
)
from batchemo.training.export.package import PackageOptions, write_package


@dataclass(frozen=True, slots=True)
class TrainResult:
    """A new bundle, how its training went, and the recordings that could not be trained on."""

    bundle: Bundle
    trained: TrainedModel
    failures: Failures


def train_bundle(
    experiment: Experiment,
    options: PackageOptions,
    *,
    jobs: int = 1,
    on_progress: OnProgress = ignore_progress,
    on_epoch: OnEpoch = ignore_epoch,
) -> TrainResult:
    """Train a recipe on all recordings but for those of validation, and write its bundle."""
    quieten_tensorflow()
    gathered = experiment.gather(jobs=jobs, on_progress=on_progress)
    context = experiment.context(gathered)
    if not context.samples:
        raise BatchemoError("none of the recordings can be trained on: see the reasons")
    split = final_split(context.samples, experiment.recipe.hyperparameters)
    trained = train_model(context, split, on_epoch)
    bundle = write_package(context, split, trained, options)
    return TrainResult(bundle, trained, gathered.failures)
