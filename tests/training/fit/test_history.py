"""Which epoch's net is the result, when teaching ends, and when the rate falls."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchemo.training.fit.history import (
    Epoch,
    best_epoch,
    is_over,
    next_rate,
    one_cycle,
)
from batchemo.training.hyperparameters import Hyperparameters, SelectEpoch


def epochs(**figures: list[float]) -> list[Epoch]:
    """Epochs with these figures; the others are the same for all."""
    still = {
        "rate": 1.0,
        "loss": 1.0,
        "accuracy": 0.5,
        "validation_loss": 1.0,
        "validation_accuracy": 0.5,
        "validation_uar": 0.5,
    }
    count = len(next(iter(figures.values())))
    return [
        Epoch(number, **{**still, **{name: told[number] for name, told in figures.items()}})
        for number in range(count)
    ]


SEEN = epochs(
    accuracy=[0.2, 0.4, 1.0, 0.9],
    validation_loss=[0.9, 0.5, 0.7, 0.8],
    validation_accuracy=[0.7, 0.5, 0.5, 0.6],
)


@pytest.mark.parametrize(
    ("choose", "number"), [("accuracy", 0), ("loss", 1), ("mean-accuracy", 2), ("last", 3)]
)
def test_each_measure_chooses_its_own_epoch(choose: SelectEpoch, number: int) -> None:
    assert best_epoch(SEEN, Hyperparameters(select_epoch=choose)).number == number


@pytest.mark.parametrize("choose", ["loss", "accuracy", "mean-accuracy"])
def test_of_equals_the_earliest_is_chosen(choose: SelectEpoch) -> None:
    told = epochs(
        validation_loss=[0.9, 0.4, 0.4], validation_accuracy=[0.1, 0.8, 0.8], accuracy=[0.5] * 3
    )

    assert best_epoch(told, Hyperparameters(select_epoch=choose)).number == 1


def test_teaching_ends_with_the_last_of_its_epochs() -> None:
    falling = epochs(validation_loss=[3.0, 2.0, 1.0])

    assert [is_over(falling[:n], Hyperparameters(epochs=3)) for n in range(4)] == [False] * 3 + [
        True
    ]


def test_teaching_ends_once_patience_is_spent_on_epochs_that_are_no_better() -> None:
    told = epochs(validation_loss=[2.0, 1.0, 1.0, 1.5, 1.2])

    over = [is_over(told[:n], Hyperparameters(patience=3)) for n in range(6)]

    assert over == [False] * 5 + [True]


def test_a_better_epoch_gives_new_patience() -> None:
    assert not is_over(epochs(validation_loss=[1.0, 1.1, 0.9, 1.0]), Hyperparameters(patience=2))


def test_patience_is_with_the_measure_that_chooses() -> None:
    told = epochs(validation_loss=[1.0, 2.0, 3.0], validation_accuracy=[0.4, 0.5, 0.6])

    assert is_over(told, Hyperparameters(select_epoch="loss", patience=2))
    assert not is_over(told, Hyperparameters(select_epoch="accuracy", patience=2))


def test_without_patience_teaching_never_ends_early() -> None:
    assert not is_over(
        epochs(validation_loss=[float(n) for n in range(90)]), Hyperparameters(patience=0)
    )


def test_the_rate_falls_again_and_again_on_a_plateau() -> None:
    hyperparameters = Hyperparameters(learning_rate=0.8, plateau_patience=2, plateau_factor=0.5)
    flat = epochs(validation_loss=[1.0] * 6)

    rates = [next_rate(flat[:n], hyperparameters) for n in range(7)]

    assert rates == pytest.approx([0.8, 0.8, 0.8, 0.4, 0.4, 0.2, 0.2])


def test_a_lower_loss_ends_the_wait_but_does_not_raise_the_rate() -> None:
    hyperparameters = Hyperparameters(learning_rate=0.8, plateau_patience=2, plateau_factor=0.5)
    told = epochs(validation_loss=[1.0, 1.0, 1.0, 0.9, 0.95, 0.8, 0.85])

    assert next_rate(told, hyperparameters) == pytest.approx(0.4)


losses = st.lists(st.integers(0, 20).map(lambda number: number / 8), max_size=20)


@given(losses)
def test_without_plateau_patience_the_rate_stays(told: list[float]) -> None:
    seen = epochs(validation_loss=told) if told else []

    assert next_rate(seen, Hyperparameters(learning_rate=0.8, plateau_patience=0)) == 0.8


UNWATCHED = [Epoch(number, 1.0, 1.0, 0.5) for number in range(3)]


def test_where_nothing_was_watched_the_last_epoch_is_the_result() -> None:
    hyperparameters = Hyperparameters(epochs=3, select_epoch="last", validation_share=0.0)

    assert best_epoch(UNWATCHED, hyperparameters).number == 2
    assert [is_over(UNWATCHED[:n], hyperparameters) for n in range(4)] == [False] * 3 + [True]
    assert next_rate(UNWATCHED, hyperparameters) == hyperparameters.learning_rate


def test_where_nothing_was_watched_no_epoch_is_better_than_another() -> None:
    with pytest.raises(ValueError, match="nothing was watched"):
        best_epoch(UNWATCHED, Hyperparameters(select_epoch="loss"))


def test_a_cycle_rises_in_the_first_quarter_and_then_falls_to_next_to_nothing() -> None:
    rates = [one_cycle(done / 100, 0.5) for done in range(101)]

    assert rates[0] == pytest.approx(0.5 / 25)
    assert rates[25] == max(rates) == pytest.approx(0.5)
    assert rates[100] == pytest.approx(0.5 / 1e4)
    assert rates[:26] == sorted(rates[:26])
    assert rates[25:] == sorted(rates[25:], reverse=True)


def test_an_epoch_of_a_cycle_begins_where_the_cycle_is_by_then() -> None:
    hyperparameters = Hyperparameters(
        epochs=8,
        learning_rate=0.5,
        lr_schedule="one-cycle",
        select_epoch="last",
        validation_share=0.0,
    )
    history = [Epoch(number, 1.0, 1.0, 0.5) for number in range(8)]

    rates = [next_rate(history[:number], hyperparameters) for number in range(8)]

    assert rates == [one_cycle(number / 8, 0.5) for number in range(8)]
    assert max(rates) == rates[2] == 0.5


def test_a_cycle_has_no_jumps() -> None:
    rates = [one_cycle(done / 1000, 1.0) for done in range(1001)]

    assert max(abs(one - other) for one, other in pairwise(rates)) < 0.01


@pytest.fixture(scope="module")
def net_of_keras() -> Any:
    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD())
    return model


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@settings(max_examples=30)
@given(losses.filter(bool), st.integers(1, 4))
def test_the_rate_falls_when_keras_lets_it_fall(
    net_of_keras: Any, told: list[float], patience: int
) -> None:
    from keras.callbacks import ReduceLROnPlateau

    net_of_keras.optimizer.learning_rate = 0.75
    callback = ReduceLROnPlateau(patience=patience, factor=0.5, min_delta=0)
    callback.set_model(net_of_keras)
    callback.on_train_begin()
    for number, loss in enumerate(told):
        callback.on_epoch_end(number, {"val_loss": loss})

    hyperparameters = Hyperparameters(
        learning_rate=0.75, plateau_patience=patience, plateau_factor=0.5
    )

    assert next_rate(epochs(validation_loss=told), hyperparameters) == pytest.approx(
        float(net_of_keras.optimizer.learning_rate), rel=1e-5
    )
