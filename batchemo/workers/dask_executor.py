"""The workers of a Dask cluster as an executor: `--executor dask://scheduler:8786`.

A chunk is a task, whose result is taken as soon as it is there, and which is forgotten then: the
scheduler holds no more of them than are in flight. All is done by one coroutine for each chunk, in
a thread with an event loop.

    a recording crashes or hangs   remote_work names it; the chunk's other rows are there
    a worker is lost               Dask starts its chunks on others. A chunk that lost several
                                   workers is one whose workers died, to the dispatcher
    the scheduler is lost          the chunk is given to the scheduler that takes its place, in
                                   time; otherwise the run ends, and its chunk store stays
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Future
from contextlib import ExitStack, contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

from batchemo.common.text import for_display
from batchemo.errors import BatchemoError, MissingExtraError, UsageError
from batchemo.sources import Recording
from batchemo.workers.executor import ChunkResult, R, T, Work
from batchemo.workers.remote_work import RemoteResult, Requirements, work_remotely

CONNECT_SECONDS = 10.0
RECONNECT_SECONDS = 120.0
"""How long to wait for a scheduler that starts again."""
NO_WORKERS_SECONDS = 600.0
"""How long to wait for a worker where there are none: a cluster may have to start machines."""
LOOK_INTERVAL = 2.0
"""Seconds between two looks at how many workers there are."""
CLOSE_SECONDS = 5.0

_LOGGERS = ("distributed", "distributed.client")
"""They log every cut connection, with tracebacks. What matters is in our errors."""


def scheduler_address(executor: str) -> str:
    """Return the address by which Dask knows the scheduler that is named by `--executor`.

    >>> scheduler_address("dask://cluster:8786")
    'tcp://cluster:8786'
    """
    parts = urlsplit(executor)
    try:
        is_right = parts.scheme == "dask" and parts.hostname and parts.port and not parts.path
    except ValueError:  # The port is no number.
        is_right = False
    if not is_right:
        raise UsageError(
            f"--executor {for_display(executor)}: write dask://HOST:PORT, the address of a Dask"
            " scheduler"
        )
    return f"tcp://{parts.netloc}"


@contextmanager
def _silenced(logger: logging.Logger) -> Iterator[None]:
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


class DaskExecutor:
    """The workers that a scheduler has, or so many of them; all of them for 0."""

    alive = True

    def __init__(
        self, scheduler: str, requirements: Requirements, timeout: float, workers: int = 0
    ) -> None:
        """Connect to the scheduler; BatchemoError where there is none."""
        try:
            import distributed  # noqa: F401
        except ImportError as error:
            raise MissingExtraError(
                "--executor dask://… needs distributed: pip install 'batchemo[cluster]'"
            ) from error
        self._scheduler, self._requirements, self._timeout = scheduler, requirements, timeout
        self._wanted, self._present = workers, 0
        self._seen_at = time.monotonic()
        """When there was a worker last."""
        self._failure: BatchemoError | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._reconnecting = asyncio.Lock()
        self._quiet = ExitStack()
        for name in _LOGGERS:
            self._quiet.enter_context(_silenced(logging.getLogger(name)))
        self._loop = asyncio.new_event_loop()
        # Dask leaves futures behind that failed, such as those of a close that took too long.
        self._loop.set_exception_handler(lambda loop, context: None)
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        try:
            self._client: Any = self._start(self._connect(CONNECT_SECONDS)).result()
            self._start(self._look()).result()
        except BaseException:
            self._stop()
            raise
        self._looking = self._start(self._keep_looking())

    @property
    def workers(self) -> int:
        """How many chunks the cluster can work on at a time."""
        return self._wanted or max(1, self._present)

    def submit(self, work: Work[R], chunk: Sequence[Recording]) -> Future[ChunkResult[R]]:
        """Start the work on a chunk."""
        return self._start(self._work_on(work, tuple(chunk)))

    def shutdown(self, *, kill: bool) -> None:
        """Give the chunks up that are in flight; a worker still ends the one it works on."""
        self._looking.cancel()
        with suppress(OSError, asyncio.TimeoutError):  # The scheduler may be gone.
            self._start(self._close()).result()
        self._stop()

    def ask_workers(self, question: Callable[..., T], *details: object) -> dict[str, T | Exception]:
        """Return what each of the present workers answers, or raises, by its address."""
        return self._start(self._ask_workers(question, details)).result()

    async def _ask_workers(
        self, question: Callable[..., T], details: tuple[object, ...]
    ) -> dict[str, T | Exception]:
        addresses = list(await self._client.nthreads())
        futures = [
            self._client.submit(question, *details, workers=[address], pure=False)
            for address in addresses
        ]
        answers = await asyncio.gather(*futures, return_exceptions=True)
        return dict(zip(addresses, answers, strict=True))

    def _start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CLOSE_SECONDS)
        if not self._thread.is_alive():
            self._loop.close()
        self._quiet.close()

    async def _connect(self, seconds: float) -> Any:
        from distributed import Client

        try:
            return await Client(
                self._scheduler, asynchronous=True, set_as_default=False, timeout=seconds
            )
        except (OSError, asyncio.TimeoutError) as error:
            raise BatchemoError(
                f"no Dask scheduler answers at {self._scheduler} ({seconds:g} s). Start it by"
                " `dask scheduler`, or see whether the address and the port are right"
            ) from error

    async def _work_on(self, work: Work[R], chunk: tuple[Recording, ...]) -> ChunkResult[R]:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            answer = await self._answer(work, chunk)
        except asyncio.CancelledError:
            if self._failure is not None:
                raise self._failure from None
            raise
        finally:
            self._tasks.discard(task)
        self._check_visible(answer, chunk)
        return answer.result

    async def _answer(self, work: Work[R], chunk: tuple[Recording, ...]) -> RemoteResult:
        from distributed import KilledWorker

        while True:
            client = self._client
            if client.status != "running":
                # It would keep the chunk until it has connected again by itself, for which there
                # is no limit of ours.
                await self._connect_again(client)
                continue
            try:
                answer: RemoteResult = await client.submit(
                    *(work_remotely, self._requirements, self._timeout, work, chunk),
                    pure=False,  # It would look for an equal task, by hashing all of it.
                    retries=0,
                )
                return answer
            except KilledWorker as error:
                raise BrokenExecutor(str(error)) from None
            except CancelledError:
                continue  # The scheduler is lost, or was told to forget all of its tasks.
            except Exception as error:
                if client.status != "running":
                    continue
                raise BatchemoError(
                    f"a worker of {self._scheduler} cannot take up work:"
                    f" {for_display(f'{type(error).__name__}: {error}')}. It needs batchemo"
                    f" {self._requirements.version} too: `batchemo doctor --executor` tells what"
                    " workers have"
                ) from error

    async def _connect_again(self, lost: Any) -> None:
        """Connect to the scheduler that takes the place of a lost one."""
        async with self._reconnecting:
            if self._failure is not None:
                raise self._failure
            if lost is not self._client:
                return  # It is done, for another chunk.
            with suppress(OSError, asyncio.TimeoutError):
                await asyncio.wait_for(lost.close(), CLOSE_SECONDS)
            try:
                self._client = await self._connect(RECONNECT_SECONDS)
            except BatchemoError:
                self._fail(
                    f"the Dask scheduler at {self._scheduler} is gone, and has not come back for"
                    f" {RECONNECT_SECONDS:g} s"
                )
            self._seen_at = time.monotonic()

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(LOOK_INTERVAL)
            await self._look()

    async def _look(self) -> None:
        """See how many workers there are; end the run if there have been none for too long."""
        if self._client.status != "running":
            return  # The scheduler is lost, of which the tasks take notice.
        with suppress(OSError, asyncio.TimeoutError):
            self._present = sum((await self._client.nthreads()).values())
        if self._present or not self._tasks:
            self._seen_at = time.monotonic()
        elif time.monotonic() - self._seen_at > NO_WORKERS_SECONDS:
            self._fail(
                f"the Dask scheduler at {self._scheduler} has had no workers for"
                f" {NO_WORKERS_SECONDS:g} s: start some by `dask worker {self._scheduler}`"
            )

    def _fail(self, reason: str) -> None:
        """End all work that is in flight with an error."""
        self._failure = BatchemoError(
            f"{reason}. What was finished is kept: the same command goes on from there"
        )
        for task in self._tasks:
            task.cancel()

    async def _close(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # The scheduler drops what no client asks for any more.
        await asyncio.wait_for(self._client.close(), CLOSE_SECONDS)

    def _check_visible(self, answer: RemoteResult, chunk: tuple[Recording, ...]) -> None:
        """Raise a BatchemoError if a worker does not see a recording that is here."""
        result = answer.result
        without_row = result.cut.keys() | result.lost.keys()
        others = (recording for place, recording in enumerate(chunk) if place not in without_row)
        for recording, row in zip(others, result.rows, strict=False):
            # A recording may have several rows, and then they fail for the same reason.
            first = row[0] if isinstance(row, tuple) and row else row
            is_lost = recording.size is not None and getattr(first, "reason", None) == "missing"
            if is_lost and os.path.exists(recording.path):
                raise BatchemoError(
                    f"{for_display(recording.path)} is on this machine, and not on {answer.host},"
                    " where a worker looked for it: all workers must see the recordings under the"
                    " same paths, such as on a network disk"
                )
