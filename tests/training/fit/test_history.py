"""Which epoch is the result, when a training stops, and how the learning rate goes."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchemo.training.fit.history import (
    Epoch,
    is_finished,
    next_learning_rate,
    one_cycle,
    select_epoch,
)
from batchemo.training.hyperparameters import Hyperparameters, SelectEpoch


def epochs(**figures: list[float]) -> list[Epoch]:
    """Return epochs with these figures; all others are the same for all."""
    constant = {
        "learning_rate": 1.0,
        "loss": 1.0,
        "accuracy": 0.5,
        "validation_loss": 1.0,
        "validation_accuracy": 0.5,
        "validation_uar": 0.5,
    }
    count = len(next(iter(figures.values())))
    return [
        Epoch(number, **{**constant, **{name: of_all[number] for name, of_all in figures.items()}})
        for number in range(count)
    ]


HISTORY = epochs(
    accuracy=[0.2, 0.4, 1.0, 0.9],
    validation_loss=[0.9, 0.5, 0.7, 0.8],
    validation_accuracy=[0.7, 0.5, 0.5, 0.6],
)
WITHOUT_VALIDATION = [Epoch(number, 1.0, 1.0, 0.5) for number in range(3)]


@pytest.mark.parametrize(
    ("criterion", "number"), [("accuracy", 0), ("loss", 1), ("mean-accuracy", 2), ("last", 3)]
)
def test_each_criterion_selects_its_own_epoch(criterion: SelectEpoch, number: int) -> None:
    assert select_epoch(HISTORY, Hyperparameters(select_epoch=criterion)).number == number


@pytest.mark.parametrize("criterion", ["loss", "accuracy", "mean-accuracy"])
def test_of_equals_the_first_is_selected(criterion: SelectEpoch) -> None:
    history = epochs(
        validation_loss=[0.9, 0.4, 0.4], validation_accuracy=[0.1, 0.8, 0.8], accuracy=[0.5] * 3
    )

    assert select_epoch(history, Hyperparameters(select_epoch=criterion)).number == 1


def test_a_training_is_finished_after_its_last_epoch() -> None:
    history = epochs(validation_loss=[3.0, 2.0, 1.0])

    finished = [is_finished(history[:n], Hyperparameters(epochs=3)) for n in range(4)]

    assert finished == [False] * 3 + [True]


def test_a_training_stops_when_patience_is_spent_on_epochs_that_are_no_better() -> None:
    history = epochs(validation_loss=[2.0, 1.0, 1.0, 1.5, 1.2])

    finished = [is_finished(history[:n], Hyperparameters(patience=3)) for n in range(6)]

    assert finished == [False] * 5 + [True]


def test_a_better_epoch_renews_patience() -> None:
    history = epochs(validation_loss=[1.0, 1.1, 0.9, 1.0])

    assert not is_finished(history, Hyperparameters(patience=2))


def test_patience_goes_by_the_criterion_that_selects() -> None:
    history = epochs(validation_loss=[1.0, 2.0, 3.0], validation_accuracy=[0.4, 0.5, 0.6])

    assert is_finished(history, Hyperparameters(select_epoch="loss", patience=2))
    assert not is_finished(history, Hyperparameters(select_epoch="accuracy", patience=2))


def test_without_patience_a_training_never_stops_early() -> None:
    history = epochs(validation_loss=[float(n) for n in range(90)])

    assert not is_finished(history, Hyperparameters(patience=0))


def test_the_learning_rate_falls_again_and_again_on_a_plateau() -> None:
    hyperparameters = Hyperparameters(learning_rate=0.8, plateau_patience=2, plateau_factor=0.5)
    flat = epochs(validation_loss=[1.0] * 6)

    rates = [next_learning_rate(flat[:n], hyperparameters) for n in range(7)]

    assert rates == pytest.approx([0.8, 0.8, 0.8, 0.4, 0.4, 0.2, 0.2])


def test_a_lower_loss_ends_a_plateau_but_does_not_raise_the_learning_rate() -> None:
    hyperparameters = Hyperparameters(learning_rate=0.8, plateau_patience=2, plateau_factor=0.5)
    history = epochs(validation_loss=[1.0, 1.0, 1.0, 0.9, 0.95, 0.8, 0.85])

    assert next_learning_rate(history, hyperparameters) == pytest.approx(0.4)


losses = st.lists(st.integers(0, 20).map(lambda number: number / 8), max_size=20)


@given(losses)
def test_without_plateau_patience_the_learning_rate_stays(of_epochs: list[float]) -> None:
    history = epochs(validation_loss=of_epochs) if of_epochs else []
    hyperparameters = Hyperparameters(learning_rate=0.8, plateau_patience=0)

    assert next_learning_rate(history, hyperparameters) == 0.8


def test_without_validation_the_last_epoch_is_the_result() -> None:
    hyperparameters = Hyperparameters(epochs=3, select_epoch="last", validation_share=0.0)

    finished = [is_finished(WITHOUT_VALIDATION[:n], hyperparameters) for n in range(4)]

    assert select_epoch(WITHOUT_VALIDATION, hyperparameters).number == 2
    assert finished == [False] * 3 + [True]
    rate = next_learning_rate(WITHOUT_VALIDATION, hyperparameters)
    assert rate == hyperparameters.learning_rate


def test_without_validation_no_epoch_is_better_than_another() -> None:
    with pytest.raises(ValueError, match="without validation"):
        select_epoch(WITHOUT_VALIDATION, Hyperparameters(select_epoch="loss"))


def test_one_cycle_rises_in_the_first_quarter_and_then_falls_to_next_to_nothing() -> None:
    rates = [one_cycle(percent / 100, 0.5) for percent in range(101)]

    assert rates[0] == pytest.approx(0.5 / 25)
    assert rates[25] == max(rates) == pytest.approx(0.5)
    assert rates[100] == pytest.approx(0.5 / 1e4)
    assert rates[:26] == sorted(rates[:26])
    assert rates[25:] == sorted(rates[25:], reverse=True)


def test_an_epoch_of_one_cycle_starts_where_the_cycle_is_by_then() -> None:
    hyperparameters = Hyperparameters(
        epochs=8,
        learning_rate=0.5,
        lr_schedule="one-cycle",
        select_epoch="last",
        validation_share=0.0,
    )
    history = [Epoch(number, 1.0, 1.0, 0.5) for number in range(8)]

    rates = [next_learning_rate(history[:number], hyperparameters) for number in range(8)]

    assert rates == [one_cycle(number / 8, 0.5) for number in range(8)]
    assert max(rates) == rates[2] == 0.5


def test_one_cycle_has_no_jumps() -> None:
    rates = [one_cycle(step / 1000, 1.0) for step in range(1001)]

    assert max(abs(one - other) for one, other in pairwise(rates)) < 0.01


@pytest.fixture(scope="module")
def keras_net() -> Any:
    import keras

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD())
    return model


@pytest.mark.tensorflow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@settings(max_examples=30)
@given(losses.filter(bool), st.integers(1, 4))
def test_the_learning_rate_falls_as_that_of_keras(
    keras_net: Any, of_epochs: list[float], patience: int
) -> None:
    from keras.callbacks import ReduceLROnPlateau

    keras_net.optimizer.learning_rate = 0.75
    callback = ReduceLROnPlateau(patience=patience, factor=0.5, min_delta=0)
    callback.set_model(keras_net)
    callback.on_train_begin()
    for number, loss in enumerate(of_epochs):
        callback.on_epoch_end(number, {"val_loss": loss})

    hyperparameters = Hyperparameters(
        learning_rate=0.75, plateau_patience=patience, plateau_factor=0.5
    )

    assert next_learning_rate(epochs(validation_loss=of_epochs), hyperparameters) == pytest.approx(
        float(keras_net.optimizer.learning_rate), rel=1e-5
    )
