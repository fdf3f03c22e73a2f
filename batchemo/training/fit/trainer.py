"""Fits a net, epoch by epoch; the result is the selected epoch's weights, or their average."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from batchemo.common.arrays import Float32
from batchemo.errors import BatchemoError
from batchemo.training.data.batches import draw_epoch, steps
from batchemo.training.data.dataset import Dataset, balanced_weights
from batchemo.training.fit.checkpoint import Arrays, load_checkpoint, save_checkpoint
from batchemo.training.fit.history import (
    Epoch,
    best_epoch,
    is_over,
    next_rate,
    one_cycle,
)
from batchemo.training.fit.scoring import predict_items, probabilities, surprises
from batchemo.training.hyperparameters import Hyperparameters
from batchemo.training.nets.layers import Model

Tensor = Any


def output_exists(targets: Tensor, logits: Tensor) -> Tensor:
    """How surprising the right label was to the net, for each item; a target may be several."""
    import tensorflow as tf

    return tf.nn.softmax_cross_entropy_with_logits(targets, logits)


def price(surprises: Tensor, hyperparameters: Hyperparameters) -> Tensor:
    """The loss of each item: cross-entropy is the surprise itself.

    The focal loss (Lin et al., 2017) fades as the right label grows likely, so that the net is
    taught by what it does not know yet.
    """
    from keras import ops

    if hyperparameters.loss == "focal":
        return (1 - ops.exp(-surprises)) ** hyperparameters.focal_gamma * surprises
    return surprises


Report: TypeAlias = Callable[[Epoch], None]

SECONDS_BETWEEN_CHECKPOINTS = 10.0


@dataclass(frozen=True, slots=True)
class FitResult:
    """How a training went; the model itself has the chosen epoch's weights."""

    history: tuple[Epoch, ...]
    chosen: Epoch


def fit(
    model: Model,
    learn: Dataset,
    watch: Dataset,
    hyperparameters: Hyperparameters,
    *,
    checkpoint: Path | None = None,
    every: float = SECONDS_BETWEEN_CHECKPOINTS,
    report: Report = lambda epoch: None,
) -> FitResult:
    """Teach the model in place; with a checkpoint, go on where an earlier try was stopped.

    The checkpoint must belong to this very training: its place is the caller's to choose.
    """
    trainer = _Trainer(model, learn, hyperparameters)
    history = trainer.restore(checkpoint) if checkpoint else []
    saved = float("-inf")  # Never: so the first epoch is kept at once.
    while not is_over(history, hyperparameters):
        number, rate = len(history), next_rate(history, hyperparameters)
        seen = Epoch(number, rate, *trainer.learn(learn, number, rate), *trainer.judge(watch))
        if not np.isfinite(seen.loss + (seen.validation_loss or 0.0)):
            raise BatchemoError(
                f"the training broke down in epoch {number + 1}: its loss is no number any more."
                f" Try a lower learning rate than {hyperparameters.learning_rate:g}"
            )
        history.append(seen)
        if best_epoch(history, hyperparameters).number == number:
            trainer.remember()
        report(history[-1])
        due = time.monotonic() - saved >= every or is_over(history, hyperparameters)
        if checkpoint and due:
            trainer.save(checkpoint, history)
            saved = time.monotonic()
    trainer.recall()
    return FitResult(tuple(history), best_epoch(history, hyperparameters))


