"""A column of text becomes numbers only where every text could be written back."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchemo.sources.manifest import infer_type


def read(texts):
    return infer_type(pa.chunked_array([pa.array(texts, pa.string())]))


@pytest.mark.parametrize(
    ("texts", "type_", "values"),
    [
        (["1", None, "-20"], "int64", [1, None, -20]),
        (["0.5", "1e-07", "2.0"], "double", [0.5, 1e-07, 2.0]),
        (["1", "2.5"], "double", [1.0, 2.5]),
        (["true", "false"], "bool", [True, False]),
        (["True", None], "bool", [True, None]),
    ],
)
def test_numbers_and_truths_are_recognised(texts, type_, values):
    column = read(texts)
    assert (str(column.type), column.to_pylist()) == (type_, values)


@pytest.mark.parametrize(
    "texts",
    [
        *(["01"], ["+1"], [" 1"], ["1_000"], ["٣"], ["1", "x"], [str(2**63)]),
        *(["0.50"], ["1.0", "1"], ["nan"], ["inf"], ["1e5"], ["1,5"], ["9007199254740993", "0.5"]),
        *(["true", "True"], ["yes"], ["TRUE"], [None], [], ["2024-01-01"], ["9" * 5000]),
    ],
)
def test_everything_else_stays_as_it_is_written(texts):
    column = read(texts)
    assert (str(column.type), column.to_pylist()) == ("string", texts)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1))
def test_every_integer_is_read(numbers):
    assert read([str(number) for number in numbers]).to_pylist() == numbers


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_every_float_is_read_to_its_last_bit(numbers):
    column = read([repr(number) for number in numbers])
    assert str(column.type) == "double"
    assert [repr(number) for number in column.to_pylist()] == [repr(number) for number in numbers]


@given(st.lists(st.none() | st.text("01.-e", max_size=5)))
def test_no_value_is_ever_changed_beyond_its_spelling(texts):
    for text, value in zip(texts, read(texts).to_pylist(), strict=True):
        assert (value is None) == (text is None)
        if isinstance(value, float):
            assert text in (repr(value), repr(value).removesuffix(".0"))
        elif value is not None:
            assert str(value) == text
