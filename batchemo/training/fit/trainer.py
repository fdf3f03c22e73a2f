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
from batchemo.training.data.batches import draw_epoch, steps_per_epoch
from batchemo.training.data.dataset import Dataset, balanced_weights
from batchemo.training.data.effects import SpeakerShift, fit_speaker_shift
from batchemo.training.fit.checkpoint import Arrays, load_checkpoint, save_checkpoint
from batchemo.training.fit.history import (
    Epoch,
    is_finished,
    next_learning_rate,
    one_cycle,
    select_epoch,
)
from batchemo.training.fit.scoring import cross_entropy, predict_items, probabilities
from batchemo.training.hyperparameters import Hyperparameters
from batchemo.training.nets.layers import Model, Tensor

OnEpoch: TypeAlias = Callable[[Epoch], None]

CHECKPOINT_SECONDS = 10.0
"""How long a training goes on before it is saved again: rarely enough to cost nothing."""


@dataclass(frozen=True, slots=True)
class FitResult:
    """How a training went; the model itself has the selected epoch's weights."""

    history: tuple[Epoch, ...]
    selected: Epoch


def fit(
    model: Model,
    train: Dataset,
    validation: Dataset,
    hyperparameters: Hyperparameters,
    *,
    checkpoint: Path | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    on_epoch: OnEpoch = lambda epoch: None,
) -> FitResult:
    """Fit the model in place; with a checkpoint, go on where an earlier call was interrupted.

    The checkpoint must belong to this very training: its path is the caller's to choose.
    """
    trainer = _Trainer(
        model, train.classes, _class_weights(train, hyperparameters), hyperparameters
    )
    history = trainer.restore(checkpoint) if checkpoint else []
    share = hyperparameters.other_corpora_share
    shift = None
    if hyperparameters.speaker_shift:
        shift = fit_speaker_shift(train, other_corpora_share=share)
    last_save = float("-inf")  # So that the first epoch is saved at once.
    while not is_finished(history, hyperparameters):
        number, rate = len(history), next_learning_rate(history, hyperparameters)
        figures = trainer.fit_epoch(train, shift, number, rate)
        epoch = Epoch(number, rate, *figures, *trainer.evaluate(validation))
        if not np.isfinite(epoch.loss + (epoch.validation_loss or 0.0)):
            raise BatchemoError(
                f"the training broke down in epoch {number + 1}: its loss is no number any more."
                f" Try a lower learning rate than {hyperparameters.learning_rate:g}"
            )
        history.append(epoch)
        if select_epoch(history, hyperparameters).number == number:
            trainer.keep_weights()
        on_epoch(epoch)
        is_due = time.monotonic() - last_save >= checkpoint_seconds
        if checkpoint and (is_due or is_finished(history, hyperparameters)):
            trainer.save(checkpoint, history)
            last_save = time.monotonic()
    trainer.restore_kept_weights()
    return FitResult(tuple(history), select_epoch(history, hyperparameters))


def target_cross_entropy(targets: Tensor, logits: Tensor) -> Tensor:
    """Return the cross-entropy of each item; a target may be spread over several classes."""
    import tensorflow as tf

    return tf.nn.softmax_cross_entropy_with_logits(targets, logits)


def item_loss(cross_entropies: Tensor, hyperparameters: Hyperparameters) -> Tensor:
    """Return the loss of each item, of tensors as of plain arrays.

    The focal loss (Lin et al., 2017) falls faster than the cross-entropy as the label grows
    likely, so that the net is trained by the items that it does not get right yet.
    """
    from keras import ops

    if hyperparameters.loss == "focal":
        return (1 - ops.exp(-cross_entropies)) ** hyperparameters.focal_gamma * cross_entropies
    return cross_entropies


def _class_weights(train: Dataset, hyperparameters: Hyperparameters) -> Float32:
    if hyperparameters.class_weights:
        return balanced_weights(train.labels, train.classes)
    return np.ones(train.classes, np.float32)


def _make_optimizer(hyperparameters: Hyperparameters) -> Any:
    import keras

    rate, clip_norm = hyperparameters.learning_rate, hyperparameters.clip_norm or None
    if not hyperparameters.weight_decay:
        return keras.optimizers.Adam(rate, clipnorm=clip_norm)
    adamw = keras.optimizers.AdamW(
        rate, weight_decay=hyperparameters.weight_decay, clipnorm=clip_norm
    )
    # Biases and the scales of normalisation are not what overfits.
    adamw.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return adamw


