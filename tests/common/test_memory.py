"""Libraries are not loaded where there is no room for them."""

from __future__ import annotations

import sys

import pytest

from batchemo.common.memory import require_memory


def test_a_library_that_is_not_loaded_needs_room() -> None:
    require_memory("no_such_library", 1 << 20)
    with pytest.raises(MemoryError):
        require_memory("no_such_library", 1 << 60)


def test_a_library_that_is_loaded_needs_none() -> None:
    assert "pytest" in sys.modules
    require_memory("pytest", 1 << 60)
