"""A trial is run once: its result is kept, and only what could change it runs it again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_items import LABELS, made_example, made_items

from batchemo.errors import BatchemoError
from batchemo.training.choices import Choices
from batchemo.training.history import Epoch
from batchemo.training.lessons import make_lessons
from batchemo.training.protocols import Trial, make_trials
from batchemo.training.systems import get_system
from batchemo.training.trials import RESULT, Classroom, run_trial, train

pytest.importorskip("tensorflow")

EXAMPLES = [made_example(who, label, n) for who in "abcdef" for label in LABELS for n in range(2)]
ITEMS = made_items(EXAMPLES, ("noise",), shape=(40,))
CHOICES = Choices(epochs=3, batch_size=16, validation=0.25)
TRIAL = make_trials("speaker", ITEMS, CHOICES, (5,), folds=3)[0]


@pytest.fixture
def room(tmp_path: Path) -> Classroom:
    return Classroom(get_system("mfcc40"), CHOICES, ITEMS, LABELS, tmp_path / "work")


def never(trial: Trial, epoch: Epoch) -> None:
    pytest.fail("a net was taught again")


def test_a_trial_is_judged_by_its_net_recording_by_recording(room: Classroom) -> None:
    judged = run_trial(room, TRIAL)

    assert [one.example for one in judged] == [ITEMS[place].example for place in TRIAL.test]
    assert {(one.copy, one.fold, one.seed) for one in judged} == {("original", "speakers-1", 5)}
    for one in judged:
        assert sum(one.probabilities) == pytest.approx(1)
        assert len(one.probabilities) == len(LABELS)
    right = [LABELS[int(np.argmax(one.probabilities))] == one.example.emotion for one in judged]
    assert np.mean(right) > 0.8


def test_a_result_is_kept_and_nothing_is_taught_again(room: Classroom) -> None:
    told: list[int] = []
    first = run_trial(room, TRIAL, lambda trial, epoch: told.append(epoch.number))

    assert told == [0, 1, 2]
    assert run_trial(room, TRIAL, never) == first
    assert [path.name for path in room.folder(TRIAL).iterdir()] == [RESULT]


def test_an_interrupted_trial_and_a_forgotten_one_come_to_the_same_result(
    room: Classroom, tmp_path: Path
) -> None:
    def stop(trial: Trial, epoch: Epoch) -> None:
        if epoch.number == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_trial(room, TRIAL, stop)
    assert not (room.folder(TRIAL) / RESULT).exists()

    elsewhere = replace(room, work=tmp_path / "elsewhere")

    assert run_trial(room, TRIAL) == run_trial(elsewhere, TRIAL)


@pytest.mark.parametrize(
    "changed",
    [
        {"choices": replace(CHOICES, epochs=4)},
        {"choices": replace(CHOICES, loss="focal")},
        {"choices": replace(CHOICES, copies=("noise",))},
        {"system": get_system("cnn1d")},
        {"labels": LABELS[::-1]},
        {"items": tuple(replace(i, example=replace(i.example, digest="other")) for i in ITEMS)},
        {"items": tuple(replace(i, example=replace(i.example, emotion="sad")) for i in ITEMS)},
        {"items": tuple(replace(i, copy="pitch") for i in ITEMS)},
    ],
)
def test_whatever_could_change_the_result_has_another_folder(
    room: Classroom, changed: dict[str, object]
) -> None:
    assert replace(room, **changed).folder(TRIAL) != room.folder(TRIAL)


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
def test_another_seed_or_part_has_another_folder(
    room: Classroom, changed: dict[str, object]
) -> None:
    assert room.folder(replace(TRIAL, **changed)) != room.folder(TRIAL)


def test_the_folder_is_the_same_wherever_the_recordings_lie(room: Classroom) -> None:
    moved = tuple(
        replace(item, example=replace(item.example, path=Path("moved") / item.example.path))
        for item in ITEMS
    )

    assert replace(room, items=moved).folder(TRIAL) == room.folder(TRIAL)


def test_a_net_is_scaled_by_what_it_learns_alone_and_cooled_by_what_it_watches(
    room: Classroom,
) -> None:
    trained = train(room, TRIAL)

    mean, spread = make_lessons(room.some(TRIAL.learn), LABELS).scaling()
    frozen_mean, frozen_variance = trained.model.get_layer("normalise").get_weights()
    assert frozen_mean == pytest.approx(mean)
    assert frozen_variance == pytest.approx(spread**2)
    assert trained.chosen in trained.history
    # All of these items are easily told apart, and a short training is not sure enough of it.
    assert trained.temperature < 1


def test_a_class_that_nothing_is_left_to_learn_from_is_named(room: Classroom) -> None:
    learn = tuple(place for place in TRIAL.learn if ITEMS[place].example.emotion != "happy")

    with pytest.raises(BatchemoError, match="nothing is left to learn happy from"):
        train(room, replace(TRIAL, learn=learn))
