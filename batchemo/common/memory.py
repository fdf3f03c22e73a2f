"""Whether there is room for large libraries, which fail in all ways where there is not.

Where the address space is limited (`ulimit -v`), OpenBLAS tries for ever to get its buffers, Arrow
ends the process, and an import fails with errors that name no reason.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import resource
import sys

ARROW_BYTES = 192 * 2**20
"""The address space that Arrow and its threads take to read and count a table, as measured."""
RUNTIME_BYTES = 256 * 2**20
"""The address space that NumPy, SciPy and ONNX Runtime take, as measured with a model of ours."""
_M_ARENA_MAX = -8
"""The number of this option in glibc's malloc.h."""
_WORDS = (
    *("bad_alloc", "bad allocation", "Failed to allocate memory"),
    *("can't start new thread", "Failed to launch worker thread"),
)
"""What C++ libraries and Python say of a lack of memory, in errors of other types."""


def has_memory(size: int) -> bool:
    """Return whether this process may map `size` more bytes; none of them is touched.

    >>> has_memory(1 << 60)
    False
    """
    try:
        mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=0).close()
    except OSError:
        return False
    return True


def require_memory(library: str, size: int) -> None:
    """Raise `MemoryError` where a library, if it is not loaded yet, would not find `size` bytes.

    >>> require_memory("no_such_library", 1 << 60)
    Traceback (most recent call last):
    MemoryError
    """
    if library not in sys.modules and not has_memory(size):
        raise MemoryError


def prepare_arrow(size: int = ARROW_BYTES) -> None:
    """Before Arrow is imported: raise `MemoryError` where it would not find `size` bytes.

    Where the address space is limited, it gets memory from malloc, and all threads get it from one
    place. Otherwise each would reserve so much in advance that none is left for what is needed,
    and Arrow ends the process.

    >>> prepare_arrow()
    """
    if "pyarrow" in sys.modules:
        return
    require_memory("pyarrow", size)
    if resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY:
        return
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # Not in every C library.
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)


def is_out_of_memory(error: Exception) -> bool:
    """Return whether an error says that there is not enough memory, by its type or in words.

    >>> is_out_of_memory(RuntimeError("std::bad_alloc")), is_out_of_memory(ValueError("no"))
    (True, False)
    """
    return isinstance(error, MemoryError) or any(word in str(error) for word in _WORDS)
