"""Files of encoders with random weights, for all tests of recipes that have one."""

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


@pytest.fixture(scope="session")
def light_encoder_file(encoder_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A light encoder as it is before it learns; to be read only."""
    from made_encoder import write_light_encoder

    path = tmp_path_factory.mktemp("encoder") / "light.onnx"
    write_light_encoder(path, encoder_file)
    return path
