"""A map over worker processes: results, their order, and errors."""

from __future__ import annotations

import os

import pytest
from made_work import process_id, sleep, thread_limit

from batchemo.errors import BatchemoError
from batchemo.workers.parallel import map_in_processes

pytestmark = pytest.mark.process


def test_every_item_is_worked_on_once_in_another_process() -> None:
    results = list(map_in_processes(["a", "b", "c"], process_id, 1))
    assert sorted(item for item, _ in results) == ["a", "b", "c"]
    assert len({process for _, process in results} - {os.getpid()}) == 1


def test_nothing_is_started_for_no_items() -> None:
    assert list(map_in_processes([], process_id, 1)) == []


def test_results_come_as_soon_as_they_are_there_or_in_order() -> None:
    first, *_ = map_in_processes([2.0, 0.0, 0.0], sleep, 2)
    assert first == (0.0, 0.0)
    ordered = list(map_in_processes([0.3, 0.0, 0.0], sleep, 2, ordered=True))
    assert ordered == [(0.3, 0.3), (0.0, 0.0), (0.0, 0.0)]


def test_the_number_of_threads_is_set_in_the_environment_of_the_workers() -> None:
    assert list(map_in_processes([0], thread_limit, 1)) == [(0, "1")]
    assert list(map_in_processes([0], thread_limit, 1, threads=3)) == [(0, "3")]


def test_a_worker_that_dies_ends_the_work_with_what_to_do() -> None:
    with pytest.raises(BatchemoError, match="died, perhaps because memory ran out: run the same"):
        list(map_in_processes([1], os._exit, 1))


def test_an_error_of_the_work_is_raised_unchanged() -> None:
    with pytest.raises(TypeError, match="no len"):
        list(map_in_processes([1], len, 1))  # type: ignore[arg-type]
