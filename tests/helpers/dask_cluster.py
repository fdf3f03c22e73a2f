"""A Dask cluster in processes of its own, so that all of it can be killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from scan_commands import environment

_CODE = """
import sys
from distributed import LocalCluster

with LocalCluster(
    n_workers=int(sys.argv[2]), threads_per_worker=1, scheduler_port=int(sys.argv[1]),
    dashboard_address=None,
):
    print("up", flush=True)
    sys.stdin.read()
"""


@dataclass(frozen=True)
class DaskCluster:
    """A scheduler, and workers of one thread that are started again when they die."""

    port: int
    process: subprocess.Popen[str]

    @property
    def address(self) -> str:
        """What `--executor` takes."""
        return f"dask://127.0.0.1:{self.port}"

    @property
    def scheduler(self) -> str:
        """What Dask takes."""
        return f"tcp://127.0.0.1:{self.port}"

    def workers(self) -> list[psutil.Process]:
        """Return the processes of the cluster's workers, not those that the workers have."""
        children = psutil.Process(self.process.pid).children()
        return [child for child in children if "spawn_main" in " ".join(child.cmdline())]

    def kill(self) -> None:
        """Kill the scheduler and the workers at once, as a power cut does."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def dask_cluster(
    *, port: int = 0, workers: int = 2, allowed_failures: int = 3
) -> Iterator[DaskCluster]:
    """Start a cluster whose workers' decoder may do harm, by a recording's name; kill it later."""
    port = port or _free_port()
    settings = environment(poison=True)
    settings["DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES"] = str(allowed_failures)
    settings["PYTHONPATH"] += f":{Path(__file__).parent}"
    process = subprocess.Popen(
        [sys.executable, "-c", _CODE, str(port), str(workers)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=settings,
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    cluster = DaskCluster(port, process)
    try:
        assert process.stdout.readline() == "up\n"
        yield cluster
    finally:
        if process.poll() is None:
            cluster.kill()
        process.stdin.close()
        process.stdout.close()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
