"""Whether there is room for large libraries, which fail in all ways where there is not.

Where the address space is limited (`ulimit -v`), OpenBLAS tries for ever to get its buffers, Arrow
ends the process, and an import fails with errors that name no reason.
"""

from __future__ import annotations

import mmap
import sys


def require_memory(library: str, size: int) -> None:
    """Raise `MemoryError` where a library, if it is not loaded yet, would not find `size` bytes.

    >>> require_memory("no_such_library", 1 << 60)
    Traceback (most recent call last):
    MemoryError
    """
    if library in sys.modules:
        return
    try:
        mmap.mmap(-1, size).close()
    except OSError as error:
        raise MemoryError from error
