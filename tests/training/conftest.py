"""A file of an encoder with random weights, for all tests of recipes that have one."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def encoder_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file; to be read only."""
    pytest.importorskip("onnx")
    from made_encoder import write_encoder

    path = tmp_path_factory.mktemp("encoder") / "made.onnx"
    write_encoder(path)
    return path
