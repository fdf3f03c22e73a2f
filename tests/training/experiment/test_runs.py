"""A split is run once: its nets and logits are kept, and only what could change them runs again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_items import LABELS, made_example, made_items

from batchemo.common.arrays import Float32
from batchemo.errors import BatchemoError
from batchemo.training.data.protocols import Sample, Split, make_splits
from batchemo.training.experiment.context import CHECKPOINT, RunContext
from batchemo.training.experiment.runs import Logits, RunResult, run_split, train_model
from batchemo.training.fit.history import Epoch
from batchemo.training.fit.scoring import (
    fit_temperature,
    forward_function,
    predict_items,
    probabilities,
)
from batchemo.training.hyperparameters import Hyperparameters
from batchemo.training.nets.familiarity import fit_familiarity
from batchemo.training.nets.layers import NetSpec, normalised_input
from batchemo.training.nets.registry import NETS
from batchemo.training.recipes import LOGISTIC, get_recipe

pytestmark = pytest.mark.tensorflow

EXAMPLES = [
    made_example(speaker, label, n) for speaker in "abcdef" for label in LABELS for n in range(2)
]
ITEMS = made_items(EXAMPLES, ("noise",), shape=(40,))
HYPERPARAMETERS = Hyperparameters(
    epochs=2, batch_size=16, learning_rate=0.05, validation_share=0.25
)
WITHOUT_VALIDATION = replace(HYPERPARAMETERS, epochs=1, select_epoch="last", validation_share=0.0)
RECIPE = replace(get_recipe("mfcc40"), net="linear", hyperparameters=HYPERPARAMETERS)
SPLIT = make_splits("speaker", [Sample(one) for one in EXAMPLES], HYPERPARAMETERS, (5,), folds=3)[0]


def build_linear(spec: NetSpec) -> Any:
    """Build the smallest net that learns anything."""
    import keras
    from keras import layers

    features, x = normalised_input(spec)
    return keras.Model(features, layers.Dense(spec.labels)(x))


@pytest.fixture(autouse=True, scope="module")
def _linear_net() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(NETS, "linear", build_linear)  # type: ignore[arg-type]
        yield


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder in which the nets of all tests below are kept."""
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def context(work: Path) -> RunContext:
    return RunContext(RECIPE, ITEMS, LABELS, work)


@pytest.fixture(scope="module")
def result(context: RunContext) -> RunResult:
    return run_split(context, SPLIT)


def fail_on_epoch(split: Split, epoch: Epoch) -> None:
    pytest.fail("a net was trained again")


def same_logits(one: Logits, other: Logits) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def same(one: RunResult, other: RunResult) -> bool:
    parts = [(one.test, other.test), (one.validation, other.validation)]
    return one.temperature == other.temperature and all(same_logits(*part) for part in parts)


def windows_of(samples: Sequence[Sample]) -> list[Float32]:
    originals = {item.example: item.windows for item in ITEMS if item.variant == "original"}
    return [originals[sample.example] for sample in samples]


def test_there_are_logits_for_every_window_of_test_and_validation(result: RunResult) -> None:
    for logits, samples in ((result.test, SPLIT.test), (result.validation, SPLIT.validation)):
        expected = [(len(windows), len(LABELS)) for windows in windows_of(samples)]
        assert [of_item.shape for of_item in logits] == expected


def test_the_temperature_is_fitted_on_validation(context: RunContext, result: RunResult) -> None:
    labels = context.label_indices(SPLIT.validation)

    assert result.temperature == fit_temperature(result.validation, labels)
    # All items are easily told apart, and a short training is not confident enough.
    assert result.temperature is not None
    assert result.temperature < 1


