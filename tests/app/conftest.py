"""What the tests of the page share: one worker, and the options of a page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from batchemo.app.config import AppOptions
from batchemo.app.worker_pool import Desks
from batchemo.bundles import Bundle


@pytest.fixture(scope="session")
def desks() -> Iterator[Desks]:
    """One worker for all tests."""
    desks = Desks(1)
    yield desks
    desks.close()


@pytest.fixture
def options(tiny_bundle: Bundle) -> AppOptions:
    """The options of a page with one tiny model."""
    return AppOptions((str(tiny_bundle.path),), jobs=1)
