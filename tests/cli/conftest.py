"""Commands analyse in this process, except in tests with the marker `process`."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def workers(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("process") is None:
        request.getfixturevalue("inline_workers")
