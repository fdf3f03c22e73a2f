"""Fixtures of the page's tests: pools of workers, and the options of a page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from batchemo.app.config import AppOptions
from batchemo.app.worker_pool import WorkerPool
from batchemo.bundles import Bundle
from batchemo.workers.executor import InlineExecutor


@pytest.fixture
def pool() -> WorkerPool:
    """A pool whose only worker is this process."""
    return WorkerPool(1, InlineExecutor)


@pytest.fixture(scope="session")
def process_pool() -> Iterator[WorkerPool]:
    """A pool with one worker process; tests that use it have the marker `process`."""
    pool = WorkerPool(1)
    yield pool
    pool.close()


@pytest.fixture
def options(tiny_bundle: Bundle) -> AppOptions:
    """The options of a page with one tiny model."""
    return AppOptions((str(tiny_bundle.path),), jobs=1)


@pytest.fixture
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of all temporary files that the test makes."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder
