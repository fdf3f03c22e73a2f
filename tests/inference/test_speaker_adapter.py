"""A speaker's name is data, whatever it holds, and rows are adapted alike in any portions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from batchemo.bundles.speaker_adaptation import adapt, log_probabilities
from batchemo.inference.postprocess import SpeakerAdapter
from batchemo.tables.rows import RecordingResult, to_batch

LABELS = ("happy", "sad", "angry")

# A manifest may hold anything; what it cannot hold is a lone surrogate.
speakers = st.none() | st.text(st.characters(exclude_categories=("Cs",)), max_size=6)
cases = st.lists(st.tuples(speakers, st.integers(0, 2**32 - 1)), min_size=1, max_size=12)


def raw(seeds: list[int]) -> list[RecordingResult]:
    """Rows of made probabilities; every third recording has failed."""
    drawn = [np.random.default_rng(seed).dirichlet(np.ones(3)).astype(np.float32) for seed in seeds]
    return [
        RecordingResult("/r", f"{i}.wav", reason="empty")
        if i % 3 == 2
        else RecordingResult("/r", f"{i}.wav", probabilities=p)
        for i, p in enumerate(drawn)
    ]


def table_of(rows: list[RecordingResult], column: list[Any]) -> pa.Table:
    batch = to_batch(rows, labels=LABELS, model="m", segments=False)
    return pa.Table.from_batches([batch]).append_column("who", pa.array(column, pa.string()))


@given(cases, st.data())
def test_each_speaker_is_adapted_alone_whatever_the_name(
    drawn: list[tuple[str | None, int]], data: st.DataObject
) -> None:
    rows, names = raw([seed for _, seed in drawn]), [name for name, _ in drawn]
    table, voices = table_of(rows, names), SpeakerAdapter("who", LABELS, ())
    cut = data.draw(st.integers(0, len(rows)))
    for portion in (table.slice(cut), table.slice(0, cut)):
        voices.learn(portion)
    found = voices.adapted(table)[:, 0]
    for name in set(names):
        theirs = [i for i, each in enumerate(names) if each == name and i % 3 != 2]
        before = np.array([rows[i].probabilities for i in theirs]).reshape(-1, 3)
        after = adapt(log_probabilities(before)).astype(np.float32) if name else before
        assert np.array_equal(found[theirs], after)
    assert np.isnan(found[2::3]).all()
    nameless = sum(not name for i, name in enumerate(names) if i % 3 != 2)
    assert [told.split()[0] for told in voices.warnings()] == [str(nameless)] * (nameless > 0)


def test_numbers_and_dates_name_speakers_too() -> None:
    rows = raw([1, 2, 3, 4])
    numbers = table_of(rows, ["1", "2", "3", "2"])
    column = numbers.column_names.index("who")
    typed = numbers.set_column(column, "who", pa.array([1, 2, 3, 2]))
    found = []
    for table in (numbers, typed):
        voices = SpeakerAdapter("who", LABELS, ())
        voices.learn(table)
        found.append(voices.adapted(table))
    assert np.array_equal(*found, equal_nan=True)
