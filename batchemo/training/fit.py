"""Teaches a net: AdamW on one cycle, and the moving average of all weights as the result."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from batchemo.training.batches import Batch, Batches
from batchemo.training.options import FitOptions
from batchemo.training.pictures import Clip

Model: TypeAlias = Any
Report: TypeAlias = Callable[[int, float], None]
"""Told the number and the mean loss of each epoch."""


def fit(
    model: Model,
    clips: Sequence[Clip],
    options: FitOptions,
    *,
    checkpoint: Path | None = None,
    report: Report = lambda epoch, loss: None,
) -> None:
    """Teach the model in place; with a checkpoint, go on where an earlier try was stopped."""
    batches = Batches(clips, options)
    learner = _Learner(model, options)
    first = learner.restore(checkpoint) if checkpoint else 0
    for number in range(first, options.epochs):
        losses = []
        for step, batch in enumerate(batches.epoch(number)):
            done = (number + step / batches.steps) / options.epochs
            losses.append(learner.learn(batch, one_cycle(done, options)))
        report(number, float(np.mean(losses)))
        if checkpoint:
            learner.save(checkpoint, number + 1)
    learner.take_average()


def one_cycle(done: float, options: FitOptions) -> float:
    """The learning rate when a share of all steps is done: up, then down to next to nothing.

    >>> options = FitOptions(rate=1.0, warm_up=0.5)
    >>> [round(one_cycle(done, options), 2) for done in (0.0, 0.25, 0.5, 1.0)]
    [0.04, 0.52, 1.0, 0.0]
    """
    if done < options.warm_up:
        low, high, part = options.rate / 25, options.rate, done / options.warm_up
    else:
        part = (done - options.warm_up) / (1 - options.warm_up)
        low, high = options.rate, options.rate / 1e4
    return float(low + (high - low) * (1 - np.cos(np.pi * part)) / 2)


class _Learner:
    """A model, its optimizer, and the moving average of its weights."""

    def __init__(self, model: Model, options: FitOptions) -> None:
        import keras
        import tensorflow as tf

        self._model = model
        self._options = options
        self._optimizer = keras.optimizers.AdamW(
            options.rate, weight_decay=options.decay, clipnorm=options.clip_norm
        )
        self._optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        self._optimizer.build(model.trainable_variables)
        self._averages = [tf.Variable(weight) for weight in model.weights]
        self._state = tf.train.Checkpoint(
            weights=[weight.value for weight in model.weights],
            averages=self._averages,
            optimizer=[variable.value for variable in self._optimizer.variables],
        )
        self._step = tf.function(self._learn)

    def learn(self, batch: Batch, rate: float) -> float:
        """One step along the gradient of one batch; its loss."""
        self._optimizer.learning_rate = rate
        return float(self._step(batch.pictures, batch.targets, batch.reach))

    def _learn(self, pictures: Any, targets: Any, reach: Any) -> Any:
        import tensorflow as tf

        model, keep = self._model, self._options.average
        with tf.GradientTape() as tape:
            logits = model(pictures, training=True) + reach
            losses = tf.nn.softmax_cross_entropy_with_logits(targets, logits)
            loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, model.trainable_variables)
        self._optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        for average, weight in zip(self._averages, model.weights, strict=True):
            average.assign(keep * average + (1 - keep) * weight.value)
        return loss

    def take_average(self) -> None:
        """Give the model the average of its weights, those of batch normalisation included."""
        for average, weight in zip(self._averages, self._model.weights, strict=True):
            weight.assign(average)

    def save(self, folder: Path, epochs_done: int) -> None:
        """Keep all that is needed to go on after this epoch, and nothing older."""
        folder.mkdir(parents=True, exist_ok=True)
        state = f"epoch-{epochs_done}"
        self._state.write(str(folder / state))
        draft = folder / "progress.new"
        draft.write_text(json.dumps({**self._identity(), "epochs": epochs_done, "state": state}))
        draft.replace(folder / "progress.json")
        for old in folder.glob(f"epoch-{epochs_done - 1}.*"):
            old.unlink()

    def restore(self, folder: Path) -> int:
        """Take up an earlier try by these very options; how many epochs it has done."""
        if not (folder / "progress.json").is_file():
            return 0
        progress = json.loads((folder / "progress.json").read_text())
        if progress["options"] != self._identity()["options"]:
            return 0
        self._state.read(str(folder / progress["state"])).assert_consumed()
        return int(progress["epochs"])

    def _identity(self) -> dict[str, Any]:
        # Through JSON and back, as the checkpoint on disk has been.
        return {"options": json.loads(json.dumps(asdict(self._options)))}
