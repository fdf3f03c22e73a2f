"""A run starts no more workers than have room for the models, unless it was asked to."""

from types import SimpleNamespace

import psutil
import pytest

from batchemo.batch import worker_count
from batchemo.batch.worker_count import first_chunks, useful_workers, workers_with_room
from batchemo.sources import Recording
from batchemo.workers.executor import Chunk

GIB = 2**30


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """16 GB of free memory."""
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=16 * GIB))


@pytest.mark.parametrize(
    ("workers", "is_asked", "weights", "started", "warning"),
    [
        (8, False, 2**20, 8, None),
        (8, False, GIB, 5, "-j 5, and not 8: the models take up to 3.0 GB a worker, and 16.0 GB"),
        (8, False, 10 * GIB, 1, "-j 1, and not 8"),
        (4, False, GIB, 4, None),
        (8, True, GIB, 8, "-j 8: the models take up to 3.0 GB a worker, and 16.0 GB are free"),
        (1, True, 10 * GIB, 1, None),
    ],
)
def test_workers_are_as_many_as_have_room(workers, is_asked, weights, started, warning) -> None:
    found, warnings = workers_with_room(workers, weights, is_asked=is_asked)
    assert found == started
    assert [each[: len(warning)] for each in warnings] == ([] if warning is None else [warning])


@pytest.mark.parametrize(
    ("sizes", "workers"),
    [
        ([350_000] * 12, 1),
        ([350_000] * 17, 2),
        ([3_000_000] * 12, 5),
        ([350_000] * 1000, 8),
        ([None] * 12, 1),
        ([], 1),
    ],
)
def test_without_a_number_of_workers_each_is_worth_its_start(
    sizes: list[int | None], workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("batchemo.batch.worker_count.available_cpus", lambda: 8)
    recordings = [Recording("/", f"{n}.wav", size, 0) for n, size in enumerate(sizes)]
    chunks = [Chunk(n, tuple(recordings[n::8])) for n in range(8) if recordings[n::8]]
    assert useful_workers(chunks, 0) == workers
    assert useful_workers(chunks, 3) == max(1, min(3, len(chunks)))


@pytest.mark.parametrize(("megabytes", "workers"), [(110, 4), (30, 2), (5, 1)])
def test_a_single_recording_gets_as_many_workers_as_may_share_it(
    megabytes: int, workers: int
) -> None:
    chunk = Chunk(0, (Recording("/", "interview.wav", megabytes * 2**20, 0),))
    assert useful_workers([chunk], 4) == workers


@pytest.mark.parametrize(("recordings", "workers"), [(1, 1), (16, 1), (17, 2), (60, 4), (999, 4)])
def test_many_small_recordings_are_work_for_all_though_the_first_chunks_are_small(
    monkeypatch, recordings, workers
) -> None:
    monkeypatch.setattr(worker_count, "available_cpus", lambda: 4)
    sizes = [4, 8, 16, 32, *[64] * 20]
    left, chunks = recordings, []
    for number, size in enumerate(sizes):
        found = tuple(Recording("/d", f"{number}-{n}.wav", 1000, 0) for n in range(min(size, left)))
        left -= len(found)
        if found:
            chunks.append(Chunk(number, found))

    assert useful_workers(first_chunks(iter(chunks), 0), 0) == workers
