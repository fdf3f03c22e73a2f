"""Joins the windows of a recording to stretches of one label.

Windows may overlap, and the last one lies wherever the recording ends. So time is first cut at all
their edges: between two neighbouring edges the probabilities are the mean of those of the windows
that cover it. A label goes on until another one is more likely by a margin (hysteresis), and what
is shorter than the least length is joined to a neighbour. Where no window has speech there is no
stretch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from batchemo.common.arrays import Float64


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """The windows of a recording in the order of time, as a segments table has them."""

    starts: Float64
    ends: Float64
    probabilities: Float64
    """(windows, labels); NaN for windows without speech."""


@dataclass(frozen=True, slots=True)
class Joining:
    """How windows are joined to stretches."""

    least_length: float = 1.0
    """Seconds: what is shorter is joined to the neighbour that suits it better."""
    hysteresis: float = 0.1
    """By how much another label must be more likely before the label changes."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece of a recording with one label."""

    start: float
    end: float
    label: str
    confidence: float
    """The mean probability of the label."""


def join_windows(windows: Windows, labels: Sequence[str], joining: Joining) -> list[Stretch]:
    """Return the stretches of a recording, in the order of time; they do not overlap.

    >>> windows = Windows(
    ...     np.array([0.0, 5.0, 10.0]),
    ...     np.array([5.0, 10.0, 15.0]),
    ...     np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]]),
    ... )
    >>> for stretch in join_windows(windows, ["calm", "angry"], Joining()):
    ...     print(stretch.start, stretch.end, stretch.label, round(stretch.confidence, 2))
    0.0 10.0 calm 0.85
    10.0 15.0 angry 0.7
    """
    starts, ends, probabilities = _between_edges(windows)
    stretches: list[Stretch] = []
    for first, last in _runs_of_speech(probabilities):
        run = slice(first, last)
        lengths = ends[run] - starts[run]
        pieces = _label_pieces(probabilities[run], joining.hysteresis)
        pieces = _without_short(pieces, probabilities[run], lengths, joining.least_length)
        for begin, end, label in pieces:
            weights = lengths[begin:end]
            confidence = weights @ probabilities[run][begin:end, label] / weights.sum()
            stretches.append(
                Stretch(
                    float(starts[run][begin]),
                    float(ends[run][end - 1]),
                    labels[label],
                    float(confidence),
                )
            )
    return stretches


def _between_edges(windows: Windows) -> tuple[Float64, Float64, Float64]:
    """Return the pieces between neighbouring edges, and the mean probabilities of each."""
    # Rounded: what was written as CSV may differ by less than a sample, which is no gap.
    begins, stops = windows.starts.round(6), windows.ends.round(6)
    edges = np.unique(np.concatenate([begins, stops]))
    starts, ends = edges[:-1], edges[1:]
    sums = np.zeros((len(starts), windows.probabilities.shape[1]))
    counts = np.zeros(len(starts))
    # The pieces that a window covers are neighbours: two searches find the first and the last.
    first, last = np.searchsorted(edges, begins), np.searchsorted(edges, stops)
    for begin, end, row in zip(first, last, windows.probabilities, strict=True):
        if not np.isnan(row[0]):
            sums[begin:end] += row
            counts[begin:end] += 1
    with np.errstate(invalid="ignore"):
        return starts, ends, sums / counts[:, None]


def _runs_of_speech(probabilities: Float64) -> list[tuple[int, int]]:
    """Return the first piece of each run without a gap, and the one after its last."""
    speech = np.concatenate([[False], ~np.isnan(probabilities[:, 0]), [False]])
    changes = np.flatnonzero(speech[1:] != speech[:-1]).tolist()
    return list(zip(changes[::2], changes[1::2], strict=True))


_Piece: TypeAlias = tuple[int, int, int]
"""The first row, the one after the last, and the label's index."""


def _label_pieces(probabilities: Float64, hysteresis: float) -> list[_Piece]:
    """Return runs of one label; it changes where another one is more likely by the margin."""
    pieces: list[_Piece] = []
    for index, row in enumerate(probabilities):
        best = int(row.argmax())
        if pieces:
            begin, _, label = pieces[-1]
            if row[best] <= row[label] + hysteresis:
                pieces[-1] = (begin, index + 1, label)
                continue
        pieces.append((index, index + 1, best))
    return pieces


def _without_short(
    pieces: list[_Piece], probabilities: Float64, lengths: Float64, least: float
) -> list[_Piece]:
    """Join what is too short, the shortest first, to the neighbour whose label it has more of."""
    pieces = list(pieces)
    durations = [float(lengths[begin:end].sum()) for begin, end, _ in pieces]
    while len(pieces) > 1 and min(durations) < least:
        index = durations.index(min(durations))
        begin, end, _ = pieces[index]
        # The share of every label in the short piece.
        shares = lengths[begin:end] @ probabilities[begin:end]
        neighbours = pieces[max(index - 1, 0) : index] + pieces[index + 1 : index + 2]
        label = max((piece[2] for piece in neighbours), key=lambda label: shares[label])
        # Both neighbours may have that label: then all three become one.
        first, last = index, index + 1
        if first and pieces[first - 1][2] == label:
            first -= 1
        if last < len(pieces) and pieces[last][2] == label:
            last += 1
        pieces[first:last] = [(pieces[first][0], pieces[last - 1][1], label)]
        durations[first:last] = [sum(durations[first:last])]
    return pieces
