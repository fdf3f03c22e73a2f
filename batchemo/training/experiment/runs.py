"""Runs one split: trains its nets and predicts its test; both are kept and never run twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np

from batchemo.bundles import Calibration
from batchemo.common.arrays import Float32
from batchemo.common.files import atomic_write
from batchemo.errors import BatchemoError
from batchemo.evaluation.predictions import Prediction
from batchemo.training.data.batches import MASKED
from batchemo.training.data.dataset import Dataset
from batchemo.training.data.feature_store import FeatureItem
from batchemo.training.data.protocols import Split
from batchemo.training.experiment.context import CHECKPOINT, RunContext
from batchemo.training.fit.history import Epoch
from batchemo.training.fit.scoring import (
    fit_temperature,
    forward_function,
    predict_items,
    probabilities,
    split_by_item,
)
from batchemo.training.fit.trainer import FitResult, fit
from batchemo.training.nets.familiarity import fit_familiarity
from batchemo.training.nets.layers import Model, NetSpec
from batchemo.training.nets.logistic import L2_CANDIDATES, train_logistic
from batchemo.training.nets.registry import (
    NETS,
    build_logistic,
    mean_of_nets,
    net_on_encoder,
)
from batchemo.training.recipes import LOGISTIC

Logits: TypeAlias = tuple[Float32, ...]
"""The logits (windows, labels) of each item."""
OnEpoch: TypeAlias = Callable[[Split, Epoch], None]
"""Called after each epoch with the split, with the single net's seed, and the epoch's figures."""


def ignore_epoch(split: Split, epoch: Epoch) -> None:
    """Do nothing: the `on_epoch` of callers who want to know nothing."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """What the nets of a split predicted: the mean of their logits."""

    split: Split
    test: Logits
    validation: Logits
    temperature: float | None
    """Fitted on the validation items; None where there are none."""

    def predictions(self, temperature: float) -> tuple[Prediction, ...]:
        """Return the predictions for the test at a temperature."""
        calibrated = probabilities(self.test, temperature).tolist()
        uncalibrated = probabilities(self.test).tolist()
        split = self.split
        return tuple(
            Prediction(
                sample.example,
                sample.variant,
                split.fold,
                split.seed,
                tuple(after),
                tuple(before),
            )
            for sample, after, before in zip(split.test, calibrated, uncalibrated, strict=True)
        )


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A model, how each net of it was fitted, and its temperature."""

    model: Model
    fits: tuple[FitResult, ...]
    """Of the nets that were fitted epoch by epoch: none of a logistic regression."""
    temperature: float | None
    """Fitted on the validation items; None where there are none."""


def run_split(context: RunContext, split: Split, on_epoch: OnEpoch = ignore_epoch) -> RunResult:
    """Train what is not trained yet, and return what the nets predict for the split's test."""
    of_nets = [_net_logits(context, one, on_epoch) for one in context.net_splits(split)]
    test, validation = (
        _masked(context, split, _mean(of_part)) for of_part in zip(*of_nets, strict=True)
    )
    if context.recipe.familiarity_slope is not None:
        test, validation = _by_familiarity(context, split, test, validation)
    return RunResult(split, test, validation, _temperature(context, split, validation))


def train_model(
    context: RunContext,
    split: Split,
    on_epoch: OnEpoch = ignore_epoch,
) -> TrainedModel:
    """Train the nets, from their checkpoints if any, and combine them to one model."""
    trained = [_train_net(context, one, on_epoch) for one in context.net_splits(split)]
    model = mean_of_nets([net for net, _ in trained])
    logits = _predict(model, context.select(split.validation))
    if context.recipe.encoder:
        model = net_on_encoder(model, fit_familiarity(context.dataset(split.train)))
    if context.recipe.familiarity_slope is not None:
        _, logits = _by_familiarity(context, replace(split, test=()), (), logits)
    fits = tuple(fitted for _, fitted in trained if fitted)
    return TrainedModel(model, fits, _temperature(context, split, logits))


