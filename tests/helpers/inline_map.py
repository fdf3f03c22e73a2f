"""A map in this process, for tests of what is mapped rather than of worker processes."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TypeVar

import pytest

T = TypeVar("T")
R = TypeVar("R")


def map_inline(
    items: Sequence[T], work: Callable[[T], R], jobs: int, *, ordered: bool = False
) -> Generator[tuple[T, R], None, None]:
    """Do what `batchemo.workers.parallel.map_in_processes` does, one item after the other."""
    for item in items:
        yield item, work(item)


def gather_inline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let features be computed in this process for the rest of the test."""
    monkeypatch.setattr("batchemo.training.data.feature_store.map_in_processes", map_inline)