def test_predictions_are_the_probabilities_of_each_recording(result: RunResult) -> None:
    predictions = result.predictions(0.5)

    assert [one.example for one in predictions] == [sample.example for sample in SPLIT.test]
    assert {(one.variant, one.fold, one.seed) for one in predictions} == {
        ("original", "speakers-1", 5)
    }
    for prediction, calibrated, uncalibrated in zip(
        predictions, probabilities(result.test, 0.5), probabilities(result.test), strict=True
    ):
        assert prediction.probabilities == tuple(calibrated)
        assert prediction.uncalibrated == tuple(uncalibrated)
        assert sum(prediction.probabilities) == pytest.approx(1)
    correct = [
        LABELS[int(np.argmax(one.probabilities))] == one.example.emotion for one in predictions
    ]
    assert np.mean(correct) > 0.8


def test_a_result_is_kept_and_nothing_is_trained_again(tmp_path: Path) -> None:
    context = RunContext(RECIPE, ITEMS, LABELS, tmp_path)
    epochs: list[int] = []
    first = run_split(context, SPLIT, lambda split, epoch: epochs.append(epoch.number))

    assert epochs == [0, 1]
    assert same(run_split(context, SPLIT, fail_on_epoch), first)
    files = {path.name for path in context.folder(SPLIT).iterdir()}
    assert files == {context.logits_path(SPLIT).name, CHECKPOINT}