def _train_net(
    context: RunContext, split: Split, on_epoch: OnEpoch
) -> tuple[Model, FitResult | None]:
    """Train a single net, or fit a regression, which has no epochs."""
    import keras

    train = context.dataset(split.train)
    _check_classes(context, split, train)
    if context.recipe.net == LOGISTIC:
        return _train_logistic(context, split, train), None
    hyperparameters = context.hyperparameters(split)
    mean, std = train.mean_and_std()
    # Before the net is built: its first weights depend on it.
    keras.utils.set_random_seed(hyperparameters.seed)
    spec = NetSpec(
        shape=train.windows[0].shape[1:],
        mean=mean,
        std=std,
        labels=len(context.labels),
        dropout=hyperparameters.dropout,
        l2=hyperparameters.l2,
    )
    net = NETS[context.recipe.net](spec)
    fitted = fit(
        net,
        train,
        context.dataset(split.validation),
        hyperparameters,
        checkpoint=context.folder(split) / CHECKPOINT,
        on_epoch=lambda epoch: on_epoch(split, epoch),
    )
    return net, fitted


def _train_logistic(context: RunContext, split: Split, train: Dataset) -> Model:
    hyperparameters = context.hyperparameters(split)
    regression = train_logistic(
        train,
        [item.example.speaker for item in context.select(split.train)],
        l2_candidates=(hyperparameters.l2,) if hyperparameters.l2 else L2_CANDIDATES,
        other_corpora_share=hyperparameters.other_corpora_share,
    )
    return build_logistic(regression)


def _check_classes(context: RunContext, split: Split, train: Dataset) -> None:
    missing = [
        label
        for index, label in enumerate(context.labels)
        if index not in train.labels and label not in split.untrained
    ]
    if missing:
        raise BatchemoError(
            f"nothing is left to train {', '.join(missing)} on: after the split, too few"
            " recordings of these classes, or of their speakers, remain"
        )


def _net_logits(context: RunContext, split: Split, on_epoch: OnEpoch) -> tuple[Logits, Logits]:
    """Return a single net's logits of the test and validation items, computed now or kept."""
    path = context.logits_path(split)
    parts = {
        "test": context.select(split.test),
        "validation": context.select(split.validation),
    }
    if not path.is_file():
        net, _ = _train_net(context, split, on_epoch)
        logits = {name: _predict(net, items) for name, items in parts.items()}
        _save(
            path,
            {name: np.concatenate(of_items) for name, of_items in logits.items() if of_items},
        )
    with np.load(path, allow_pickle=False) as content:
        test, validation = (
            tuple(split_by_item(content[name], [item.windows for item in items])) if items else ()
            for name, items in parts.items()
        )
    return test, validation


def _predict(model: Model, items: Sequence[FeatureItem]) -> Logits:
    if not items:
        return ()
    return tuple(predict_items(forward_function(model), [item.windows for item in items]))


def _temperature(context: RunContext, split: Split, validation: Logits) -> float | None:
    if not validation:
        return None
    return fit_temperature(validation, context.label_indices(split.validation))


def _mean(of_nets: Sequence[Logits]) -> Logits:
    """Return the mean over nets of the logits of each item."""
    if len(of_nets) == 1:
        return of_nets[0]
    return tuple(np.mean(of_item, axis=0) for of_item in zip(*of_nets, strict=True))


def _masked(context: RunContext, split: Split, logits: Logits) -> Logits:
    """Return the logits with those of labels that were not trained on at next to nothing."""
    if not split.untrained:
        return logits
    columns = [context.labels.index(label) for label in split.untrained]
    masked = tuple(np.array(of_item) for of_item in logits)
    for of_item in masked:
        of_item[:, columns] = MASKED
    return masked


def _by_familiarity(context: RunContext, split: Split, *parts: Logits) -> Iterator[Logits]:
    """Yield the logits of test and validation, each window's divided as its familiarity asks for.

    What is left of the calibration, the temperature, is then the same for all windows.
    """
    calibration = Calibration(1.0, context.recipe.familiarity_slope)
    familiarity = fit_familiarity(context.dataset(split.train))
    for samples, logits in zip((split.test, split.validation), parts, strict=True):
        scores = [familiarity.score(item.windows) for item in context.select(samples)]
        yield tuple(
            (of_item / calibration.temperatures(score.astype(np.float32))).astype(np.float32)
            for of_item, score in zip(logits, scores, strict=True)
        )


def _save(path: Path, arrays: dict[str, Float32]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path, shared=True) as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
