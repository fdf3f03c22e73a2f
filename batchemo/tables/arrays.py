"""Arrow arrays straight from numpy's memory.

`pyarrow.array` does the same, but imports pandas at the first numpy array that it sees: a third of
a second and 50 MB in a process that needs nothing of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa


def from_numpy(values: NDArray[Any], unknown: NDArray[np.bool_] | None = None) -> pa.Array:
    """Give an array of the same numbers, null where they are unknown.

    >>> from_numpy(np.array([1.5, 0.0]), np.array([False, True])).to_pylist()
    [1.5, None]
    """
    import pyarrow as pa

    kind = pa.from_numpy_dtype(values.dtype)
    content = pa.py_buffer(np.ascontiguousarray(values))
    return pa.Array.from_buffers(kind, len(values), [_validity(unknown), content])


def _validity(unknown: NDArray[np.bool_] | None) -> pa.Buffer | None:
    import pyarrow as pa

    if unknown is None or not unknown.any():
        return None
    return pa.py_buffer(np.packbits(~unknown, bitorder="little"))


def lists_from_numpy(rows: NDArray[Any], unknown: NDArray[np.bool_]) -> pa.FixedSizeListArray:
    """Give a list for every row of a matrix, null where it is unknown."""
    import pyarrow as pa

    content = from_numpy(rows.ravel())
    kind = pa.list_(content.type, rows.shape[1])
    return pa.Array.from_buffers(kind, len(rows), [_validity(unknown)], children=[content])


def names_from_numpy(
    numbers: NDArray[np.intp], names: list[str], unknown: NDArray[np.bool_]
) -> pa.Array:
    """Give the names with these numbers, null where they are unknown.

    >>> names_from_numpy(np.array([1, 0]), ["a", "b"], np.array([False, True])).to_pylist()
    ['b', None]
    """
    import pyarrow as pa

    chosen = from_numpy(numbers.astype(np.int32), unknown)
    return pa.array(names, pa.string()).take(chosen)
