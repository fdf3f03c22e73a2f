"""A net is fitted as its hyperparameters say, and an interruption changes nothing of the result."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_items import LABELS, made_example, made_items

from batchemo.common.arrays import Float32, Index
from batchemo.errors import BatchemoError
from batchemo.training.data.dataset import Dataset, make_dataset
from batchemo.training.fit.checkpoint import load_checkpoint
from batchemo.training.fit.history import Epoch, select_epoch
from batchemo.training.fit.scoring import (
    cross_entropy,
    forward_function,
    predict_items,
    probabilities,
)
from batchemo.training.fit.trainer import FitResult, fit
from batchemo.training.hyperparameters import Hyperparameters, LrSchedule

pytestmark = pytest.mark.tensorflow

QUICK = Hyperparameters(epochs=4, batch_size=8, learning_rate=0.02, validation_share=0.2)
AVERAGED = replace(QUICK, ema_decay=0.8, lr_schedule="one-cycle", weight_decay=0.05, clip_norm=1.0)
"""With all that has a state of its own, and with validation."""
WITHOUT_VALIDATION = replace(
    AVERAGED,
    other_corpora_share=0.25,
    label_smoothing=0.1,
    mixup=0.5,
    select_epoch="last",
    validation_share=0.0,
)
"""As the models of a scan are trained."""


def made_dataset(takes: range, *, noise: float = 0.3) -> Dataset:
    examples = [made_example("a", label, take) for label in LABELS for take in takes]
    return make_dataset(made_items(examples, noise=noise), LABELS)


TRAIN, VALIDATION = made_dataset(range(8)), made_dataset(range(8, 12))
INSEPARABLE = made_dataset(range(20, 24), noise=30.0)
EMPTY = make_dataset([], LABELS)


def validation_of(hyperparameters: Hyperparameters) -> Dataset:
    return VALIDATION if hyperparameters.validation_share else EMPTY


def small_net(seed: int = 0) -> Any:
    """Return a net with all that has a state: weights, batch statistics, and dropout."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    features = keras.Input((4,))
    x = layers.Dense(8, activation="relu", kernel_regularizer=keras.regularizers.L2(1e-3))(features)
    x = layers.Dropout(0.5)(layers.BatchNormalization(momentum=0.8)(x))
    return keras.Model(features, layers.Dense(len(LABELS))(x))


def same_weights(one: Any, other: Any) -> bool:
    return all(map(np.array_equal, one.get_weights(), other.get_weights()))


def interrupt_after(number: int | None) -> Callable[[Epoch], None]:
    def on_epoch(epoch: Epoch) -> None:
        if epoch.number == number:
            raise KeyboardInterrupt

    return on_epoch


def test_a_net_learns_separable_classes_and_every_epoch_is_reported() -> None:
    reported: list[Epoch] = []

    fitted = fit(
        small_net(), TRAIN, VALIDATION, replace(QUICK, epochs=15), on_epoch=reported.append
    )

    assert tuple(reported) == fitted.history
    assert fitted.history[-1].loss < fitted.history[0].loss / 2
    assert fitted.selected.validation_accuracy is not None
    assert fitted.selected.validation_accuracy > 0.9


def test_the_same_seed_gives_the_same_weights_and_another_seed_others() -> None:
    nets = [small_net() for _ in range(3)]

    fitted = [
        fit(net, TRAIN, VALIDATION, replace(QUICK, epochs=2, seed=seed))
        for net, seed in zip(nets, (1, 1, 2), strict=True)
    ]

    assert fitted[0] == fitted[1] != fitted[2]
    assert same_weights(nets[0], nets[1])
    assert not same_weights(nets[0], nets[2])


