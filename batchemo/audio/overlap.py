"""How much of each turn other speakers talk over."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from batchemo.common.arrays import Bool, Float64
from batchemo.common.turns import Turn

MAX_OVERLAP = 0.5
"""The largest share of a turn in which others may speak: of more, nobody's emotion can be told."""


def overlap_shares(turns: Sequence[Turn]) -> list[float | None]:
    """Return the share of each turn in which another speaker has a turn; None without a speaker.

    Turns of different channels do not overlap; one without a channel is heard in all of them.

    >>> overlap_shares([Turn(0, 4, "anna"), Turn(3, 5, "ben"), Turn(3, 4)])
    [0.25, 0.5, None]
    """
    shares: list[float | None] = [None] * len(turns)
    named = [
        index
        for index, turn in enumerate(turns)
        if turn.speaker is not None and (turn.duration or 0) > 0
    ]
    for channel in {turns[index].channel for index in named}:
        # The turns that may be heard in this channel, and those of them that are told about.
        heard = [i for i in named if channel is None or turns[i].channel in (None, channel)]
        starts = np.array([turns[index].start for index in heard], np.float64)
        ends = np.array([turns[index].end for index in heard], np.float64)
        speakers = np.unique([turns[index].speaker for index in heard], return_inverse=True)[1]
        told = np.array([turns[index].channel == channel for index in heard])
        found = _shares(starts, ends, speakers, told)
        for index, is_told, share in zip(heard, told, found.tolist(), strict=True):
            if is_told:
                shares[index] = share
    return shares


def _shares(starts: Float64, ends: Float64, speakers: np.ndarray, told: Bool) -> Float64:
    """Return the share of each told turn that turns of other speakers cover."""
    edges = np.unique(np.concatenate([starts, ends]))
    first, last = np.searchsorted(edges, starts), np.searchsorted(edges, ends)
    lengths = np.diff(edges)

    def counts(chosen: np.ndarray) -> np.ndarray:
        """Return how many of the chosen turns cover each piece between two edges."""
        steps = np.bincount(first[chosen], minlength=len(edges))
        steps -= np.bincount(last[chosen], minlength=len(edges))
        return np.cumsum(steps)[:-1]

    everybody = counts(np.arange(len(starts)))
    shares = np.zeros(len(starts))
    for speaker in np.unique(speakers[told]).tolist():
        own = np.flatnonzero(speakers == speaker)
        covered = np.where(everybody > counts(own), lengths, 0.0)
        before = np.concatenate([[0.0], np.cumsum(covered)])
        shares[own] = (before[last[own]] - before[first[own]]) / (ends[own] - starts[own])
    return shares
