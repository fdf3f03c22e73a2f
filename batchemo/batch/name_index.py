"""Finds the entries of names among millions of them, in 13 bytes for each entry.

Python's own dictionary of names takes 300 bytes an entry. Here only a hash of 64 bits is kept of
each, and the order of the hashes. Of 10⁸ names, two have the same hash in one case of 4,000; so
whoever asks must compare something else too, such as the size and the time of the last change.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

import numpy as np

_REPLACED, _REPEATED = 1, 2
"""Bits of an entry: a later one has the same name, or an earlier one."""


class NameIndex:
    """Entries by root and file, numbered as they are added; a later one replaces an earlier one.

    >>> names = NameIndex()
    >>> names.extend([("/data", "a.wav"), ("/data", "b.wav"), ("/data", "a.wav")])
    >>> names.last("/data", "a.wav"), names.all("/data", "a.wav"), names.last("/data", "c.wav")
    (2, [0, 2], None)
    >>> len(names), list(names.first_and_last())
    (2, [(0, 2), (1, 1)])
    """

    def __init__(self) -> None:
        self._hashes = array("q")
        self._order: memoryview | None = None
        """The entries by their hashes, equal ones as they were added; made when it is needed."""
        self._bits = bytearray()
        self._next = 0
        """Where to look first: names are mostly asked for in the order in which they were added."""

    def __len__(self) -> int:
        """Return the number of different names."""
        self._sorted()
        replaced = np.frombuffer(self._bits, np.uint8) & _REPLACED
        return len(self._bits) - int(np.count_nonzero(replaced))

    def extend(self, names: Iterable[tuple[str, str]]) -> None:
        """Add an entry for each root and file."""
        self._hashes.extend(map(hash, names))
        self._order = None

    def last(self, root: str, file: str) -> int | None:
        """Return the last entry of a name."""
        order, wanted, entry = self._sorted(), hash((root, file)), self._next
        is_next = entry < len(order) and self._hashes[entry] == wanted
        if not is_next or self._bits[entry] & _REPLACED:
            place = bisect_right(order, wanted, key=self._hashes.__getitem__) - 1
            if place < 0 or self._hashes[order[place]] != wanted:
                return None
            entry = order[place]
        self._next = entry + 1
        return entry

    def all(self, root: str, file: str) -> list[int]:
        """Return all entries of a name, as they were added."""
        order, wanted = self._sorted(), hash((root, file))
        first = bisect_left(order, wanted, key=self._hashes.__getitem__)
        end = bisect_right(order, wanted, first, key=self._hashes.__getitem__)
        return list(order[first:end])

    def first_and_last(self) -> Iterator[tuple[int, int]]:
        """Yield the first and the last entry of each name, by the first."""
        order = self._sorted()
        for first, bits in enumerate(self._bits):
            if bits & _REPEATED:
                continue
            last = first
            if bits & _REPLACED:
                wanted = self._hashes[first]
                last = order[bisect_right(order, wanted, key=self._hashes.__getitem__) - 1]
            yield first, last

    def _sorted(self) -> memoryview:
        if self._order is not None:
            return self._order
        hashes = np.frombuffer(self._hashes, np.int64)
        # 4 bytes are enough for any table that fits into memory with its index.
        order = np.argsort(hashes, kind="stable").astype(np.uint32)
        ordered = hashes[order]
        equal = ordered[1:] == ordered[:-1]
        bits = np.zeros(len(hashes), np.uint8)
        bits[order[:-1][equal]] |= _REPLACED
        bits[order[1:][equal]] |= _REPEATED
        self._bits = bytearray(bits)
        self._order = memoryview(order.data)
        self._next = 0
        return self._order
