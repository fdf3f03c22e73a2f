"""A training as a picture: of one net or of several, watched or not."""

from __future__ import annotations

import pytest

from batchemo.training.export.package import draw_curves
from batchemo.training.fit.history import Epoch
from batchemo.training.fit.trainer import FitResult

pytest.importorskip("matplotlib")

WATCHED = FitResult(
    tuple(Epoch(n, 0.1, 1 / (n + 1), 0.5, 1.2 / (n + 1), 0.4, 0.4) for n in range(3)),
    Epoch(1, 0.1, 0.5, 0.5, 0.6, 0.4, 0.4),
)
UNWATCHED = FitResult(
    tuple(Epoch(n, 0.1, 1 / (n + 1), 0.5) for n in range(3)), Epoch(2, 0.1, 1 / 3, 0.5)
)


def test_equal_trainings_give_equal_bytes() -> None:
    assert draw_curves("mine", [WATCHED]) == draw_curves("mine", [WATCHED])
    assert draw_curves("mine", [WATCHED]).startswith(b"\x89PNG")


def test_what_was_not_watched_is_not_drawn() -> None:
    assert draw_curves("mine", [UNWATCHED]).startswith(b"\x89PNG")
    assert draw_curves("mine", [UNWATCHED]) != draw_curves("mine", [WATCHED])


def test_each_of_several_nets_is_drawn() -> None:
    assert draw_curves("mine", [UNWATCHED] * 2) != draw_curves("mine", [UNWATCHED])


@pytest.mark.parametrize("name", ["$\\frac{$", "\x1b[2J\u202ename"])
def test_a_hostile_name_is_only_a_title(name: str) -> None:
    assert draw_curves(name, [UNWATCHED]).startswith(b"\x89PNG")