@pytest.mark.parametrize("stop", [1, 3])
@pytest.mark.parametrize(
    "hyperparameters", [QUICK, AVERAGED, WITHOUT_VALIDATION], ids=["plain", "averaged", "scan"]
)
def test_an_interrupted_training_ends_as_if_it_had_never_stopped(
    hyperparameters: Hyperparameters, stop: int, tmp_path: Path
) -> None:
    checkpoint, validation = tmp_path / "checkpoint.npz", validation_of(hyperparameters)
    uninterrupted, resumed, later = small_net(), small_net(seed=9), []
    expected = fit(uninterrupted, TRAIN, validation, hyperparameters)
    with pytest.raises(KeyboardInterrupt):
        fit(
            small_net(),
            TRAIN,
            validation,
            hyperparameters,
            checkpoint=checkpoint,
            checkpoint_seconds=0,
            on_epoch=interrupt_after(stop),
        )

    fitted = fit(
        resumed, TRAIN, validation, hyperparameters, checkpoint=checkpoint, on_epoch=later.append
    )

    assert [epoch.number for epoch in later] == list(range(stop, 4))
    assert fitted == expected
    assert same_weights(resumed, uninterrupted)


def test_the_first_epoch_is_saved_at_once_however_rarely_others_are(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint.npz"
    with pytest.raises(KeyboardInterrupt):
        fit(
            small_net(),
            TRAIN,
            VALIDATION,
            QUICK,
            checkpoint=checkpoint,
            checkpoint_seconds=1e9,
            on_epoch=interrupt_after(2),
        )

    history, _ = load_checkpoint(checkpoint) or pytest.fail("nothing was saved")

    assert [epoch.number for epoch in history] == [0]


def test_a_finished_training_is_not_run_again(tmp_path: Path) -> None:
    first, second, checkpoint = small_net(), small_net(seed=9), tmp_path / "checkpoint.npz"
    done = fit(first, TRAIN, VALIDATION, QUICK, checkpoint=checkpoint)

    again = fit(
        second, TRAIN, VALIDATION, QUICK, checkpoint=checkpoint, on_epoch=interrupt_after(0)
    )

    assert again == done
    assert same_weights(first, second)


@pytest.mark.parametrize("ema_decay", [0.0, 0.5])
def test_the_net_has_the_weights_of_the_selected_epoch(ema_decay: float) -> None:
    """What is trained after the best epoch must not show in the result."""
    hard = made_dataset(range(8, 12), noise=3.0)
    hyperparameters = replace(QUICK, epochs=12, learning_rate=0.3, ema_decay=ema_decay)
    whole, shortened = small_net(), small_net()
    fitted = fit(whole, TRAIN, hard, hyperparameters)
    number = select_epoch(fitted.history, hyperparameters).number
    assert number < 11, "made so that the best epoch is not the last"

    fit(shortened, TRAIN, hard, replace(hyperparameters, epochs=number + 1, select_epoch="last"))

    assert fitted.selected.number == number
    assert same_weights(whole, shortened)


def test_a_training_stops_early_when_nothing_improves() -> None:
    hyperparameters = replace(QUICK, epochs=40, learning_rate=0.2, patience=2)

    fitted = fit(small_net(), TRAIN, INSEPARABLE, hyperparameters)

    assert len(fitted.history) < 40
    assert fitted.history[-1].number == fitted.selected.number + 2


def test_the_learning_rate_falls_while_the_validation_loss_stays_high() -> None:
    hyperparameters = replace(
        QUICK, epochs=8, learning_rate=0.2, plateau_patience=1, plateau_factor=0.1
    )

    fitted = fit(small_net(), TRAIN, INSEPARABLE, hyperparameters)

    assert fitted.history[-1].learning_rate < 0.2


def dataset_of(windows: Float32, labels: Index) -> Dataset:
    """Return one item a window, all of one corpus."""
    corpora = np.zeros(len(labels), np.intp)
    return Dataset(
        (*windows[:, None],),
        labels,
        corpora,
        np.arange(len(labels)),
        np.zeros(len(labels), np.intp),
        len(LABELS),
    )


@pytest.mark.parametrize(
    "hyperparameters",
    [
        Hyperparameters(epochs=1),
        Hyperparameters(epochs=1, class_weights=True),
        Hyperparameters(epochs=1, loss="focal", focal_gamma=2.0),
    ],
    ids=["cross-entropy", "class weights", "focal"],
)
def test_the_loss_of_the_first_batch_is_the_one_of_the_hyperparameters(
    hyperparameters: Hyperparameters,
) -> None:
    import keras

    net = keras.Sequential([keras.Input((4,)), keras.layers.Dense(len(LABELS))])
    windows = np.random.default_rng(0).normal(size=(10, 4)).astype(np.float32)
    labels = np.array([2] * 8 + [0] * 2)
    likelihood = probabilities([*np.asarray(net(windows))[:, None]])[np.arange(10), labels]
    losses = -np.log(likelihood)
    if hyperparameters.loss == "focal":
        losses *= (1 - likelihood) ** 2
    if hyperparameters.class_weights:
        losses *= np.where(labels == 2, 10 / 16, 10 / 4)

    fitted = fit(net, dataset_of(windows, labels), VALIDATION, hyperparameters)

    assert fitted.history[0].loss == pytest.approx(losses.mean(), rel=1e-4)


def linear_net() -> Any:
    """Return a net whose biases are 1, and whose other weights are 1, 2 and 3 by class."""
    import keras

    net = keras.Sequential([keras.Input((4,)), keras.layers.Dense(len(LABELS))])
    net.set_weights([np.array([[1, 2, 3]] * 4, np.float32), np.ones(3, np.float32)])
    return net


TWO_OF_THREE_CLASSES = dataset_of(
    np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32), np.array([0, 1] * 4)
)
ONE_STEP = Hyperparameters(
    epochs=1,
    batch_size=8,
    learning_rate=0.1,
    other_corpora_share=0.1,
    select_epoch="last",
    validation_share=0.0,
)
"""One step an epoch; classes that the corpus lacks are masked."""


