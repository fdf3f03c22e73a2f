"""Values that make no sense are refused before anything is trained, by the name of their option."""

from __future__ import annotations

from math import nan

import pytest

from batchemo.errors import UsageError
from batchemo.training.hyperparameters import (
    LOSSES,
    LR_SCHEDULES,
    SELECT_EPOCH,
    Hyperparameters,
)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("batch_size", 0),
        ("learning_rate", 0.0),
        ("learning_rate", -1e-3),
        ("learning_rate", nan),
        ("focal_gamma", -1.0),
        ("focal_gamma", nan),
        ("l2", -1e-4),
        ("dropout", -0.1),
        ("dropout", 1.0),
        ("patience", -1),
        ("plateau_patience", -1),
        ("plateau_factor", 0.0),
        ("plateau_factor", 1.0),
        ("weight_decay", -0.1),
        ("weight_decay", nan),
        ("clip_norm", -1.0),
        ("ema_decay", -0.1),
        ("ema_decay", 1.0),
        ("label_smoothing", 1.0),
        ("other_corpora_share", -0.1),
        ("other_corpora_share", 1.0),
        ("mixup", -0.1),
        ("mixup", 1.1),
        ("mixup", nan),
        ("validation_share", -0.1),
        ("validation_share", 1.0),
        ("validation_share", nan),
        ("seed", -1),
    ],
)
def test_a_value_out_of_range_is_refused_with_its_option(name: str, value: float) -> None:
    with pytest.raises(UsageError) as refused:
        Hyperparameters(**{name: value})

    assert f"--{name.replace('_', '-')} is {value:g}: " in str(refused.value)


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("loss", LOSSES),
        ("lr_schedule", tuple(LR_SCHEDULES)),
        ("select_epoch", tuple(SELECT_EPOCH)),
    ],
)
def test_an_unknown_choice_is_refused_with_those_that_exist(
    name: str, allowed: tuple[str, ...]
) -> None:
    with pytest.raises(UsageError, match=f"--{name.replace('_', '-')} is 'best'") as refused:
        Hyperparameters(**{name: "best"})

    assert all(choice in str(refused.value) for choice in allowed)


def test_the_ends_of_a_range_are_allowed() -> None:
    lowest = {"dropout": 0.0, "l2": 0.0, "focal_gamma": 0.0, "seed": 0, "ema_decay": 0.0}

    assert Hyperparameters(epochs=1, batch_size=1, **lowest).epochs == 1
    assert Hyperparameters(label_smoothing=0.0, other_corpora_share=0.0, mixup=1.0).mixup == 1


def test_without_validation_the_last_epoch_can_be_the_result() -> None:
    assert Hyperparameters(validation_share=0.0, select_epoch="last").validation_share == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"select_epoch": "loss"},
        {"select_epoch": "accuracy"},
        {"patience": 3},
        {"plateau_patience": 3},
    ],
)
def test_without_validation_what_needs_it_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"^--validation-share is 0: without valid") as refused:
        Hyperparameters(**{"validation_share": 0.0, "select_epoch": "last", **changes})

    assert all(
        name in str(refused.value) for name in ("--select-epoch", "--patience", "--plateau-")
    )


def test_differences_are_the_values_that_are_not_the_defaults() -> None:
    defaults = Hyperparameters(epochs=50, augmentations=("noise",))

    changed = Hyperparameters(epochs=50, augmentations=("noise", "pitch"), seed=3)

    assert changed.differences(defaults) == {"augmentations": ("noise", "pitch"), "seed": 3}
    assert defaults.differences(defaults) == {}
