"""Gives the columns of a text table the types that their text stands for, if nothing is lost."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow

_BOOLEANS = ({"true", "false"}, {"True", "False"})


def typed(column: pyarrow.ChunkedArray) -> pyarrow.ChunkedArray:
    """Read a text column as int64, float64 or bool where each of its texts could be written back.

    So "01", "+1" and "0.50" keep their column text; numbers with and without ".0" do not mix.

    >>> import pyarrow
    >>> [str(typed(pyarrow.chunked_array([texts])).type) for texts in (["1", None], ["01"])]
    ['int64', 'string']
    """
    import pyarrow

    texts = [text for text in column.unique().to_pylist() if text is not None]
    if not texts:
        return column
    if any(set(texts) <= pair for pair in _BOOLEANS):
        return _mapped(column, {text: text.lower() == "true" for text in texts}, pyarrow.bool_())
    integers = _read(texts, int, (str,))
    if integers and all(-(2**63) <= number < 2**63 for number in integers.values()):
        return _mapped(column, integers, pyarrow.int64())
    numbers = _read(texts, float, (repr, _without_point))
    if numbers and all(map(math.isfinite, numbers.values())):
        return _mapped(column, numbers, pyarrow.float64())
    return column


def unguarded(column: pyarrow.ChunkedArray) -> pyarrow.ChunkedArray:
    """Take off the mark that our own CSV has on cells which a spreadsheet might run.

    The same as `tables.write.unguard`, again: sources know nothing of tables. A test holds the
    two together.

    >>> import pyarrow
    >>> unguarded(pyarrow.chunked_array([["'=cmd()", "''tis", "plain"]])).to_pylist()
    ['=cmd()', "'tis", 'plain']
    """
    import pyarrow.compute as pc

    return pc.replace_substring_regex(column, r"^'(['=+\-@\t\r\n＝＋－＠])", r"\1")


def _read(
    texts: list[str], read: Callable[[str], Any], writers: tuple[Callable[[Any], str], ...]
) -> dict[str, Any]:
    """Read all the texts; nothing if some are no numbers or no one writer gives them all back."""
    try:
        values = {text: read(text) for text in texts}
    except ValueError:
        return {}
    for write in writers:
        if all(write(value) == text for text, value in values.items()):
            return values
    return {}


def _without_point(number: float) -> str:
    return repr(number).removesuffix(".0")


def _mapped(
    column: pyarrow.ChunkedArray, values: dict[str, Any], to: pyarrow.DataType
) -> pyarrow.ChunkedArray:
    import pyarrow

    chunks = [
        pyarrow.array([None if text is None else values[text] for text in chunk.to_pylist()], to)
        for chunk in column.chunks
    ]
    return pyarrow.chunked_array(chunks, to)
