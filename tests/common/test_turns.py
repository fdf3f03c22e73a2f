"""The turns of a recording, which go to worker processes."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from batchemo.common.turns import Turn, Turns

MANY = Turns(Turn(0.5 * number, None, f"s{number % 2}", row=number) for number in range(10_000))


@pytest.mark.parametrize("turns", [Turns(), Turns([Turn(), Turn(1.0, 2.0, "anna", 1, 7)]), MANY])
def test_turns_come_out_of_a_pickle_as_they_were(turns: Turns) -> None:
    read = pickle.loads(pickle.dumps(turns))

    assert read == turns
    assert isinstance(read, Turns)
    assert all(isinstance(turn, Turn) for turn in read)


def test_many_turns_are_pickled_in_little_more_than_their_numbers() -> None:
    assert len(pickle.dumps(MANY)) < 25 * len(MANY)


def test_a_turn_without_times_is_all_of_the_recording() -> None:
    turns = Turns([Turn(), Turn(2.0, 3.0)])

    np.testing.assert_array_equal(turns.starts, [0.0, 2.0])
    np.testing.assert_array_equal(turns.ends, [np.inf, 3.0])