def test_the_weights_of_a_masked_class_do_not_change() -> None:
    net = linear_net()

    fit(net, TWO_OF_THREE_CLASSES, EMPTY, ONE_STEP)

    kernel, bias = net.get_weights()
    assert (kernel[:, 2] == 3).all()
    assert bias[2] == 1
    assert (kernel[:, :2] != [1, 2]).all()


def test_weight_decay_shrinks_weights_without_a_gradient_but_not_biases() -> None:
    net = linear_net()

    fit(net, TWO_OF_THREE_CLASSES, EMPTY, replace(ONE_STEP, epochs=2, weight_decay=0.5))

    kernel, bias = net.get_weights()
    assert kernel[:, 2] == pytest.approx(3 * (1 - 0.1 * 0.5) ** 2)
    assert bias[2] == 1


def test_gradients_are_clipped() -> None:
    """To so short a norm that it vanishes beside the epsilon of Adam."""
    clipped, free = linear_net(), linear_net()

    fit(clipped, TWO_OF_THREE_CLASSES, EMPTY, replace(ONE_STEP, clip_norm=1e-12))
    fit(free, TWO_OF_THREE_CLASSES, EMPTY, ONE_STEP)

    assert clipped.get_weights()[0] == pytest.approx(linear_net().get_weights()[0], abs=1e-4)
    assert not same_weights(free, linear_net())


@pytest.mark.parametrize(("lr_schedule", "share"), [("plateau", 1), ("one-cycle", 1 / 25)])
def test_one_cycle_starts_with_a_small_step(lr_schedule: LrSchedule, share: float) -> None:
    """In its first step Adam moves every weight by the learning rate, whatever the gradient."""
    net = linear_net()

    fit(net, TWO_OF_THREE_CLASSES, EMPTY, replace(ONE_STEP, lr_schedule=lr_schedule))

    change = np.abs(net.get_weights()[0] - linear_net().get_weights()[0])[:, :2]
    assert change == pytest.approx(0.1 * share, rel=1e-3)


