"""A net learns what can be told apart, and an interruption changes nothing of what it learns."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_items import LABELS, made_example, made_items

from batchemo.errors import BatchemoError
from batchemo.training.data.dataset import Dataset, make_dataset
from batchemo.training.fit.checkpoint import load_checkpoint
from batchemo.training.fit.history import Epoch, best_epoch
from batchemo.training.hyperparameters import Hyperparameters, LrSchedule

pytest.importorskip("tensorflow")

from batchemo.training.fit.scoring import (
    keras_graph,
    predict_items,
    probabilities,
    surprises,
)
from batchemo.training.fit.trainer import FitResult, fit

QUICK = Hyperparameters(epochs=4, batch_size=8, learning_rate=0.02, validation_share=0.2)
AVERAGED = replace(QUICK, ema_decay=0.8, lr_schedule="one-cycle", weight_decay=0.05, clip_norm=1.0)
"""Taught with all that has a state of its own, and watched."""
UNWATCHED = replace(
    AVERAGED,
    other_corpora_share=0.25,
    label_smoothing=0.1,
    mixup=0.5,
    select_epoch="last",
    validation_share=0.0,
)
"""As what a scan uses is taught."""


def dataset(takes: range, *labels: str, hiss: float = 0.3) -> Dataset:
    examples = [made_example("a", label, n) for label in labels or LABELS for n in takes]
    return make_dataset(made_items(examples, hiss=hiss), LABELS)


LEARN, WATCH = dataset(range(8)), dataset(range(8, 12))
NOTHING = make_dataset([], LABELS)


def watched(hyperparameters: Hyperparameters) -> Dataset:
    return WATCH if hyperparameters.validation_share else NOTHING


def small_net(seed: int = 0) -> Any:
    """A net with all that has a state: weights, statistics of batches, and dropout."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    features = keras.Input((4,))
    x = layers.Dense(8, activation="relu", kernel_regularizer=keras.regularizers.L2(1e-3))(features)
    x = layers.Dropout(0.5)(layers.BatchNormalization(momentum=0.8)(x))
    return keras.Model(features, layers.Dense(len(LABELS))(x))


def same_weights(one: Any, other: Any) -> bool:
    return all(map(np.array_equal, one.get_weights(), other.get_weights()))


def stop_after(number: int | None) -> Callable[[Epoch], None]:
    def report(epoch: Epoch) -> None:
        if epoch.number == number:
            raise KeyboardInterrupt

    return report


def test_a_net_learns_what_can_be_told_apart() -> None:
    seen: list[Epoch] = []

    taught = fit(small_net(), LEARN, WATCH, replace(QUICK, epochs=15), report=seen.append)

    assert tuple(seen) == taught.history
    assert taught.history[-1].loss < taught.history[0].loss / 2
    assert taught.chosen.validation_accuracy > 0.9


def test_the_same_seed_teaches_the_same_and_another_seed_something_else() -> None:
    nets = [small_net() for _ in range(3)]
    seeds = (1, 1, 2)

    told = [
        fit(net, LEARN, WATCH, replace(QUICK, epochs=2, seed=seed))
        for net, seed in zip(nets, seeds, strict=True)
    ]

    assert told[0] == told[1] != told[2]
    assert same_weights(nets[0], nets[1])
    assert not same_weights(nets[0], nets[2])


@pytest.mark.parametrize("stop", [1, 3])
@pytest.mark.parametrize("hyperparameters", [QUICK, AVERAGED, UNWATCHED], ids=["plain", "average", "scan"])
def test_an_interrupted_training_ends_as_if_it_had_never_stopped(
    hyperparameters: Hyperparameters, stop: int, tmp_path: Path
) -> None:
    kept, watch = tmp_path / "checkpoint.npz", watched(hyperparameters)
    straight, resumed, again = small_net(), small_net(seed=9), []
    whole = fit(straight, LEARN, watch, hyperparameters)
    with pytest.raises(KeyboardInterrupt):
        fit(
            small_net(),
            LEARN,
            watch,
            hyperparameters,
            checkpoint=kept,
            every=0,
            report=stop_after(stop),
        )

    later = fit(resumed, LEARN, watch, hyperparameters, checkpoint=kept, report=again.append)

    assert [epoch.number for epoch in again] == list(range(stop, 4))
    assert later == whole
    assert same_weights(resumed, straight)