class _Trainer:
    """A model, its optimizer, the average of its weights, and the weights of its best epoch."""

    def __init__(self, model: Model, learn: Dataset, hyperparameters: Hyperparameters) -> None:
        import keras
        import tensorflow as tf

        self._model = model
        self._choices = hyperparameters
        self._optimizer = _optimizer(hyperparameters)
        self._optimizer.build(model.trainable_variables)
        weights = np.ones(learn.classes, np.float32)
        if hyperparameters.class_weights:
            weights = balanced_weights(learn.labels, learn.classes)
        self._class_weights = tf.constant(weights)
        kept = model.weights if hyperparameters.ema_decay else ()
        self._averages = [keras.Variable(weight, trainable=False) for weight in kept]
        self._best = self._weights()
        shape = (None, *model.inputs[0].shape[1:])
        windows, scores = tf.TensorSpec(shape, tf.float32), tf.TensorSpec((None, learn.classes))
        self._step = tf.function(self._learn, input_signature=[windows, scores, scores])
        self._forward = tf.function(
            lambda batch: model(batch, training=False), input_signature=[windows]
        )

    def learn(self, dataset: Dataset, number: int, rate: float) -> tuple[float, float]:
        """Go through one epoch; the mean loss and the share that was right on the way."""
        hyperparameters = self._choices
        every = steps(dataset, hyperparameters)
        self._optimizer.learning_rate = rate
        loss = right = 0.0
        count = 0
        for step, batch in enumerate(draw_epoch(dataset, number, hyperparameters)):
            if hyperparameters.lr_schedule == "one-cycle":
                done = (number + step / every) / hyperparameters.epochs
                self._optimizer.learning_rate = one_cycle(done, hyperparameters.learning_rate)
            batch_loss, batch_right = self._step(batch.windows, batch.targets, batch.reach)
            loss += float(batch_loss) * len(batch.targets)
            right += float(batch_right)
            count += len(batch.targets)
        return loss / count, right / count

    def _learn(self, windows: Any, targets: Any, reach: Any) -> tuple[Any, Any]:
        import tensorflow as tf

        model, keep = self._model, self._choices.ema_decay
        with tf.GradientTape() as tape:
            logits = model(windows, training=True) + reach
            prices = price(output_exists(targets, logits), self._choices)
            weighed = tf.reduce_mean(tf.linalg.matvec(targets, self._class_weights) * prices)
            loss = weighed + tf.add_n(model.losses) if model.losses else weighed
        gradients = tape.gradient(loss, model.trainable_variables)
        self._optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        for average, weight in zip(self._averages, model.weights, strict=bool(self._averages)):
            average.assign(keep * average + (1 - keep) * weight)
        right = tf.equal(tf.argmax(logits, axis=1), tf.argmax(targets, axis=1))
        return loss, tf.reduce_sum(tf.cast(right, tf.float32))

    def judge(self, dataset: Dataset) -> tuple[float, float, float] | tuple[()]:
        """The loss, the accuracy and the UAR on what is only watched, if there is anything."""
        labels = dataset.labels
        if not len(labels):
            return ()
        with self._as_result():
            told = probabilities(predict_items(self._hear, dataset.windows))
        loss = float(np.mean(price(surprises(told, labels), self._choices)))
        right = told.argmax(axis=1) == labels
        recalls = [right[labels == label].mean() for label in np.unique(labels)]
        return loss, float(right.mean()), float(np.mean(recalls))

    @contextmanager
    def _as_result(self) -> Iterator[None]:
        """The model with the weights that would be the result now."""
        if not self._averages:
            yield
            return
        own = [np.array(weight) for weight in self._model.get_weights()]
        self._model.set_weights(self._weights())
        yield
        self._model.set_weights(own)

    def _hear(self, batch: Float32) -> Float32:
        return np.asarray(self._forward(batch), np.float32)

    def remember(self) -> None:
        """Take the weights as they are now for the best so far."""
        self._best = self._weights()

    def recall(self) -> None:
        """Give the model the best weights."""
        self._model.set_weights(self._best)

    def save(self, path: Path, history: list[Epoch]) -> None:
        """Keep all that is needed to go on after this epoch."""
        state = [np.asarray(variable) for variable in self._state()]
        save_checkpoint(path, history, {"state": state, "best": self._best})

    def restore(self, path: Path) -> list[Epoch]:
        """Take up what an earlier try has kept, if there is anything."""
        kept = load_checkpoint(path)
        if kept is None:
            return []
        history, arrays = kept
        shapes = [array.shape for array in arrays.get("state", ())]
        if shapes != [tuple(variable.shape) for variable in self._state()]:
            raise BatchemoError(f"{path}: this checkpoint is of another net. Remove it")
        for variable, value in zip(self._state(), arrays["state"], strict=True):
            variable.assign(value)
        self._best = arrays["best"]
        return history

    def _weights(self) -> Arrays:
        """The weights that would be the result now."""
        weights = map(np.asarray, self._averages or self._model.get_weights())
        # Copies: Keras hands out views of weights that go on changing.
        return [np.array(weight) for weight in weights]

    def _state(self) -> list[Any]:
        # The states of the dropout generators are variables too, but no weights.
        return [*self._model.variables, *self._optimizer.variables, *self._averages]


def _optimizer(hyperparameters: Hyperparameters) -> Any:
    import keras

    longest = hyperparameters.clip_norm or None
    if not hyperparameters.weight_decay:
        return keras.optimizers.Adam(hyperparameters.learning_rate, clipnorm=longest)
    adamw = keras.optimizers.AdamW(
        hyperparameters.learning_rate, weight_decay=hyperparameters.weight_decay, clipnorm=longest
    )
    adamw.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return adamw
