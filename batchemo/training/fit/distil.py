"""Teaches the light encoder to give what the pretrained encoder gives, from unlabelled recordings.

Both see the same random view of a spectrogram. Each frame of the light encoder stands for two of
the pretrained one and learns their mean, after each block, in units of each channel's deviation;
so do mean and deviation over time, which are all that later nets see.

In the last part of the training, products are computed with the weights as they will be stored,
rounded, while the changes add up in the exact ones: so the rounding is learnt as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from batchemo.common.arrays import Float32
from batchemo.training.data.augment_spectrogram import (
    SpectrogramAugmentation,
    augment_spectrogram,
)
from batchemo.training.nets.layers import Model, Tensor

OnStep: TypeAlias = Callable[[int, float], None]
"""Called now and then with the number of steps done and the mean loss since the last call."""

_REPORT_STEPS = 50
_PAIR = 2
"""Frames of the pretrained encoder for one of the light encoder."""
_STATISTICS_WEIGHT = 0.3
_WARM_UP = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class DistilConfig:
    """How long and how fast the light encoder learns."""

    steps: int = 2600
    learning_rate: float = 6e-4
    frames_a_batch: int = 9216
    lengths: tuple[int, ...] = (192, 256, 256, 512)
    """Frames of the spectrograms of a batch: one of these, at random."""
    rounded_share: float = 0.4
    """The share of the steps, at the end, with rounded weights."""
    average_decay: float = 0.995
    """Of the moving average of the weights, which is what is kept."""
    seed: int = 0


def distil(
    teacher: Model,
    student: Model,
    corpora: Sequence[Sequence[Float32]],
    floor: float,
    config: DistilConfig,
    on_step: OnStep,
) -> None:
    """Train the student in place; both give frames after each block, and which are signal.

    Of each corpus of spectrograms, as many are drawn as the root of its size asks for.
    """
    import keras
    import tensorflow as tf

    batches = _batches(corpora, floor, config)
    scales = _scales(teacher, [next(batches) for _ in range(8)])
    exact = [tf.Variable(weight) for weight in student.trainable_variables]
    average = [tf.Variable(weight) for weight in student.trainable_variables]
    optimizer = keras.optimizers.Adam(config.learning_rate, clipnorm=1.0, beta_2=0.98)
    optimizer.build(exact)

    @tf.function  # type: ignore[untyped-decorator]
    def step(batch: Tensor, decay: Tensor) -> Tensor:
        targets = _outputs(teacher, batch)
        with tf.GradientTape() as tape:
            loss = _loss(targets, _outputs(student, batch), scales)
        gradients = tape.gradient(loss, student.trainable_variables)
        optimizer.apply_gradients(zip(gradients, exact, strict=True))
        for mean, weight in zip(average, exact, strict=True):
            mean.assign(decay * mean + (1 - decay) * weight)
        return loss

    losses = []
    for number in range(config.steps):
        optimizer.learning_rate = _learning_rate(number, config)
        decay = min(config.average_decay, number / (number + 10))
        losses.append(float(step(next(batches), tf.constant(decay, tf.float32))))
        _use(student, exact, rounded=number >= config.steps * (1 - config.rounded_share))
        if len(losses) == _REPORT_STEPS or number == config.steps - 1:
            on_step(number + 1, float(np.mean(losses)))
            losses.clear()
    _use(student, average, rounded=False)


def _learning_rate(step: int, config: DistilConfig) -> float:
    fall = 0.5 * (1 + np.cos(np.pi * step / config.steps))
    return float(config.learning_rate * min(1.0, (step + 1) / _WARM_UP) * fall)


def _use(student: Model, weights: Sequence[Any], *, rounded: bool) -> None:
    """Give the student these weights; matrices as they will be stored, where asked."""
    for variable, weight in zip(student.trainable_variables, weights, strict=True):
        is_matrix = len(variable.shape) == 2 and "positions" not in variable.path
        variable.assign(_rounded(weight) if rounded and is_matrix else weight)


def _rounded(matrix: Tensor) -> Tensor:
    """Return the values that a matrix has once stored: see `quantise`."""
    import tensorflow as tf

    from batchemo.training.nets.light_graph import WEIGHT_BITS

    limit = 2.0 ** (WEIGHT_BITS - 1) - 1
    scale = tf.maximum(tf.reduce_max(tf.abs(matrix), axis=0, keepdims=True), 1e-9) / limit
    return tf.round(matrix / scale) * scale


def _outputs(model: Model, batch: Tensor) -> list[Tensor]:
    import tensorflow as tf

    return [tf.cast(output, tf.float32) for output in model(batch)]


def _loss(targets: Sequence[Tensor], outputs: Sequence[Tensor], scales: Sequence[Any]) -> Tensor:
    import tensorflow as tf

    *target_blocks, target_mask = targets
    *blocks, mask = outputs
    pairs = tf.maximum(_sum_of_pairs(target_mask), 1.0)
    loss = 0.0
    for target, frames, (frame_scale, statistics_scale) in zip(
        target_blocks, blocks, scales, strict=True
    ):
        wanted = _sum_of_pairs(target * target_mask) / pairs
        errors = tf.reduce_mean(tf.square((frames - wanted) / frame_scale), axis=-1)
        loss += tf.reduce_sum(errors * mask[..., 0]) / tf.reduce_sum(mask)
        for found, expected in zip(
            _mean_and_std(frames, mask), _mean_and_std(target, target_mask), strict=True
        ):
            error = tf.square((found - expected) / statistics_scale)
            loss += _STATISTICS_WEIGHT * tf.reduce_mean(error)
    return loss


def _sum_of_pairs(frames: Tensor) -> Tensor:
    import tensorflow as tf

    batch, time, channels = frames.shape
    return tf.reduce_sum(tf.reshape(frames, (batch, time // _PAIR, _PAIR, channels)), axis=2)


def _mean_and_std(frames: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    import tensorflow as tf

    weights = mask / tf.maximum(tf.reduce_sum(mask, axis=1, keepdims=True), 1.0)
    mean = tf.reduce_sum(weights * frames, axis=1)
    variance = tf.reduce_sum(weights * tf.square(frames - mean[:, None]), axis=1)
    return mean, tf.sqrt(variance + 1e-5)


def _scales(teacher: Model, batches: Sequence[Float32]) -> list[tuple[Float32, Float32]]:
    """Return, for each block, the deviations of its channels over frames and over recordings."""
    outputs = [[np.asarray(o) for o in _outputs(teacher, batch)] for batch in batches]
    scales = []
    for block in range(len(outputs[0]) - 1):
        frames = np.concatenate([one[block][one[-1][..., 0] > 0] for one in outputs])
        means = np.concatenate([np.asarray(_mean_and_std(o[block], o[-1])[0]) for o in outputs])
        # Never next to 0: channels that hardly change would count for more than all others.
        scales.append((frames.std(axis=0) + 0.02, means.std(axis=0) + 0.01))
    return scales


def _batches(
    corpora: Sequence[Sequence[Float32]], floor: float, config: DistilConfig
) -> Iterator[Float32]:
    """Yield random views of spectrograms, (batch, frames, bands), for ever."""
    random = np.random.default_rng(config.seed)
    shares = np.sqrt([len(spectrograms) for spectrograms in corpora])
    shares /= shares.sum()
    while True:
        frames = int(random.choice(config.lengths))
        # Without the masks of SpecAugment: what they cover, nobody can imitate.
        view = SpectrogramAugmentation(
            frames=frames, floor=floor, time_warp=0.2, tilt=0.15, masks=0
        )
        chosen = random.choice(len(corpora), size=config.frames_a_batch // frames, p=shares)
        drawn = [corpora[int(corpus)] for corpus in chosen]
        yield np.stack(
            [
                augment_spectrogram(one[int(random.integers(len(one)))], view, random)
                for one in drawn
            ]
        )