class _Trainer:
    """A model, its optimizer, the moving average of its weights, and the weights that are kept.

    Not `model.fit`: batches are balanced and masked by corpus, and a training that is resumed from
    a checkpoint must give the same bytes as one that was never interrupted.
    """

    def __init__(
        self,
        model: Model,
        classes: int,
        class_weights: Float32,
        hyperparameters: Hyperparameters,
    ) -> None:
        import keras
        import tensorflow as tf

        self._model = model
        self._hyperparameters = hyperparameters
        self._optimizer = _make_optimizer(hyperparameters)
        self._optimizer.build(model.trainable_variables)
        self._class_weights = tf.constant(class_weights)
        averaged = model.weights if hyperparameters.ema_decay else ()
        self._averages = [keras.Variable(weight, trainable=False) for weight in averaged]
        self._kept_weights = self._result_weights()
        # Batches of any size share one compiled graph.
        shape = (None, *model.inputs[0].shape[1:])
        windows, of_classes = (
            tf.TensorSpec(shape, tf.float32),
            tf.TensorSpec((None, classes)),
        )
        self._step = tf.function(
            self._train_step, input_signature=[windows, of_classes, of_classes]
        )
        self._forward = tf.function(
            lambda batch: model(batch, training=False), input_signature=[windows]
        )

    def fit_epoch(
        self, dataset: Dataset, shift: SpeakerShift | None, number: int, rate: float
    ) -> tuple[float, float]:
        """Train for one epoch; return the mean loss and the accuracy of its batches."""
        hyperparameters = self._hyperparameters
        steps = steps_per_epoch(dataset, hyperparameters)
        self._optimizer.learning_rate = rate
        loss = correct = 0.0
        count = 0
        for step, batch in enumerate(draw_epoch(dataset, number, hyperparameters, shift)):
            if hyperparameters.lr_schedule == "one-cycle":
                progress = (number + step / steps) / hyperparameters.epochs
                self._optimizer.learning_rate = one_cycle(progress, hyperparameters.learning_rate)
            batch_loss, batch_correct = self._step(batch.windows, batch.targets, batch.logit_mask)
            loss += float(batch_loss) * len(batch.targets)
            correct += float(batch_correct)
            count += len(batch.targets)
        return loss / count, correct / count

    def _train_step(self, windows: Tensor, targets: Tensor, logit_mask: Tensor) -> Any:
        """Train on one batch; return its mean loss and how many items are classified right."""
        import tensorflow as tf

        model, decay = self._model, self._hyperparameters.ema_decay
        with tf.GradientTape() as tape:
            logits = model(windows, training=True) + logit_mask
            losses = item_loss(target_cross_entropy(targets, logits), self._hyperparameters)
            weighted = tf.reduce_mean(tf.linalg.matvec(targets, self._class_weights) * losses)
            loss = weighted + tf.add_n(model.losses) if model.losses else weighted
        gradients = tape.gradient(loss, model.trainable_variables)
        self._optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        # Of all weights: the statistics of BatchNorm must fit the averaged ones.
        for average, weight in zip(self._averages, model.weights, strict=bool(self._averages)):
            average.assign(decay * average + (1 - decay) * weight)
        correct = tf.equal(tf.argmax(logits, axis=1), tf.argmax(targets, axis=1))
        return loss, tf.reduce_sum(tf.cast(correct, tf.float32))

    def evaluate(self, dataset: Dataset) -> tuple[float, float, float] | tuple[()]:
        """Return loss, accuracy and UAR of what would be the result now; nothing of no items."""
        labels = dataset.labels
        if not len(labels):
            return ()
        with self._with_result_weights():
            predicted = probabilities(predict_items(self._predict, dataset.windows))
        loss = float(np.mean(item_loss(cross_entropy(predicted, labels), self._hyperparameters)))
        correct = predicted.argmax(axis=1) == labels
        recalls = [correct[labels == label].mean() for label in np.unique(labels)]
        return loss, float(correct.mean()), float(np.mean(recalls))

    @contextmanager
    def _with_result_weights(self) -> Iterator[None]:
        """Give the model, for a while, the weights that would be the result now."""
        if not self._averages:
            yield
            return
        weights = [np.array(weight) for weight in self._model.get_weights()]
        self._model.set_weights(self._result_weights())
        yield
        self._model.set_weights(weights)

    def _predict(self, batch: Float32) -> Float32:
        return np.asarray(self._forward(batch), np.float32)

    def keep_weights(self) -> None:
        """Keep the weights that would be the result now, in place of those kept before."""
        self._kept_weights = self._result_weights()

    def restore_kept_weights(self) -> None:
        """Give the model the weights that were kept last."""
        self._model.set_weights(self._kept_weights)

    def save(self, path: Path, history: list[Epoch]) -> None:
        """Write a checkpoint with all that the epochs to come depend on."""
        state = [np.asarray(variable) for variable in self._state()]
        save_checkpoint(path, history, {"state": state, "best": self._kept_weights})

    def restore(self, path: Path) -> list[Epoch]:
        """Go back to a checkpoint, if there is one, and return its epochs."""
        checkpoint = load_checkpoint(path)
        if checkpoint is None:
            return []
        history, arrays = checkpoint
        shapes = [array.shape for array in arrays.get("state", ())]
        if shapes != [tuple(variable.shape) for variable in self._state()]:
            raise BatchemoError(f"{path}: this checkpoint is of another net. Remove it")
        for variable, value in zip(self._state(), arrays["state"], strict=True):
            variable.assign(value)
        self._kept_weights = arrays["best"]
        return history

    def _result_weights(self) -> Arrays:
        """Return a copy of the weights that would be the result now: averages where there are."""
        weights = map(np.asarray, self._averages or self._model.get_weights())
        # Copies: Keras hands out views of weights that go on changing.
        return [np.array(weight) for weight in weights]

    def _state(self) -> list[Any]:
        # All variables of the model, not its weights alone: the states of the generators of
        # dropout are among them, and must go on where they were.
        return [*self._model.variables, *self._optimizer.variables, *self._averages]
