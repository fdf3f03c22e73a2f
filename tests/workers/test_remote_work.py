"""What a cluster's worker does with a chunk, without a cluster."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

from batchemo.bundles import Bundle
from batchemo.sources import Recording
from batchemo.workers import remote_work
from batchemo.workers.executor import ChunkResult, CutRecording, InlineExecutor
from batchemo.workers.kept_worker import KeptWorker
from batchemo.workers.remote_work import Requirements, facts, work_remotely

CUT = CutRecording(9, 90.0)


@pytest.fixture(autouse=True)
def inline_processes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(remote_work, "KeptWorker", lambda: KeptWorker(InlineExecutor))
    yield
    remote_work._processes.close()


def recordings(*names: str) -> list[Recording]:
    return [Recording("/r", name, 1, 0) for name in names]


def look(chunk: Sequence[Recording]) -> ChunkResult[str]:
    names = [recording.file for recording in chunk]
    cut = {place: CUT for place, name in enumerate(names) if name == "long"}
    return ChunkResult(tuple(name for name in names if name != "long"), {"decode": 1.0}, cut=cut)


def pieces(chunk: Sequence[Recording]) -> ChunkResult[str]:
    return ChunkResult(tuple(f"{chunk[0].file} {number}" for number in range(3)))


@pytest.mark.parametrize("names", [("a", "long", "c"), ("a", "c"), ("a",), ("long",)])
def test_the_result_is_that_of_the_work(names: tuple[str, ...]) -> None:
    chunk = recordings(*names)
    assert work_remotely(Requirements(), 0, look, chunk).result == look(chunk)


def test_pieces_of_a_recording_have_a_result_each() -> None:
    result = work_remotely(Requirements(), 0, pieces, recordings("long")).result
    assert result.rows == ("long 0", "long 1", "long 2")


def test_what_ends_the_run_says_where() -> None:
    def fail(chunk: Sequence[Recording]) -> ChunkResult[str]:
        return ChunkResult(fatal="the model is damaged")

    answer = work_remotely(Requirements(), 0, fail, recordings("a", "b"))
    assert answer.result.fatal == f"the worker on {answer.host}: the model is damaged"


def test_a_worker_of_another_version_does_no_work() -> None:
    fatal = work_remotely(Requirements(version="9.9"), 0, look, recordings("a")).result.fatal
    assert "and the machine of this run 9.9: install the same version" in str(fatal)


def test_a_worker_with_another_model_of_this_name_does_no_work(
    make_bundle: Callable[..., Bundle],
) -> None:
    here = make_bundle(seed=0)
    requirements = Requirements(((str(here.path), here.digest),))
    make_bundle(seed=1)

    fatal = work_remotely(requirements, 0, look, recordings("a")).result.fatal
    assert "is another one than on the machine of this run: copy it there" in str(fatal)
    make_bundle(seed=0)
    assert work_remotely(requirements, 0, look, recordings("a")).result.fatal is None


def test_a_worker_without_the_model_says_so() -> None:
    requirements = Requirements((("/nowhere/model", "1" * 64),))
    fatal = work_remotely(requirements, 0, look, recordings("a")).result.fatal
    assert "/nowhere/model: there is no such model" in str(fatal)


def test_the_process_is_kept_for_the_next_chunk_and_ends_when_it_is_idle(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened: list[KeptWorker] = []

    def open_worker() -> KeptWorker:
        opened.append(KeptWorker(InlineExecutor))
        return opened[-1]

    idle, closers = threading.Event(), set[threading.Thread | None]()
    monkeypatch.setattr(remote_work, "KeptWorker", open_worker)
    monkeypatch.setattr(remote_work, "_processes", remote_work._Processes())
    monkeypatch.setattr(remote_work, "sleep", lambda seconds: idle.wait())
    for _ in range(3):
        work_remotely(Requirements(), 0, look, recordings("a"))
        closers.add(remote_work._processes._closer)
    assert len(opened) == 1
    # A thread that is started for each chunk locks Dask's workers up, sooner or later.
    (closer,) = closers
    assert closer is not None
    monkeypatch.setattr(remote_work, "IDLE_SECONDS", 0.0)
    idle.set()
    closer.join()
    work_remotely(Requirements(), 0, look, recordings("a"))
    assert len(opened) == 2


def test_a_daemon_may_have_processes_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    own = multiprocessing.current_process()
    monkeypatch.setitem(own._config, "daemon", True)  # type: ignore[attr-defined]
    remote_work._allow_processes.cache_clear()
    work_remotely(Requirements(), 0, look, recordings("a"))
    assert not own.daemon


def test_facts_are_of_what_is_there(make_bundle: Callable[..., Bundle]) -> None:
    bundle = make_bundle()
    found = facts(["numpy", "no-such-package"], [str(bundle.path), "no-such-model"])
    assert set(found.versions) == {"python", "batchemo", "numpy"}
    assert found.digests == {str(bundle.path): bundle.digest}
    assert found.trouble is None
