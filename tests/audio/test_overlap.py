"""How much of a turn others talk over, against a count of every millisecond."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchemo.audio.overlap import overlap_shares
from batchemo.common.turns import Turn


@st.composite
def turns(draw: st.DrawFn) -> Turn:
    start = draw(st.integers(0, 40))
    return Turn(
        start / 8,
        (start + draw(st.integers(1, 20))) / 8,
        draw(st.sampled_from(["anna", "ben", "carl", None])),
        draw(st.sampled_from([None, 0, 1])),
    )


def counted(turn: Turn, others: list[Turn]) -> float | None:
    """Return the share of the eighths of a second of a turn in which another speaker has one."""
    assert turn.start is not None
    assert turn.end is not None
    if turn.speaker is None:
        return None
    talking = [
        other
        for other in others
        if other.speaker not in (None, turn.speaker)
        and (None in (other.channel, turn.channel) or other.channel == turn.channel)
    ]
    moments = [n / 8 for n in range(int(turn.start * 8), int(turn.end * 8))]
    covered = [any(o.start <= at < o.end for o in talking) for at in moments]  # type: ignore[operator]
    return sum(covered) / len(moments)


@given(st.lists(turns(), max_size=12))
def test_shares_are_those_of_a_count_of_every_moment(given_turns: list[Turn]) -> None:
    shares = overlap_shares(given_turns)
    for turn, share in zip(given_turns, shares, strict=True):
        expected = counted(turn, given_turns)
        assert share == (None if expected is None else pytest.approx(expected))


def test_turns_without_length_or_times_have_no_share() -> None:
    odd = [Turn(None, None, "anna"), Turn(3, 3, "ben"), Turn(4, 2, "ben"), Turn(0, 9, "carl")]
    assert overlap_shares(odd) == [None, None, None, 0.0]
