"""A trial is run once: its result is kept, and only what could change it runs it again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_items import LABELS, made_example, made_items

from batchemo.errors import BatchemoError
from batchemo.training.data.dataset import make_dataset
from batchemo.training.data.feature_store import FeatureItem
from batchemo.training.data.protocols import Split, make_trials
from batchemo.training.experiment.context import CHECKPOINT, Answers, RunContext
from batchemo.training.experiment.runs import judge, run_trial, train
from batchemo.training.fit.history import Epoch
from batchemo.training.fit.scoring import fit_temperature, predict_items, probabilities
from batchemo.training.hyperparameters import Hyperparameters
from batchemo.training.recipes import get_recipe

pytest.importorskip("tensorflow")

from batchemo.training.fit.scoring import keras_graph

EXAMPLES = [made_example(who, label, n) for who in "abcdef" for label in LABELS for n in range(2)]
ITEMS = made_items(EXAMPLES, ("noise",), shape=(40,))
CHOICES = Hyperparameters(epochs=3, batch_size=16, validation_share=0.25)
UNWATCHED = Hyperparameters(epochs=1, batch_size=16, select_epoch="last", validation_share=0.0)
TRIAL = make_trials("speaker", ITEMS, CHOICES, (5,), folds=3)[0]

Ran = tuple[Answers, "float | None"]


@pytest.fixture
def context(tmp_path: Path) -> RunContext:
    return RunContext(get_recipe("mfcc40"), CHOICES, ITEMS, LABELS, tmp_path / "work")


def never(split: Split, epoch: Epoch) -> None:
    pytest.fail("a net was taught again")


def same(one: Ran, other: Ran) -> bool:
    parts = [(getattr(one[0], name), getattr(other[0], name)) for name in ("test", "watch")]
    return one[1] == other[1] and all(
        np.array_equal(here, there) for pair in parts for here, there in zip(*pair, strict=True)
    )


def test_a_trials_net_answers_for_every_window_of_what_is_tested_and_watched(
    context: RunContext,
) -> None:
    answers, temperature = run_trial(context, TRIAL)

    for said, places in ((answers.test, TRIAL.test), (answers.watch, TRIAL.watch)):
        wanted = [(len(ITEMS[place].windows), len(LABELS)) for place in places]
        assert [logits.shape for logits in said] == wanted
    # All of these items are easily told apart, and a short training is not sure enough of it.
    assert temperature is not None
    assert temperature < 1


def test_a_trial_is_judged_by_its_net_recording_by_recording(context: RunContext) -> None:
    answers, _ = run_trial(context, TRIAL)

    predictions = judge(context, TRIAL, answers, 0.5)

    assert [one.example for one in predictions] == [ITEMS[place].example for place in TRIAL.test]
    assert {(one.variant, one.fold, one.seed) for one in predictions} == {
        ("original", "speakers-1", 5)
    }
    for one, told, before in zip(
        predictions, probabilities(answers.test, 0.5), probabilities(answers.test), strict=True
    ):
        assert one.probabilities == tuple(told)
        assert one.uncalibrated == tuple(before)
        assert sum(one.probabilities) == pytest.approx(1)
    right = [
        LABELS[int(np.argmax(one.probabilities))] == one.example.emotion for one in predictions
    ]
    assert np.mean(right) > 0.8


def test_a_result_is_kept_and_nothing_is_taught_again(context: RunContext) -> None:
    told: list[int] = []
    first = run_trial(context, TRIAL, lambda split, epoch: told.append(epoch.number))

    assert told == [0, 1, 2]
    assert same(run_trial(context, TRIAL, never), first)
    kept = {path.name for path in context.folder(TRIAL).iterdir()}
    assert kept == {context.result(TRIAL).name, CHECKPOINT}


def test_a_net_that_is_tested_on_something_else_is_asked_and_not_taught_again(
    context: RunContext,
) -> None:
    answers, _ = run_trial(context, TRIAL)

    turned, _ = run_trial(context, replace(TRIAL, test=TRIAL.test[::-1]), never)

    for one, other in zip(turned.test, answers.test[::-1], strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_an_interrupted_trial_and_a_forgotten_one_come_to_the_same_result(
    context: RunContext, tmp_path: Path
) -> None:
    def stop(split: Split, epoch: Epoch) -> None:
        if epoch.number == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_trial(context, TRIAL, stop)
    assert not context.result(TRIAL).exists()

    elsewhere = replace(context, work=tmp_path / "elsewhere")

    assert same(run_trial(context, TRIAL), run_trial(elsewhere, TRIAL))


def test_where_nothing_is_watched_nothing_tells_a_temperature(context: RunContext) -> None:
    blind = replace(context, hyperparameters=UNWATCHED)
    (split,) = make_trials("random", ITEMS, UNWATCHED, (0,))

    answers, temperature = run_trial(blind, split)

    assert (answers.watch, temperature) == ((), None)
    assert same(run_trial(blind, split, never), (answers, temperature))
    assert len(answers.test) == len(split.test) > 0
    assert train(blind, split).temperature is None


@pytest.fixture
def pairs(context: RunContext) -> RunContext:
    """The same room for a system of two nets."""
    return replace(context, system=replace(context.system, name="pairs", nets=2))


def test_several_nets_have_seeds_of_their_own_that_no_other_trial_has(pairs: RunContext) -> None:
    seeds = [[one.seed for one in pairs.nets(replace(TRIAL, seed=seed))] for seed in range(3)]

    assert seeds == [[0, 1], [2, 3], [4, 5]]
    assert {replace(one, seed=5) for one in pairs.nets(TRIAL)} == {TRIAL}


def test_several_nets_answer_the_mean_and_share_what_was_taught_before(
    context: RunContext, pairs: RunContext
) -> None:
    alone = [run_trial(context, replace(TRIAL, seed=seed))[0] for seed in (10, 11)]

    answers, temperature = run_trial(pairs, TRIAL, never)

    for part in ("test", "watch"):
        one, other, mean = (getattr(said, part) for said in (*alone, answers))
        for place, said in enumerate(mean):
            assert said == pytest.approx((one[place] + other[place]) / 2)
    assert temperature == fit_temperature(answers.watch, pairs.dataset(TRIAL.watch).labels)


def test_a_net_of_several_is_taught_one_by_one_and_says_what_they_say_together(
    pairs: RunContext,
) -> None:
    told: list[tuple[int, int]] = []

    trained = train(pairs, TRIAL, lambda split, epoch: told.append((split.seed, epoch.number)))

    assert told == [(seed, number) for seed in (10, 11) for number in range(3)]
    assert [len(one.history) for one in trained.taught] == [3, 3]
    answers, temperature = run_trial(pairs, TRIAL)
    windows = [ITEMS[place].windows for place in TRIAL.test]
    said = predict_items(keras_graph(trained.model), windows)
    for one, other in zip(said, answers.test, strict=True):
        assert one == pytest.approx(other, abs=1e-4)
    assert trained.temperature == temperature


@pytest.mark.parametrize(
    "changed",
    [
        {"choices": replace(CHOICES, epochs=4)},
        {"choices": replace(CHOICES, loss="focal")},
        {"choices": replace(CHOICES, augmentations=("noise",))},
        {"system": get_recipe("cnn1d")},
        {"system": replace(get_recipe("mfcc40"), floor=-2.0)},
        {"labels": LABELS[::-1]},
        {"items": tuple(replace(i, example=replace(i.example, digest="other")) for i in ITEMS)},
        {"items": tuple(replace(i, example=replace(i.example, emotion="sad")) for i in ITEMS)},
        {"items": tuple(replace(i, copy="pitch") for i in ITEMS)},
    ],
)
def test_whatever_could_change_the_result_has_another_folder(
    context: RunContext, changed: dict[str, object]
) -> None:
    assert replace(context, **changed).folder(TRIAL) != context.folder(TRIAL)


@pytest.mark.parametrize(
    "changed",
    [
        {"seed": 6},
        {"learn": TRIAL.learn[1:]},
        {"watch": TRIAL.watch[1:]},
        {"test": TRIAL.test[1:]},
        {"learn": TRIAL.watch, "watch": TRIAL.learn},
    ],
)
def test_another_seed_or_part_has_another_result(
    context: RunContext, changed: dict[str, object]
) -> None:
    assert context.result(replace(TRIAL, **changed)) != context.result(TRIAL)


def test_the_folder_is_the_same_wherever_the_recordings_lie(context: RunContext) -> None:
    moved = tuple(
        replace(item, example=replace(item.example, path=Path("moved") / item.example.path))
        for item in ITEMS
    )

    assert replace(context, items=moved).folder(TRIAL) == context.folder(TRIAL)


def test_a_systems_name_and_how_many_nets_it_has_change_no_single_net(context: RunContext) -> None:
    """So the three nets of `accurate` are those of the default with other seeds."""
    other = replace(context.system, name="other", told="Another.", nets=3, claim="much")

    assert replace(context, system=other).folder(TRIAL) == context.folder(TRIAL)


def test_a_net_is_scaled_by_what_it_learns_alone_and_cooled_by_what_it_watches(
    context: RunContext,
) -> None:
    trained = train(context, TRIAL)

    mean, spread = make_dataset(context.some(TRIAL.learn), LABELS).scaling()
    frozen_mean, frozen_variance = trained.model.get_layer("normalise").get_weights()
    assert frozen_mean == pytest.approx(mean)
    assert frozen_variance == pytest.approx(spread**2)
    (taught,) = trained.taught
    assert taught.chosen in taught.history
    windows = [ITEMS[place].windows for place in TRIAL.watch]
    watched = predict_items(keras_graph(trained.model), windows)
    assert trained.temperature == fit_temperature(watched, context.dataset(TRIAL.watch).labels)


def test_a_class_that_nothing_is_left_to_learn_from_is_named(context: RunContext) -> None:
    learn = tuple(place for place in TRIAL.learn if ITEMS[place].example.emotion != "happy")

    with pytest.raises(BatchemoError, match="nothing is left to learn happy from"):
        train(context, replace(TRIAL, learn=learn))


def test_no_seed_has_a_say_in_a_regression_so_it_is_made_once(context: RunContext) -> None:
    regression = replace(context, system=get_recipe("functionals"), hyperparameters=UNWATCHED)

    seeds = {net.seed for seed in range(3) for net in regression.nets(replace(TRIAL, seed=seed))}

    assert seeds == {0}


def test_what_stands_beside_has_as_much_to_say_as_all_nets_together(pairs: RunContext) -> None:
    beside = replace(pairs, system=replace(pairs.system, name="beside", nets=1))
    own, _ = run_trial(pairs, TRIAL)
    other, _ = run_trial(beside, TRIAL)

    answers, temperature = run_trial(replace(pairs, beside=beside), TRIAL, never)

    for one, two, mean in zip(own.test, other.test, answers.test, strict=True):
        assert mean == pytest.approx((one + two) / 2)
    assert temperature == fit_temperature(answers.watch, pairs.dataset(TRIAL.watch).labels)


def test_what_stands_beside_learns_from_its_own_copies_of_the_same_recordings(
    pairs: RunContext,
) -> None:
    others = made_items(EXAMPLES[::-1], ("pitch", "room"), shape=(40,))
    context = replace(pairs, beside=replace(pairs, items=others))

    split = context.trial_beside(TRIAL)

    def names(items: Sequence[FeatureItem], places: Sequence[int]) -> set[str]:
        return {items[place].example.digest for place in places}

    for here, there in ((TRIAL.learn, split.learn), (TRIAL.watch, split.watch)):
        assert names(others, there) == names(ITEMS, here)
    assert {others[place].copy for place in split.learn} == {"original", "pitch", "room"}
    assert len(split.learn) == 3 * len(names(ITEMS, TRIAL.learn))
    tested = [(others[place].example, others[place].copy) for place in split.test]
    assert tested == [(ITEMS[place].example, ITEMS[place].copy) for place in TRIAL.test]


def test_where_copies_lie_on_both_sides_what_stands_beside_has_the_same_trial(
    pairs: RunContext,
) -> None:
    (leaky,) = make_trials("leaky", ITEMS, CHOICES, (0,))

    assert replace(pairs, beside=pairs).trial_beside(leaky) == leaky
