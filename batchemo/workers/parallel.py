"""A map over worker processes, for training and evaluation."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import BrokenExecutor, Future
from itertools import islice
from queue import SimpleQueue
from typing import TypeVar

from batchemo.errors import BatchemoError
from batchemo.workers.dispatcher import CHUNKS_PER_WORKER
from batchemo.workers.executor import ProcessExecutor, signals_blocked

T = TypeVar("T")
R = TypeVar("R")


def map_in_processes(
    items: Sequence[T],
    work: Callable[[T], R],
    jobs: int,
    *,
    ordered: bool = False,
    threads: int = 1,
) -> Generator[tuple[T, R], None, None]:
    """Yield each item with the result of `work`, as soon as it is there or, if `ordered`, in order.

    `work` must be picklable, or a function that can be sent by value. `threads` is how many
    threads numeric libraries may use in each of the `jobs` processes. What `work` raises is raised
    here. Close the generator, as after Ctrl-C, to end the processes at once.

    One job is a process of its own as well: what `work` imports and allocates stays out of this
    one. Nothing starts for no items:

    >>> list(map_in_processes([], abs, jobs=2))
    []
    """
    if not items:
        return
    workers = min(jobs, len(items))
    executor = ProcessExecutor(None, workers, threads=threads, silence_stderr=False)
    waiting = iter(range(len(items)))
    in_flight: dict[Future[R], int] = {}
    completed: SimpleQueue[Future[R]] = SimpleQueue()
    results: dict[int, R] = {}
    """By the place of the item; those that are not yielded yet."""

    def submit_more() -> None:
        # As bounded as the chunks of a scan: a pool that is given more holds all of it pickled.
        for place in islice(waiting, CHUNKS_PER_WORKER * workers - len(in_flight)):
            with signals_blocked():
                future = executor.submit(work, items[place])
                in_flight[future] = place
                # Not `concurrent.futures.as_completed`: it waits with locks of futures in its hand,
                # and a Ctrl-C that comes then may leave one taken.
                future.add_done_callback(completed.put)

    next_place = 0
    try:
        submit_more()
        while in_flight:
            future = completed.get()
            place = in_flight.pop(future)
            results[place] = future.result()
            submit_more()
            if ordered:
                while next_place in results:
                    yield items[next_place], results.pop(next_place)
                    next_place += 1
            else:
                yield items[place], results.pop(place)
    except BrokenExecutor as error:
        raise BatchemoError(
            "a worker process died, perhaps because memory ran out: run the same command again, it"
            " goes on where this one stopped; with --jobs 1 it needs the least memory"
        ) from error
    finally:
        executor.shutdown(kill=True)
