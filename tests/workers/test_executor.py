"""Executors: in this process or in others, with one thread each."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from made_work import kept_memory, process_id, thread_limit

from batchemo.errors import BatchemoError
from batchemo.workers.executor import InlineExecutor, ProcessExecutor, available_cpus


@pytest.fixture
def processes() -> Iterator[ProcessExecutor]:
    executor = ProcessExecutor(None, 1)
    yield executor
    executor.shutdown(kill=True)


def test_an_inline_executor_works_in_this_process_and_returns_a_finished_future() -> None:
    future = InlineExecutor(2).submit(process_id, None)
    assert future.done()
    assert future.result() == os.getpid()


def test_an_inline_executor_keeps_an_error_for_the_result() -> None:
    future = InlineExecutor().submit(len, 1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="no len"):
        future.result()


def test_an_inline_executor_limits_numeric_libraries_to_one_thread() -> None:
    import numpy  # noqa: F401
    from threadpoolctl import threadpool_info

    def threads(item: None) -> set[int]:
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

    assert InlineExecutor().submit(threads, None).result() == {1}


@pytest.mark.process
def test_libraries_of_a_worker_process_are_limited_to_one_thread(
    processes: ProcessExecutor,
) -> None:
    assert processes.submit(thread_limit, None).result() == "1"


@pytest.mark.process
def test_a_worker_process_keeps_the_memory_that_it_frees(processes: ProcessExecutor) -> None:
    assert int(processes.submit(kept_memory, None).result() or 0) >= 2**25


@pytest.mark.process
def test_a_shut_down_executor_has_no_processes_left(processes: ProcessExecutor) -> None:
    process = processes.submit(process_id, None).result()
    assert processes.alive
    processes.shutdown(kill=False)
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_a_machine_that_cannot_start_workers_is_named_as_the_cause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import loky

    def fail(**options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(loky, "ProcessPoolExecutor", fail)
    with pytest.raises(BatchemoError, match="cannot be started: No space left on device"):
        ProcessExecutor(None, 1)


def test_the_number_of_processors_honours_the_affinity_of_the_process() -> None:
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert available_cpus() == 1
    finally:
        os.sched_setaffinity(0, before)