def test_another_test_is_predicted_without_training_again(
    context: RunContext, result: RunResult
) -> None:
    reversed_split = replace(SPLIT, test=SPLIT.test[::-1])

    reversed_result = run_split(context, reversed_split, fail_on_epoch)

    for one, other in zip(reversed_result.test, result.test[::-1], strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_an_interrupted_run_comes_to_the_same_result(result: RunResult, tmp_path: Path) -> None:
    context = RunContext(RECIPE, ITEMS, LABELS, tmp_path)

    def interrupt(split: Split, epoch: Epoch) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_split(context, SPLIT, interrupt)
    assert not context.logits_path(SPLIT).exists()

    assert same(run_split(context, SPLIT), result)


def test_without_validation_there_is_no_temperature(work: Path) -> None:
    context = RunContext(replace(RECIPE, hyperparameters=WITHOUT_VALIDATION), ITEMS, LABELS, work)
    (split,) = make_splits("random", context.samples, WITHOUT_VALIDATION, (0,))

    result = run_split(context, split)

    assert (result.validation, result.temperature) == ((), None)
    assert same(run_split(context, split, fail_on_epoch), result)
    assert len(result.test) == len(split.test) > 0
    assert train_model(context, split).temperature is None


PAIR = replace(RECIPE, nets=2)


def test_several_nets_give_the_mean_and_share_what_was_trained_before(
    context: RunContext, work: Path
) -> None:
    single = [run_split(context, replace(SPLIT, seed=seed)) for seed in (10, 11)]
    pair = RunContext(PAIR, ITEMS, LABELS, work)

    mean = run_split(pair, SPLIT, fail_on_epoch)

    for part in ("test", "validation"):
        parts = (getattr(one, part) for one in (*single, mean))
        for first, second, both in zip(*parts, strict=True):
            assert both == pytest.approx((first + second) / 2)
    labels = pair.label_indices(SPLIT.validation)
    assert mean.temperature == fit_temperature(mean.validation, labels)


def test_a_trained_model_gives_the_mean_of_its_nets(work: Path) -> None:
    context = RunContext(PAIR, ITEMS, LABELS, work)
    split = replace(SPLIT, seed=7)
    epochs: list[tuple[int, int]] = []

    trained = train_model(
        context, split, lambda one, epoch: epochs.append((one.seed, epoch.number))
    )

    assert epochs == [(seed, number) for seed in (14, 15) for number in range(2)]
    assert [len(fitted.history) for fitted in trained.fits] == [2, 2]
    assert all(fitted.selected in fitted.history for fitted in trained.fits)
    result = run_split(context, split, fail_on_epoch)
    logits = predict_items(forward_function(trained.model), windows_of(SPLIT.test))
    for one, other in zip(logits, result.test, strict=True):
        assert one == pytest.approx(other, abs=1e-4)
    assert trained.temperature == pytest.approx(result.temperature)


def test_a_logistic_regression_has_no_epochs(work: Path) -> None:
    recipe = replace(RECIPE, net=LOGISTIC, hyperparameters=WITHOUT_VALIDATION)
    context = RunContext(recipe, ITEMS, LABELS, work)

    first, second = (
        run_split(context, replace(SPLIT, seed=seed), fail_on_epoch) for seed in (0, 1)
    )

    assert same_logits(first.test, second.test)
    assert train_model(context, SPLIT, fail_on_epoch).fits == ()
    assert (
        np.mean(probabilities(first.test).argmax(axis=1) == context.label_indices(SPLIT.test)) > 0.8
    )


def test_a_net_is_scaled_by_its_training_items_and_calibrated_by_validation(
    context: RunContext,
) -> None:
    trained = train_model(context, SPLIT)

    mean, std = context.dataset(SPLIT.train).mean_and_std()
    frozen_mean, frozen_variance = trained.model.get_layer("normalise").get_weights()
    assert frozen_mean == pytest.approx(mean)
    assert frozen_variance == pytest.approx(std**2)
    logits = predict_items(forward_function(trained.model), windows_of(SPLIT.validation))
    labels = context.label_indices(SPLIT.validation)
    assert trained.temperature == fit_temperature(logits, labels)


def test_a_class_without_training_recordings_is_named(context: RunContext) -> None:
    train = tuple(sample for sample in SPLIT.train if sample.example.emotion != "happy")

    with pytest.raises(BatchemoError, match="nothing is left to train happy on"):
        train_model(context, replace(SPLIT, train=train))


def with_familiarity(context: RunContext) -> RunContext:
    return replace(context, recipe=replace(context.recipe, familiarity_slope=0.7))


def test_with_familiarity_the_logits_of_each_window_are_divided_as_the_calibration_divides_them(
    context: RunContext, result: RunResult
) -> None:
    familiarity = fit_familiarity(context.dataset(SPLIT.train))

    divided = run_split(with_familiarity(context), SPLIT, fail_on_epoch)

    for samples, before, after in (
        (SPLIT.test, result.test, divided.test),
        (SPLIT.validation, result.validation, divided.validation),
    ):
        for windows, logits, expected in zip(windows_of(samples), before, after, strict=True):
            divisors = np.exp(0.7 * (1 - familiarity.score(windows)))[:, None]
            assert logits / divisors == pytest.approx(expected, rel=1e-4, abs=1e-4)
    labels = context.label_indices(SPLIT.validation)
    assert divided.temperature == fit_temperature(divided.validation, labels)


def test_a_trained_model_with_an_encoder_gives_familiarity_and_the_temperature_for_it(
    tmp_path: Path,
) -> None:
    # Hard to tell apart, as temperatures have a lower limit.
    noisy = made_items(EXAMPLES, ("noise",), shape=(40,), noise=6.0)
    plain = RunContext(RECIPE, noisy, LABELS, tmp_path)
    rich = with_familiarity(replace(plain, recipe=replace(RECIPE, encoder="made")))

    trained = train_model(rich, SPLIT)

    windows = np.concatenate([item.windows for item in plain.select(SPLIT.test)])
    outputs = trained.model(windows)
    familiarity = fit_familiarity(plain.dataset(SPLIT.train))
    assert outputs["embedding"].shape == (len(windows), familiarity.projection.shape[1])
    assert np.asarray(outputs["familiarity"])[:, 0] == pytest.approx(
        familiarity.score(windows), abs=1e-4
    )
    temperatures = [run_split(one, SPLIT).temperature for one in (rich, plain)]
    assert trained.temperature == pytest.approx(temperatures[0], rel=1e-3)
    assert temperatures[1] != pytest.approx(temperatures[0], rel=0.1)
