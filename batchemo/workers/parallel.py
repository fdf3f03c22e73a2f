"""Processes that work on many things while the parent stays light and can be stopped."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import BrokenExecutor, Future
from itertools import islice
from queue import SimpleQueue
from typing import Any, TypeVar

from batchemo.errors import BatchemoError

T = TypeVar("T")
R = TypeVar("R")

_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

_PATIENCE = 1.0
"""Seconds."""


def map_in_processes(
    things: Sequence[T], work: Callable[[T], R], jobs: int
) -> Generator[tuple[T, R], None, None]:
    """Give each thing with what came of it, as soon as it is done.

    One job too is a process of its own: what the work imports stays out of the parent. Whoever
    closes this, as after Ctrl-C, ends the processes at once.
    """
    from joblib.externals.loky import ProcessPoolExecutor

    if not things:
        return
    workers = min(jobs, len(things))
    pool: Any = ProcessPoolExecutor(
        max_workers=workers, initializer=_enter, initargs=(os.getpid(),), env=_ONE_THREAD
    )
    waiting = iter(things)
    begun: dict[Future[R], T] = {}
    done: SimpleQueue[Future[R]] = SimpleQueue()
    try:
        # Few at a time: no more than the pool hands over to its workers at once.
        for thing in islice(waiting, 2 * workers):
            _begin(pool, work, thing, begun, done)
        while begun:
            future = done.get()
            for thing in islice(waiting, 1):
                _begin(pool, work, thing, begun, done)
            yield begun.pop(future), future.result()
    except BrokenExecutor as error:
        raise BatchemoError(
            "a process that computed features died, perhaps for want of memory: run the same"
            " command again, it goes on where this one stopped; with --jobs 1 it needs the least"
        ) from error
    finally:
        _wait_for_handing_over(begun)
        pool.shutdown(wait=True, kill_workers=True)


def _wait_for_handing_over(futures: Iterable[Future[R]]) -> None:
    """Wait until the pool has given all to its workers, which takes it an instant.

    Its own thread dies with a traceback when it looks for what its shutdown has just dropped.
    """
    patience = time.monotonic() + _PATIENCE
    while time.monotonic() < patience:
        if all(future.running() or future.done() for future in futures):
            return
        time.sleep(0.001)


def _begin(
    pool: Any,
    work: Callable[[T], R],
    thing: T,
    begun: dict[Future[R], T],
    done: SimpleQueue[Future[R]],
) -> None:
    """Hand a thing over; when it is done, its future comes into the queue.

    The workers inherit the mask: a Ctrl-C is the parent's, even while they start. Nor may it come
    while this thread holds the lock of a future that is not done: a lock that it breaks into is
    never released, and the pool would wait for it for ever. So `as_completed` will not do.
    """
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        future = pool.submit(work, thing)
        begun[future] = thing
        future.add_done_callback(done.put)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _enter(parent: int) -> None:
    """Prepare a worker: no Ctrl-C, no life after its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow, args=(parent,), daemon=True).start()


def _follow(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
