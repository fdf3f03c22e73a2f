"""Where the tests of audio put their recordings."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def recording_path(tmp_path: Path) -> Path:
    """The path of a recording that is still to be made."""
    return tmp_path / "sound.wav"
