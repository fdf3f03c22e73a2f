"""A Dask cluster as an executor: what becomes of lost workers and schedulers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from dask_cluster import DaskCluster, dask_cluster
from made_work import file_names, find_nothing, process_id
from scan_commands import wait_until

from batchemo.errors import BatchemoError, UsageError
from batchemo.sources import Recording
from batchemo.workers import dask_executor
from batchemo.workers.dask_executor import DaskExecutor, scheduler_address
from batchemo.workers.dispatcher import FinishedChunk, run_chunks
from batchemo.workers.executor import Chunk
from batchemo.workers.remote_work import Requirements

SECONDS = 60
"""How long a result may take."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[DaskCluster]:
    # A chunk that lost one worker already counts as one that kills them, and Dask blames all that
    # the worker held.
    with dask_cluster(allowed_failures=0) as cluster:
        yield cluster


@pytest.fixture
def executor(cluster: DaskCluster) -> Iterator[DaskExecutor]:
    executor = DaskExecutor(cluster.scheduler, Requirements(), timeout=0)
    yield executor
    executor.shutdown(kill=True)


def recordings(*names: str) -> list[Recording]:
    return [Recording("/r", name, 1, 0) for name in names]


def lost_row(recording: Recording, reason: str, detail: str) -> str:
    return f"{recording.file}: {reason}"


def rows_of(finished: Iterator[FinishedChunk[str]]) -> list[str]:
    ordered = sorted(finished, key=lambda done: done.chunk.number)
    return [row for done in ordered for row in done.rows]


@pytest.mark.parametrize(
    "text", ["ray://cluster:1", "dask://cluster", "dask://:1", "dask://c:x", "dask://c:1/x", "c:1"]
)
def test_an_address_that_is_none_is_told(text: str) -> None:
    with pytest.raises(UsageError, match="write dask://HOST:PORT"):
        scheduler_address(text)


def test_a_scheduler_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_executor, "CONNECT_SECONDS", 0.2)
    with pytest.raises(BatchemoError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        DaskExecutor("tcp://127.0.0.1:9", Requirements(), timeout=0)


@pytest.mark.process
def test_the_workers_of_the_cluster_are_counted(executor: DaskExecutor) -> None:
    assert executor.workers == 2


@pytest.mark.process
def test_a_recording_that_kills_clusters_workers_is_named_and_others_have_rows(
    cluster: DaskCluster,
) -> None:
    chunks = [recordings("a", "b"), recordings("c", "kill", "d"), recordings("e")]
    finished = run_chunks(
        (Chunk(number, tuple(chunk)) for number, chunk in enumerate(chunks)),
        file_names,
        lost_row,
        workers=0,
        timeout=0,
        executor=partial(DaskExecutor, cluster.scheduler, Requirements(), 0),
    )
    assert rows_of(finished) == ["a", "b", "c", "kill: worker_died", "d", "e"]


@pytest.mark.process
def test_a_recording_that_is_here_and_not_where_workers_look_ends_the_run(
    executor: DaskExecutor, tmp_path: Path
) -> None:
    (tmp_path / "a.wav").touch()
    here, gone = (Recording(str(tmp_path), name, 1, 0) for name in ("a.wav", "gone.wav"))

    result = executor.submit(find_nothing, [gone]).result(SECONDS)
    assert [row.reason for rows in result.rows for row in rows] == ["missing"]
    with pytest.raises(BatchemoError, match=r"a\.wav is on this machine, and not on "):
        executor.submit(find_nothing, [gone, here]).result(SECONDS)


@pytest.mark.process
def test_what_a_worker_cannot_take_up_is_told(executor: DaskExecutor) -> None:
    # It raises, as what a worker cannot import does.
    with pytest.raises(BatchemoError, match="cannot take up work: AttributeError"):
        executor.submit(process_id, recordings("a")).result(SECONDS)


@pytest.mark.process
def test_without_workers_the_run_waits_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_executor, "NO_WORKERS_SECONDS", 0.1)
    monkeypatch.setattr(dask_executor, "LOOK_INTERVAL", 0.05)
    with dask_cluster(workers=0) as cluster:
        executor = DaskExecutor(cluster.scheduler, Requirements(), timeout=0)
        with pytest.raises(BatchemoError, match=r"has had no workers .* goes on from there"):
            executor.submit(file_names, recordings("a")).result(SECONDS)
        executor.shutdown(kill=True)


@pytest.mark.process
def test_work_goes_to_the_scheduler_that_takes_the_place_of_a_lost_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with dask_cluster(workers=0) as first:
        executor = DaskExecutor(first.scheduler, Requirements(), timeout=0)
        futures = [executor.submit(file_names, recordings(name)) for name in ("a", "b")]
        first.kill()
        with dask_cluster(port=first.port):
            assert [future.result(SECONDS).rows for future in futures] == [("a",), ("b",)]
        monkeypatch.setattr(dask_executor, "RECONNECT_SECONDS", 0.1)
        with pytest.raises(BatchemoError, match="is gone, and has not come back"):
            executor.submit(file_names, recordings("c")).result(SECONDS)
        executor.shutdown(kill=True)


@pytest.mark.process
def test_given_up_work_leaves_nothing_on_the_scheduler(cluster: DaskCluster) -> None:
    from distributed import Client

    executor = DaskExecutor(cluster.scheduler, Requirements(), timeout=0)
    for number in range(20):
        executor.submit(file_names, recordings(str(number))).result(SECONDS)
    executor.submit(file_names, recordings("unfinished"))
    executor.shutdown(kill=True)
    with Client(cluster.scheduler, set_as_default=False) as client:
        wait_until(lambda: not client.run_on_scheduler(_tasks()), SECONDS)


def _tasks() -> Callable[..., int]:
    """Return a function that is sent by value: the scheduler cannot import this module."""
    return lambda dask_scheduler: len(dask_scheduler.tasks)