def test_one_cycle_ends_with_next_to_no_step() -> None:
    nets = [linear_net(), linear_net()]
    hyperparameters = replace(ONE_STEP, epochs=100, lr_schedule="one-cycle")
    for net, stop in zip(nets, (None, 98), strict=True):
        with suppress(KeyboardInterrupt):
            fit(net, TWO_OF_THREE_CLASSES, EMPTY, hyperparameters, on_epoch=interrupt_after(stop))

    last_step = np.abs(nets[0].get_weights()[0] - nets[1].get_weights()[0])
    assert 0 < last_step.max() < 0.1 / 100


def test_the_result_is_the_moving_average_of_the_weights() -> None:
    """Of the weights before training and after each step, batch statistics included."""
    decay = 0.8
    before, after_one, after_two, averaged = (small_net() for _ in range(4))
    one_batch = replace(QUICK, batch_size=100, select_epoch="last")
    fit(after_one, TRAIN, VALIDATION, replace(one_batch, epochs=1))
    fit(after_two, TRAIN, VALIDATION, replace(one_batch, epochs=2))

    fit(averaged, TRAIN, VALIDATION, replace(one_batch, epochs=2, ema_decay=decay))

    weights = (net.get_weights() for net in (averaged, before, after_one, after_two))
    for average, first, second, third in zip(*weights, strict=True):
        expected = decay * (decay * first + (1 - decay) * second) + (1 - decay) * third
        assert average == pytest.approx(expected, abs=1e-6)
    assert not same_weights(averaged, after_two)


@pytest.mark.parametrize("ema_decay", [0.0, 0.9])
def test_validation_figures_are_those_of_the_result_by_item_as_in_a_scan(ema_decay: float) -> None:
    """By items, each the mean over its windows, without dropout, with averaged weights."""
    net = small_net()
    hyperparameters = replace(QUICK, epochs=2, ema_decay=ema_decay, select_epoch="last")
    fitted: FitResult = fit(net, TRAIN, VALIDATION, hyperparameters)

    predicted = probabilities(predict_items(forward_function(net), VALIDATION.windows))

    correct = predicted.argmax(axis=1) == VALIDATION.labels
    recalls = [correct[VALIDATION.labels == label].mean() for label in range(len(LABELS))]
    loss = cross_entropy(predicted, VALIDATION.labels).mean()
    assert fitted.selected.validation_loss == pytest.approx(loss)
    assert fitted.selected.validation_accuracy == correct.mean()
    assert fitted.selected.validation_uar == pytest.approx(np.mean(recalls))


def test_without_validation_the_last_epoch_is_the_result_and_has_no_validation_figures() -> None:
    fitted = fit(small_net(), TRAIN, EMPTY, WITHOUT_VALIDATION)

    assert [epoch.number for epoch in fitted.history] == [0, 1, 2, 3]
    assert fitted.selected == fitted.history[-1]
    for epoch in fitted.history:
        figures = (epoch.validation_loss, epoch.validation_accuracy, epoch.validation_uar)
        assert figures == (None, None, None)


def test_a_loss_that_is_no_number_is_an_error() -> None:
    with pytest.raises(
        BatchemoError, match=r"epoch 1: its loss is no number .* lower learning rate"
    ):
        fit(small_net(), TRAIN, VALIDATION, replace(QUICK, learning_rate=1e30, epochs=3))


def test_a_damaged_checkpoint_is_refused_by_its_name(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint.npz"
    fit(small_net(), TRAIN, VALIDATION, replace(QUICK, epochs=1), checkpoint=checkpoint)
    checkpoint.write_bytes(checkpoint.read_bytes()[:-40])

    with pytest.raises(BatchemoError, match=r"checkpoint\.npz: this checkpoint cannot be read"):
        fit(small_net(), TRAIN, VALIDATION, QUICK, checkpoint=checkpoint)


def test_the_checkpoint_of_another_net_is_refused_by_its_name(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint.npz"
    fit(small_net(), TRAIN, VALIDATION, replace(QUICK, epochs=1), checkpoint=checkpoint)

    with pytest.raises(BatchemoError, match=r"checkpoint\.npz: this checkpoint is of another net"):
        fit(linear_net(), TRAIN, VALIDATION, QUICK, checkpoint=checkpoint)
