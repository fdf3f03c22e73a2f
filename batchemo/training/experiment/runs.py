"""Runs one training and its test, and keeps what came of it, so that it never runs twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np

from batchemo.common.arrays import Float32
from batchemo.common.files import atomic_write
from batchemo.errors import BatchemoError
from batchemo.evaluation.predictions import Prediction
from batchemo.training.data.dataset import Dataset
from batchemo.training.data.feature_store import FeatureItem
from batchemo.training.data.protocols import Split
from batchemo.training.experiment.context import (
    CHECKPOINT,
    Answers,
    Logits,
    RunContext,
    TrainedModel,
)
from batchemo.training.fit.history import Epoch
from batchemo.training.fit.scoring import fit_temperature, predict_items, probabilities
from batchemo.training.fit.trainer import FitResult, fit
from batchemo.training.nets.layers import Model, NetSpec
from batchemo.training.nets.logistic import L2S, learn_regression
from batchemo.training.nets.registry import (
    NETS,
    joined,
    net_of,
    together,
)
from batchemo.training.recipes import REGRESSION

Told: TypeAlias = Callable[[Split, Epoch], None]


def run_trial(
    context: RunContext, split: Split, told: Told = lambda split, epoch: None
) -> tuple[Answers, float | None]:
    """What the trial's net answers, found now or kept, and the temperature that suits it.

    The temperature is None where nothing was watched that could tell it.
    """
    answers = _answers(context, split, told)
    return answers, _temperature(context, split, answers.watch)


def judge(
    context: RunContext, split: Split, answers: Answers, temperature: float
) -> tuple[Prediction, ...]:
    """The verdicts on what was tested, calibrated by this temperature."""
    plain = probabilities(answers.test).tolist()
    calibrated = probabilities(answers.test, temperature).tolist()
    return tuple(
        Prediction(item.example, item.copy, split.fold, split.seed, tuple(row), tuple(before))
        for item, row, before in zip(context.some(split.test), calibrated, plain, strict=True)
    )


def train(
    context: RunContext, split: Split, told: Told = lambda split, epoch: None
) -> TrainedModel:
    """Teach fresh nets what the trial says, from the checkpoints of an earlier try if any."""
    trained = [_train_net(context, one, told) for one in context.nets(split)]
    taught = tuple(taught for _, taught in trained if taught)
    model = together([net for net, _ in trained])
    watched = _hear(model, context.some(split.watch))
    if context.beside:
        same = context.trial_beside(split)
        other = train(context.beside, same)
        watched = _mean([watched, _hear(other.model, context.beside.some(same.watch))])
        model = joined(model, other.model)
    return TrainedModel(model, taught, _temperature(context, split, watched))


def _train_net(context: RunContext, split: Split, told: Told) -> tuple[Model, FitResult | None]:
    import keras

    hyperparameters = context.choices_of(split)
    learn, watch = context.dataset(split.learn), context.dataset(split.watch)
    _check_classes(learn, context.labels)
    if context.system.net == REGRESSION:
        return _regress(context, split, learn), None
    mean, spread = learn.scaling()
    keras.utils.set_random_seed(hyperparameters.seed)
    spec = NetSpec(
        shape=learn.windows[0].shape[1:],
        mean=mean,
        spread=spread,
        labels=len(context.labels),
        dropout=hyperparameters.dropout,
        l2=hyperparameters.l2,
        floor=context.system.floor,
    )
    model = NETS[context.system.net](spec)
    taught = fit(
        model,
        learn,
        watch,
        hyperparameters,
        checkpoint=context.folder(split) / CHECKPOINT,
        report=lambda epoch: told(split, epoch),
    )
    return model, taught


def _regress(context: RunContext, split: Split, learn: Dataset) -> Model:
    hyperparameters = context.choices_of(split)
    return net_of(
        learn_regression(
            learn,
            [item.example.speaker for item in context.some(split.learn)],
            l2s=(hyperparameters.l2,) if hyperparameters.l2 else L2S,
            foreign=hyperparameters.other_corpora_share,
        )
    )


def _check_classes(learn: Dataset, labels: Sequence[str]) -> None:
    missing = [name for place, name in enumerate(labels) if place not in learn.labels]
    if missing:
        raise BatchemoError(
            f"nothing is left to learn {', '.join(missing)} from: after the split, too few"
            " recordings of these classes, or of their speakers, remain"
        )


def _answers(context: RunContext, split: Split, told: Told) -> Answers:
    """What the nets of a trial say together, those of the system beside it included."""
    own = _mean_answers([_net_answers(context, one, told) for one in context.nets(split)])
    if not context.beside:
        return own
    return _mean_answers([own, _answers(context.beside, context.trial_beside(split), told)])


def _net_answers(context: RunContext, split: Split, told: Told) -> Answers:
    """What a single net answers: found now, or kept."""
    result = context.result(split)
    parts = {"test": split.test, "watch": split.watch}
    if not result.is_file():
        model, _ = _train_net(context, split, told)
        heard = {name: _hear(model, context.some(places)) for name, places in parts.items()}
        _keep(result, {name: np.concatenate(said) for name, said in heard.items() if said})
    with np.load(result, allow_pickle=False) as content:
        return Answers(
            **{
                name: _by_item(content[name], context.some(places)) if places else ()
                for name, places in parts.items()
            }
        )


def _hear(model: Model, items: Sequence[FeatureItem]) -> Logits:
    from batchemo.training.fit.scoring import keras_graph

    return tuple(predict_items(keras_graph(model), [i.windows for i in items])) if items else ()


def _temperature(context: RunContext, split: Split, watched: Logits) -> float | None:
    return fit_temperature(watched, context.dataset(split.watch).labels) if watched else None


def _by_item(logits: Float32, items: Sequence[FeatureItem]) -> Logits:
    return tuple(np.split(logits, np.cumsum([len(item.windows) for item in items])[:-1]))


def _mean_answers(every: Sequence[Answers]) -> Answers:
    return Answers(_mean([one.test for one in every]), _mean([one.watch for one in every]))


def _mean(many: Sequence[Logits]) -> Logits:
    """The mean of what several nets say of each window."""
    if len(many) == 1:
        return many[0]
    return tuple(np.mean(said, axis=0) for said in zip(*many, strict=True))


def _keep(path: Path, told: dict[str, Float32]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path, shared=True) as file:
        np.savez(file, **told)  # type: ignore[arg-type]
