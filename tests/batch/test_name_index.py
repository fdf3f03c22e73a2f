"""The index of names: the same answers as a dictionary, in a small part of its memory."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from batchemo.batch.name_index import NameIndex

NAMES = st.tuples(st.sampled_from(["/data", "/more"]), st.sampled_from("abcdefgh"))


@given(st.lists(st.lists(NAMES)), st.lists(NAMES))
def test_it_answers_as_a_dictionary_of_lists_does(
    added: list[list[tuple[str, str]]], asked: list[tuple[str, str]]
) -> None:
    names, expected = NameIndex(), dict[tuple[str, str], list[int]]()
    number = 0
    for batch in added:
        names.extend(batch)
        for name in batch:
            expected.setdefault(name, []).append(number)
            number += 1
        # In any order, between what is added.
        for name in asked:
            entries = expected.get(name, [])
            assert names.last(*name) == (entries[-1] if entries else None)
            assert names.all(*name) == entries
    assert len(names) == len(expected)
    assert list(names.first_and_last()) == [(found[0], found[-1]) for found in expected.values()]


def test_root_and_file_are_apart() -> None:
    names = NameIndex()
    names.extend([("/data", "a/b.wav")])
    assert names.last("/data/a", "b.wav") is None


def test_an_entry_takes_a_few_bytes() -> None:
    count = 100_000
    tracemalloc.start()
    try:
        names = NameIndex()
        names.extend(("/data", f"{number}.wav") for number in range(count))
        assert names.last("/data", "7.wav") == 7
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken / count < 20
