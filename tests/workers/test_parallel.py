"""Processes that work for a training: what they give, and what is said when one dies."""

from __future__ import annotations

import os

import pytest
from made_work import own_process

from batchemo.errors import BatchemoError
from batchemo.workers.parallel import map_in_processes


def test_everything_is_worked_on_once_in_another_process() -> None:
    done = list(map_in_processes(["a", "b", "c"], own_process, 1))

    assert sorted(thing for thing, _ in done) == ["a", "b", "c"]
    assert len({process for _, process in done} - {os.getpid()}) == 1
    assert list(map_in_processes([], own_process, 1)) == []


def test_a_process_that_dies_ends_the_work_with_what_to_do() -> None:
    with pytest.raises(BatchemoError, match="died, perhaps for want of memory: run the same"):
        list(map_in_processes([1], os._exit, 1))


def test_an_error_of_the_work_is_raised_as_it_is() -> None:
    with pytest.raises(TypeError, match="no len"):
        list(map_in_processes([1], len, 1))  # type: ignore[arg-type]
