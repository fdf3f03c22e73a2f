"""What the tests of the page share: one worker, and the options of a page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from batchemo.app.config import AppOptions
from batchemo.app.worker_pool import WorkerPool
from batchemo.bundles import Bundle


@pytest.fixture(scope="session")
def pool() -> Iterator[WorkerPool]:
    """One worker for all tests."""
    pool = WorkerPool(1)
    yield pool
    pool.close()


@pytest.fixture
def options(tiny_bundle: Bundle) -> AppOptions:
    """The options of a page with one tiny model."""
    return AppOptions((str(tiny_bundle.path),), jobs=1)
