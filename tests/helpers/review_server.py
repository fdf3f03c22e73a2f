"""The server of a review for tests: in a thread of this process, or as the command."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import requests
import uvicorn
from app_server import free_port, server_environment, wait_until, wav_bytes
from made_review import made_candidates, write_results

from batchemo.app.review.server import ReviewPage, application
from batchemo.app.worker_pool import WorkerPool
from batchemo.review.candidates import Candidates
from batchemo.review.queues import open_queue
from batchemo.review.session import Session
from batchemo.tables.labels import LabelsFile, key_of
from batchemo.workers.executor import InlineExecutor

COMMAND = [sys.executable, "-c", "from batchemo.cli import main; main()", "review"]


def write_recordings(folder: Path, names: list[str], seconds: float = 0.6) -> Candidates:
    """Write a short voice under each name, and return them as candidates."""
    for seed, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(wav_bytes(seconds, seed=seed % 7))
    made = made_candidates(len(names))
    return replace(made, keys=[key_of(str(folder), name) for name in names])


class Client:
    """Sends what a page sends."""

    def __init__(self, url: str, reviewer: str = "anna", page: str = "page") -> None:
        self.url = url
        self.common = {"reviewer": reviewer, "page": page}

    def post(self, name: str, **sent: Any) -> requests.Response:
        return requests.post(f"{self.url}/api/{name}", json={**self.common, **sent}, timeout=30)

    def next(self, count: int = 1, held: list[str] | None = None) -> list[dict[str, Any]]:
        got = self.post("next", count=count, held=held or [])
        assert got.status_code == 200, got.text
        clips: list[dict[str, Any]] = got.json()["clips"]
        return clips


@contextmanager
def served(candidates: Candidates, labels: Path, **options: Any) -> Iterator[str]:
    """Serve a review in a thread; yields its address."""
    session = Session(candidates, open_queue("uncertain", candidates), LabelsFile(labels))
    pool = WorkerPool(1, InlineExecutor)
    page = ReviewPage(session, candidates.labels, pool, "anna", **options)
    port = free_port()
    app = application(page, host="localhost")
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", lifespan="off"))
    # Not a daemon: its end is waited for.
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started, 20)
        yield f"http://localhost:{port}"
    finally:
        server.should_exit = True
        thread.join(20)


@contextmanager
def running_review(
    results: Path, folder: Path, *options: str, port: int | None = None
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run `batchemo review` as a process; yields its address and the process."""
    folder.mkdir(exist_ok=True)
    port = port or free_port()
    process = subprocess.Popen(
        [*COMMAND, str(results), "--no-browser", "--port", str(port), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=server_environment(folder),
        cwd=folder,
    )
    url = f"http://localhost:{port}"
    try:
        wait_until(lambda: is_ready(url, process), 60)
        yield url, process
    finally:
        process.terminate()
        process.communicate(timeout=20)


def is_ready(url: str, process: subprocess.Popen[str]) -> bool:
    assert process.poll() is None, process.communicate()[0]
    try:
        return requests.get(f"{url}/api/health", timeout=2).status_code == 200
    except requests.ConnectionError:
        return False


def write_review(folder: Path, names: list[str], seconds: float = 0.6) -> Path:
    """Write recordings and the table of their predictions; returns the table."""
    candidates = write_recordings(folder / "recordings", names, seconds)
    # The order of the queue is that of the names: from uncertain to certain.
    certain = np.linspace(0.4, 0.9, len(names), dtype=np.float32)
    rest = (1 - certain) / 2
    probabilities = np.stack([rest, certain, rest - 1e-3], axis=1)
    return write_results(
        folder / "results.parquet", replace(candidates, probabilities=probabilities)
    )
