"""Starts a process for each GPU that a run may use, and starts those again that die.

The files of a run's GPU processes, in a scratch folder:

    gpu              the socket that all of them listen on (see `gpu_process`)
    gpu-NUMBER.log   what a process wrote to stderr
    gpu.failure      why there are no such processes any more
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from batchemo.bundles import device
from batchemo.bundles.device import Provider
from batchemo.common.locks import scratch_folder
from batchemo.common.text import counted
from batchemo.errors import DeviceError
from batchemo.inference.settings import ModelSettings

SOCKET = "gpu"
FAILURE = "gpu.failure"
REFUSED = 3
"""The exit code of a process that would end in the same way if it were started again."""
MAX_DEATHS = 3
"""How many times in a row a process may die before the run ends."""

_LONG_LIFE = 60.0
"""Seconds after which a death counts as the first one again."""
_BACKLOG = 1024
_MAIN = (
    "import json, sys; arguments = json.loads(sys.argv[1]); sys.path[:] = arguments['path']; "
    "from batchemo.inference.gpu_process import main; main(arguments)"
)


@contextmanager
def open_gpu_pool(settings: Sequence[ModelSettings]) -> Iterator[GpuPool | None]:
    """Run the models on all GPUs while the block lasts; yield None where the processor runs them.

    >>> with open_gpu_pool([ModelSettings()]) as pool:
    ...     print(pool)
    None
    """
    if not settings or settings[0].device == "cpu":
        yield None
        return
    with scratch_folder() as folder:
        pool = GpuPool(folder, [each.model for each in settings])
        try:
            pool.start(device.cuda_providers())
            yield pool
        finally:
            pool.close()


class GpuPool:
    """The GPU processes of a run; workers find them by their folder."""

    def __init__(self, folder: Path, models: Sequence[str]) -> None:
        self.folder = folder
        self.restarts = 0
        """How many processes died and were started again."""
        self._models = list(models)
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        # What follows is only changed by who has the lock: there is a thread for each process.
        self._lock = threading.Lock()
        self._is_closed = False
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def start(self, providers: Sequence[Provider]) -> None:
        """Start a process for each provider; return before the models are loaded."""
        try:
            self._listener.bind(str(self.folder / SOCKET))
            self._listener.listen(_BACKLOG)
            for number, provider in enumerate(providers):
                # The kernel ends a process with the thread that started it: it lasts as long.
                arguments = number, provider
                threading.Thread(target=self._keep_running, args=arguments, daemon=True).start()
        except (OSError, RuntimeError) as error:
            raise DeviceError(f"the processes for GPUs cannot be started: {error}") from None

    def close(self) -> None:
        """End all processes."""
        with self._lock:
            self._kill()
        for process in self._processes.values():
            process.wait()

    def _kill(self) -> None:
        self._is_closed = True
        self._listener.close()
        for process in self._processes.values():
            process.kill()

    def warnings(self) -> list[str]:
        """Return what the user should know of the processes."""
        if not self.restarts:
            return []
        times = counted(self.restarts, "time")
        return [f"a process that runs models on a GPU died {times} and was started again"]

    def _keep_running(self, number: int, provider: Provider) -> None:
        deaths = 0
        while True:
            began = time.monotonic()
            try:
                process = self._start_process(number, provider)
            except OSError as error:
                self._give_up(f"cannot be started: {error}")
                return
            if process is None:
                return
            code = process.wait()
            if self._is_closed:
                return
            deaths = 1 if time.monotonic() - began > _LONG_LIFE else deaths + 1
            if code == REFUSED:
                self._give_up(f"cannot run them: {self._last_words(number)}")
                return
            if deaths == MAX_DEATHS:
                self._give_up(f"died {deaths} times in a row: {self._cause(number, code)}")
                return
            with self._lock:
                self.restarts += 1

    def _start_process(self, number: int, provider: Provider) -> subprocess.Popen[bytes] | None:
        """Start a process, unless the pool is closed."""
        arguments = {
            "path": sys.path,
            "parent": os.getpid(),
            "listener": self._listener.fileno(),
            "folder": str(self.folder),
            "models": self._models,
            "provider": asdict(provider),
        }
        with self._lock, self._log(number).open("wb") as log:
            if self._is_closed:
                return None
            process = self._processes[number] = subprocess.Popen(
                [sys.executable, "-c", _MAIN, json.dumps(arguments)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                pass_fds=[self._listener.fileno()],
            )
        return process

    def _give_up(self, reason: str) -> None:
        """Let every worker that asks for a batch know that there is no process any more."""
        with self._lock:
            if self._is_closed:
                return
            (self.folder / FAILURE).write_text(
                f"the process that runs models on the GPU {reason}. The same command goes on from "
                "what was finished; --device cpu does without the GPU"
            )
            (self.folder / SOCKET).unlink()
            self._kill()

    def _cause(self, number: int, code: int) -> str:
        if code < 0:
            return f"killed by {signal.Signals(-code).name}"
        return self._last_words(number) or f"it ended with {code}"

    def _last_words(self, number: int) -> str:
        """Return the last line that a process wrote: what was wrong, also of a traceback."""
        with suppress(OSError):  # The run has ended meanwhile.
            lines = self._log(number).read_text(errors="replace").splitlines()
            return lines[-1] if lines else ""
        return ""

    def _log(self, number: int) -> Path:
        return self.folder / f"gpu-{number}.log"
