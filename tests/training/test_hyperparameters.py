"""Nonsense is refused before anything is learnt, by the name of the option that says it."""

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
    ("option", "nonsense"),
    [
        ("epochs", 0),
        ("batch_size", 0),
        ("rate", 0.0),
        ("rate", -1e-3),
        ("rate", nan),
        ("focal_gamma", -1.0),
        ("focal_gamma", nan),
        ("l2", -1e-4),
        ("dropout", -0.1),
        ("dropout", 1.0),
        ("patience", -1),
        ("plateau_patience", -1),
        ("plateau_factor", 0.0),
        ("plateau_factor", 1.0),
        ("decay", -0.1),
        ("decay", nan),
        ("clip_norm", -1.0),
        ("average", -0.1),
        ("average", 1.0),
        ("smoothing", 1.0),
        ("abroad", -0.1),
        ("abroad", 1.0),
        ("mixup", -0.1),
        ("mixup", 1.1),
        ("mixup", nan),
        ("validation", -0.1),
        ("validation", 1.0),
        ("validation", nan),
        ("seed", -1),
    ],
)
def test_nonsense_is_refused_with_its_option_and_its_value(option: str, nonsense: float) -> None:
    with pytest.raises(UsageError) as refused:
        Hyperparameters(**{option: nonsense})

    name = "learning-rate" if option == "rate" else option.replace("_", "-")
    assert f"--{name} is {nonsense:g}: " in str(refused.value)


@pytest.mark.parametrize(
    ("option", "allowed"),
    [("loss", LOSSES), ("pace", tuple(LR_SCHEDULES)), ("choose", tuple(SELECT_EPOCH))],
)
def test_a_name_that_is_none_is_refused_with_those_that_are(
    option: str, allowed: tuple[str, ...]
) -> None:
    with pytest.raises(UsageError, match=f"--{option} is 'best'") as refused:
        Hyperparameters(**{option: "best"})

    assert all(name in str(refused.value) for name in allowed)


def test_what_ends_a_range_is_allowed() -> None:
    assert (
        Hyperparameters(epochs=1, batch_size=1, dropout=0.0, l2=0.0, focal_gamma=0.0, seed=0).epochs
        == 1
    )
    assert (
        Hyperparameters(
            ema_decay=0.0, label_smoothing=0.0, other_corpora_share=0.0, mixup=1.0
        ).mixup
        == 1
    )


def test_with_nothing_to_watch_the_last_epoch_is_the_result() -> None:
    assert Hyperparameters(validation_share=0.0, select_epoch="last").validation == 0


@pytest.mark.parametrize(
    "wish", [{"choose": "loss"}, {"choose": "accuracy"}, {"patience": 3}, {"plateau_patience": 3}]
)
def test_with_nothing_to_watch_what_needs_watching_is_refused(wish: dict[str, object]) -> None:
    with pytest.raises(
        UsageError, match=r"^--validation-share is 0: with nothing to watch"
    ) as refused:
        Hyperparameters(**{"validation": 0.0, "choose": "last", **wish})

    assert all(
        name in str(refused.value) for name in ("--select-epoch", "--patience", "--plateau-")
    )


def test_differences_are_the_choices_that_are_not_the_standard_ones() -> None:
    standard = Hyperparameters(epochs=50, augmentations=("noise",))

    changed = Hyperparameters(epochs=50, augmentations=("noise", "pitch"), seed=3)

    assert changed.differences(standard) == {"copies": ("noise", "pitch"), "seed": 3}
    assert standard.differences(standard) == {}
