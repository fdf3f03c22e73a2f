"""Trees of files, and the recordings that `open_sources` finds in them."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from batchemo.sources import Skipped, SourceOptions, open_sources

Make = Callable[..., str]
Find = Callable[..., tuple[list[str], Skipped]]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Create files below a new folder and return that folder; names may be bytes."""

    def make(*names: str | bytes) -> str:
        for name in names:
            path = tmp_path / os.fsdecode(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"sound")
        return str(tmp_path)

    return make


@pytest.fixture
def find() -> Find:
    """Return the files of the sources, in their order, and what was skipped."""

    def find(*paths: str, **options) -> tuple[list[str], Skipped]:
        sources = open_sources(SourceOptions(paths=paths, **options))
        return [recording.file for recording in sources], sources.skipped

    return find