def test_the_first_epoch_is_kept_at_once_however_seldom_others_are(tmp_path: Path) -> None:
    kept = tmp_path / "checkpoint.npz"
    with pytest.raises(KeyboardInterrupt):
        fit(small_net(), LEARN, WATCH, QUICK, checkpoint=kept, every=1e9, report=stop_after(2))

    history, _ = load_checkpoint(kept) or pytest.fail("nothing was kept")

    assert [epoch.number for epoch in history] == [0]


def test_a_finished_training_is_not_taught_again(tmp_path: Path) -> None:
    first, second = small_net(), small_net(seed=9)
    done = fit(first, LEARN, WATCH, QUICK, checkpoint=tmp_path / "kept.npz")

    again = fit(second, LEARN, WATCH, QUICK, checkpoint=tmp_path / "kept.npz", report=stop_after(0))

    assert again == done
    assert same_weights(first, second)


def test_the_net_has_the_weights_of_the_chosen_epoch() -> None:
    """Learning on after its best epoch must not show in the result."""
    hard = dataset(range(8, 12), hiss=3.0)
    hyperparameters = replace(QUICK, epochs=8, learning_rate=0.2)
    whole = small_net()
    taught = fit(whole, LEARN, hard, hyperparameters)
    number = best_epoch(taught.history, hyperparameters).number
    assert number < 7, "made so that the best epoch is not the last"
    only_as_far = small_net()

    fit(only_as_far, LEARN, hard, replace(hyperparameters, epochs=number + 1, select_epoch="last"))

    assert taught.chosen.number == number
    assert same_weights(whole, only_as_far)


def test_teaching_ends_early_when_nothing_gets_better() -> None:
    noise = dataset(range(20, 24), hiss=30.0)

    taught = fit(
        small_net(), LEARN, noise, replace(QUICK, epochs=40, learning_rate=0.2, patience=2)
    )

    assert len(taught.history) < 40
    assert taught.history[-1].number == taught.chosen.number + 2


def test_the_rate_falls_while_the_validation_loss_stays_high() -> None:
    noise = dataset(range(20, 24), hiss=30.0)
    hyperparameters = replace(
        QUICK, epochs=8, learning_rate=0.2, plateau_patience=1, plateau_factor=0.1
    )

    taught = fit(small_net(), LEARN, noise, hyperparameters)

    assert taught.history[-1].rate < 0.2


@pytest.mark.parametrize(
    "choices",
    [
        Hyperparameters(epochs=1),
        Hyperparameters(epochs=1, class_weights=True),
        Hyperparameters(epochs=1, loss="focal", focal_gamma=2.0),
    ],
)
def test_the_loss_of_a_first_batch_is_the_one_that_was_chosen(
    hyperparameters: Hyperparameters,
) -> None:
    import keras

    net = keras.Sequential([keras.Input((4,)), keras.layers.Dense(len(LABELS))])
    windows = np.random.default_rng(0).normal(size=(10, 4)).astype(np.float32)
    labels = np.array([2] * 8 + [0] * 2)
    told = probabilities([*np.asarray(net(windows))[:, None]])
    right = told[np.arange(10), labels]
    prices = -np.log(right)
    if hyperparameters.loss == "focal":
        prices *= (1 - right) ** 2
    if hyperparameters.class_weights:
        prices *= np.where(labels == 2, 10 / 16, 10 / 4)

    taught = fit(net, lessons_of(windows, labels), WATCH, hyperparameters)

    assert taught.history[0].loss == pytest.approx(prices.mean(), rel=1e-4)


