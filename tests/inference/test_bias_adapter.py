"""Speakers' names may be any text, and the order and number of updates does not matter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from batchemo.bundles.speaker_adaptation import adapt, log_probabilities
from batchemo.inference.postprocess import BiasAdapter
from batchemo.inference.settings import PostprocessSettings
from batchemo.tables.rows import RecordingResult, to_batch

LABELS = ("happy", "sad", "angry")

# A manifest may hold any text but lone surrogates, which are no UTF-8.
speakers = st.none() | st.text(st.characters(exclude_categories=("Cs",)), max_size=6)
cases = st.lists(st.tuples(speakers, st.integers(0, 2**32 - 1)), min_size=1, max_size=12)


def random_rows(seeds: list[int]) -> list[RecordingResult]:
    """Rows of random probabilities; every third recording has failed."""
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
def test_each_speaker_is_adapted_separately_whatever_the_name(
    drawn: list[tuple[str | None, int]], data: st.DataObject
) -> None:
    rows, names = random_rows([seed for _, seed in drawn]), [name for name, _ in drawn]
    table, adapter = (
        table_of(rows, names),
        BiasAdapter(PostprocessSettings(speaker="who"), LABELS, ()),
    )
    cut = data.draw(st.integers(0, len(rows)))
    for part in (table.slice(cut), table.slice(0, cut)):
        adapter.update(part)
    adapted = adapter.adapted_probabilities(table)[:, 0]
    for name in set(names):
        own_rows = [i for i, each in enumerate(names) if each == name and i % 3 != 2]
        before = np.array([rows[i].probabilities for i in own_rows]).reshape(-1, 3)
        after = adapt(log_probabilities(before)).astype(np.float32) if name else before
        assert np.array_equal(adapted[own_rows], after)
    assert np.isnan(adapted[2::3]).all()
    unnamed = sum(not name for i, name in enumerate(names) if i % 3 != 2)
    assert [message.split()[0] for message in adapter.warnings()] == [str(unnamed)] * (unnamed > 0)


@given(cases, st.booleans(), st.data())
def test_all_rows_are_adapted_to_class_shares_whatever_the_order_of_updates(
    drawn: list[tuple[str | None, int]], by_speaker: bool, data: st.DataObject
) -> None:
    rows, names = random_rows([seed for _, seed in drawn]), [name for name, _ in drawn]
    table = table_of(rows, names)
    settings = PostprocessSettings(
        speaker="who" if by_speaker else None, class_shares="happy=3,angry=1"
    )
    cut = data.draw(st.integers(0, len(rows)))
    found = []
    for parts in ((table,), (table.slice(cut), table.slice(0, cut))):
        adapter = BiasAdapter(settings, LABELS, ())
        for part in parts:
            adapter.update(part)
        found.append(adapter.adapted_probabilities(table)[:, 0])
    assert found[0].tobytes() == found[1].tobytes()
    assert np.isnan(found[0][2::3]).all()
    analysed = found[0][[i for i in range(len(rows)) if i % 3 != 2]]
    assert (analysed[:, 1] == 0).all()
    np.testing.assert_allclose(analysed.sum(axis=1), 1, atol=1e-6)


def test_a_corpus_that_one_label_prevails_in_by_bias_is_as_even_as_it_is_told_to_be() -> None:
    random = np.random.default_rng(0)
    unbiased = random.dirichlet([0.5] * 3, 300)
    biased = unbiased * [8, 1, 1]
    biased /= biased.sum(axis=1, keepdims=True)
    rows = [
        RecordingResult("/r", f"{i}.wav", probabilities=p.astype(np.float32))
        for i, p in enumerate(biased)
    ]
    table = table_of(rows, [None] * 300)
    adapter = BiasAdapter(PostprocessSettings(class_shares="even"), LABELS, ())
    adapter.update(table)
    adapted = adapter.adapted_probabilities(table)[:, 0]
    truth = unbiased.argmax(axis=1)
    assert (biased.argmax(axis=1) == truth).mean() < 0.7
    assert (adapted.argmax(axis=1) == truth).mean() > 0.8
    assert adapter.warnings() == []


def test_numbers_name_speakers_like_their_text() -> None:
    rows = random_rows([1, 2, 3, 4])
    numbers = table_of(rows, ["1", "2", "3", "2"])
    column = numbers.column_names.index("who")
    typed = numbers.set_column(column, "who", pa.array([1, 2, 3, 2]))
    adapted = []
    for table in (numbers, typed):
        adapter = BiasAdapter(PostprocessSettings(speaker="who"), LABELS, ())
        adapter.update(table)
        adapted.append(adapter.adapted_probabilities(table))
    assert np.array_equal(*adapted, equal_nan=True)
