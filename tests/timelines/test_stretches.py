"""Windows become stretches: without overlaps, gaps of silence kept, short ones joined."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchemo.timelines import Joining, Stretch, Windows, join_windows

LABELS = ("calm", "angry", "sad")
CALM, ANGRY, SAD = (0.8, 0.1, 0.1), (0.1, 0.8, 0.1), (0.1, 0.1, 0.8)
SILENT = (np.nan, np.nan, np.nan)
EXACT = Joining(least_length=0.0, hysteresis=0.0)


def windows(*rows: tuple[float, float, tuple[float, ...]]) -> Windows:
    starts, ends, probabilities = zip(*rows, strict=True)
    return Windows(np.array(starts), np.array(ends), np.array(probabilities))


def seconds(stretches: list[Stretch]) -> list[tuple[float, float, str]]:
    return [(stretch.start, stretch.end, stretch.label) for stretch in stretches]


def test_neighbours_of_one_label_become_one_stretch() -> None:
    found = join_windows(windows((0, 5, CALM), (5, 10, CALM), (10, 15, ANGRY)), LABELS, EXACT)

    assert seconds(found) == [(0, 10, "calm"), (10, 15, "angry")]
    assert [stretch.confidence for stretch in found] == pytest.approx([0.8, 0.8])


def test_windows_without_speech_leave_a_gap() -> None:
    found = join_windows(windows((0, 5, CALM), (5, 10, SILENT), (10, 15, CALM)), LABELS, EXACT)

    assert seconds(found) == [(0, 5, "calm"), (10, 15, "calm")]


def test_where_windows_overlap_their_mean_decides() -> None:
    found = join_windows(windows((0, 4, (0.6, 0.4, 0)), (2, 6, (0.1, 0.9, 0))), LABELS, EXACT)

    assert seconds(found) == [(0, 2, "calm"), (2, 6, "angry")]
    assert found[1].confidence == pytest.approx((0.65 * 2 + 0.9 * 2) / 4)


def test_a_label_goes_on_until_another_is_more_likely_by_the_margin() -> None:
    rows = windows((0, 5, CALM), (5, 10, (0.45, 0.5, 0.05)), (10, 15, (0.3, 0.6, 0.1)))

    found = join_windows(rows, LABELS, Joining(least_length=0.0, hysteresis=0.1))

    assert seconds(found) == [(0, 10, "calm"), (10, 15, "angry")]


def test_a_short_stretch_joins_the_neighbour_whose_label_it_has_more_of() -> None:
    rows = windows((0, 5, CALM), (5, 5.5, (0.1, 0.3, 0.6)), (5.5, 9, ANGRY))

    found = join_windows(rows, LABELS, Joining(least_length=1.0, hysteresis=0.0))

    assert seconds(found) == [(0, 5, "calm"), (5, 9, "angry")]


def test_a_short_stretch_between_two_of_one_label_joins_both() -> None:
    rows = windows((0, 5, CALM), (5, 5.5, ANGRY), (5.5, 9, CALM))

    found = join_windows(rows, LABELS, Joining(least_length=1.0, hysteresis=0.0))

    assert seconds(found) == [(0, 9, "calm")]


def test_a_short_stretch_in_silence_stays() -> None:
    rows = windows((0, 5, SILENT), (5, 5.5, ANGRY), (5.5, 9, SILENT))

    assert seconds(join_windows(rows, LABELS, Joining())) == [(5, 5.5, "angry")]


def test_less_than_a_microsecond_is_no_gap() -> None:
    rows = windows((0, 1.0000001, CALM), (1.0000002, 2, CALM))

    assert seconds(join_windows(rows, LABELS, EXACT)) == [(0, 2, "calm")]


@st.composite
def made_windows(draw: st.DrawFn) -> Windows:
    count = draw(st.integers(1, 20))
    hop, length = draw(st.sampled_from([0.5, 1.5])), draw(st.sampled_from([0.5, 1.5, 3.0]))
    rows = draw(st.lists(st.sampled_from([CALM, ANGRY, SAD, SILENT]), min_size=1, max_size=count))
    starts = np.arange(len(rows)) * hop
    return Windows(starts, starts + length, np.array(rows))


@given(made_windows(), st.floats(0, 5), st.floats(0, 1))
def test_stretches_cover_what_has_speech_and_nothing_else(
    given_windows: Windows, least: float, hysteresis: float
) -> None:
    found = join_windows(given_windows, LABELS, Joining(least, hysteresis))

    assert all(stretch.start < stretch.end and 0 < stretch.confidence <= 1 for stretch in found)
    assert all(a.end <= b.start for a, b in pairwise(found))
    with_speech = ~np.isnan(given_windows.probabilities[:, 0])
    times = np.arange(0, given_windows.ends.max(), 0.25) + 0.1
    covered = (
        (given_windows.starts[with_speech, None] <= times)
        & (times < given_windows.ends[with_speech, None])
    ).any(axis=0)
    heard = [any(stretch.start <= time < stretch.end for stretch in found) for time in times]
    assert covered.tolist() == heard


@given(made_windows(), st.floats(0.5, 5))
def test_only_what_stands_alone_is_short(given_windows: Windows, least: float) -> None:
    found = join_windows(given_windows, LABELS, Joining(least, 0.0))

    for before, after in pairwise(found):
        if before.end == after.start:
            assert min(before.end - before.start, after.end - after.start) >= least - 1e-9
            assert before.label != after.label