def lessons_of(windows: np.ndarray, labels: np.ndarray) -> Dataset:
    """One item a window, all of one corpus."""
    corpora = np.zeros(len(labels), np.intp)
    return Dataset((*windows[:, None],), labels, corpora, np.arange(len(labels)), len(LABELS))


def linear_net() -> Any:
    """A net whose every weight is 1, but for those of the windows, which differ by class."""
    import keras

    net = keras.Sequential([keras.Input((4,)), keras.layers.Dense(len(LABELS))])
    net.set_weights([np.array([[1, 2, 3]] * 4, np.float32), np.ones(3, np.float32)])
    return net


HALF_OF_THE_CLASSES = lessons_of(
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
"""One step an epoch; classes that are not there are masked."""


def test_a_class_that_is_masked_learns_nothing() -> None:
    net = linear_net()

    fit(net, HALF_OF_THE_CLASSES, NOTHING, ONE_STEP)

    kernel, bias = net.get_weights()
    assert (kernel[:, 2] == 3).all()
    assert bias[2] == 1
    assert (kernel[:, :2] != [1, 2]).all()


def test_decay_takes_away_from_weights_what_nothing_gives_them_but_not_from_biases() -> None:
    net = linear_net()

    fit(net, HALF_OF_THE_CLASSES, NOTHING, replace(ONE_STEP, epochs=2, weight_decay=0.5))

    kernel, bias = net.get_weights()
    assert kernel[:, 2] == pytest.approx(3 * (1 - 0.1 * 0.5) ** 2)
    assert bias[2] == 1


def test_a_gradient_is_followed_no_further_than_its_longest() -> None:
    """So short that it vanishes beside what Adam adds to the spread of gradients."""
    clipped, free = linear_net(), linear_net()

    fit(clipped, HALF_OF_THE_CLASSES, NOTHING, replace(ONE_STEP, clip_norm=1e-12))
    fit(free, HALF_OF_THE_CLASSES, NOTHING, ONE_STEP)

    assert clipped.get_weights()[0] == pytest.approx(linear_net().get_weights()[0], abs=1e-4)
    assert not same_weights(free, linear_net())


@pytest.mark.parametrize(("pace", "share"), [("plateau", 1), ("cycle", 1 / 25)])
def test_the_first_step_of_a_cycle_is_a_small_one(lr_schedule: LrSchedule, share: float) -> None:
    """By its first step Adam moves every weight by the rate, whatever its gradient."""
    net = linear_net()

    fit(net, HALF_OF_THE_CLASSES, NOTHING, replace(ONE_STEP, lr_schedule=lr_schedule))

    moved = np.abs(net.get_weights()[0] - linear_net().get_weights()[0])[:, :2]
    assert moved == pytest.approx(0.1 * share, rel=1e-3)


def test_a_cycle_ends_with_next_to_no_step() -> None:
    nets = [linear_net(), linear_net()]
    for net, stop in zip(nets, (None, 98), strict=True):
        hyperparameters = replace(ONE_STEP, epochs=100, lr_schedule="one-cycle")
        with suppress(KeyboardInterrupt):
            fit(net, HALF_OF_THE_CLASSES, NOTHING, hyperparameters, report=stop_after(stop))

    apart = np.abs(nets[0].get_weights()[0] - nets[1].get_weights()[0])
    assert 0 < apart.max() < 0.1 / 100


def test_the_result_is_the_average_of_the_weights_on_the_way() -> None:
    """Those of the net before it learnt, and after each step; also the statistics of batches."""
    keep = 0.8
    before, after_one, after_two, averaged = (small_net() for _ in range(4))
    whole = replace(QUICK, batch_size=100, select_epoch="last")
    fit(after_one, LEARN, WATCH, replace(whole, epochs=1))
    fit(after_two, LEARN, WATCH, replace(whole, epochs=2))

    fit(averaged, LEARN, WATCH, replace(whole, epochs=2, ema_decay=keep))

    weights = (net.get_weights() for net in (averaged, before, after_one, after_two))
    for average, first, second, third in zip(*weights, strict=True):
        wanted = keep * (keep * first + (1 - keep) * second) + (1 - keep) * third
        assert average == pytest.approx(wanted, abs=1e-6)
    assert not same_weights(averaged, after_two)


def test_what_is_watched_is_the_average() -> None:
    net = small_net()

    taught = fit(net, LEARN, WATCH, replace(QUICK, epochs=2, ema_decay=0.9, select_epoch="last"))

    told = probabilities(predict_items(keras_graph(net), WATCH.windows))
    assert taught.chosen.validation_loss == pytest.approx(surprises(told, WATCH.labels).mean())


def test_the_average_of_the_chosen_epoch_is_the_result() -> None:
    hard = dataset(range(8, 12), hiss=3.0)
    hyperparameters = replace(QUICK, epochs=12, learning_rate=0.3, ema_decay=0.5)
    whole, only_as_far = small_net(), small_net()
    taught = fit(whole, LEARN, hard, hyperparameters)
    number = taught.chosen.number
    assert number < 11, "made so that the best epoch is not the last"

    fit(only_as_far, LEARN, hard, replace(hyperparameters, epochs=number + 1, select_epoch="last"))

    assert same_weights(whole, only_as_far)


def test_with_nothing_to_watch_the_last_epoch_is_the_result_and_no_figures_are_made_up() -> None:
    taught = fit(small_net(), LEARN, NOTHING, UNWATCHED)

    assert [epoch.number for epoch in taught.history] == [0, 1, 2, 3]
    assert taught.chosen == taught.history[-1]
    for epoch in taught.history:
        told = (epoch.validation_loss, epoch.validation_accuracy, epoch.validation_uar)
        assert told == (None, None, None)


def test_a_training_whose_loss_is_no_number_any_more_is_told() -> None:
    with pytest.raises(
        BatchemoError, match=r"epoch 1: its loss is no number .* lower learning rate"
    ):
        fit(small_net(), LEARN, WATCH, replace(QUICK, learning_rate=1e30, epochs=3))


def test_a_damaged_checkpoint_is_refused_by_its_name(tmp_path: Path) -> None:
    kept = tmp_path / "checkpoint.npz"
    fit(small_net(), LEARN, WATCH, replace(QUICK, epochs=1), checkpoint=kept)
    kept.write_bytes(kept.read_bytes()[:-40])

    with pytest.raises(BatchemoError, match=r"checkpoint\.npz: this checkpoint cannot be read"):
        fit(small_net(), LEARN, WATCH, QUICK, checkpoint=kept)


def test_the_checkpoint_of_another_net_is_refused_by_its_name(tmp_path: Path) -> None:
    import keras

    kept = tmp_path / "checkpoint.npz"
    fit(small_net(), LEARN, WATCH, replace(QUICK, epochs=1), checkpoint=kept)
    other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(len(LABELS))])

    with pytest.raises(BatchemoError, match=r"checkpoint\.npz: this checkpoint is of another net"):
        fit(other, LEARN, WATCH, QUICK, checkpoint=kept)


def test_what_is_watched_is_judged_as_a_scan_judges() -> None:
    """By items, each the mean of its windows, with dropout at rest."""
    net = small_net()
    taught: FitResult = fit(net, LEARN, WATCH, replace(QUICK, epochs=2, select_epoch="last"))

    told = probabilities(predict_items(keras_graph(net), WATCH.windows))

    right = told.argmax(axis=1) == WATCH.labels
    assert taught.chosen.validation_accuracy == right.mean()
    assert taught.chosen.validation_loss == pytest.approx(surprises(told, WATCH.labels).mean())
    recalls = [right[WATCH.labels == label].mean() for label in range(len(LABELS))]
    assert taught.chosen.validation_uar == pytest.approx(np.mean(recalls))
