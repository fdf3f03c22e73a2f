"""Fixtures that more than one package's tests need."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from scan_commands import corpus, scan
from tiny_bundle import tiny_graph, tiny_info

from batchemo.bundles import Bundle, write_bundle
from batchemo.features import FeatureSet

# How long an example takes tells of the machine, not of the code.
settings.register_profile("batchemo", deadline=None)
settings.load_profile("batchemo")

__all__ = ["corpus", "scan"]

# Modules that stand in front of real ones, for the processes of tests alone.
collect_ignore = ["helpers"]


@pytest.fixture
def make_bundle(tmp_path: Path) -> Callable[..., Bundle]:
    """Makes valid tiny bundles that run on ONNX Runtime: `make_bundle(name="other", hop=1.0)`."""

    def make(*, seed: int = 0, folder: Path | None = None, **changes: Any) -> Bundle:
        info = tiny_info(**changes)
        recipe = FeatureSet.from_dict(info["recipe"])
        columns, frames = len(recipe.names), len(recipe.shape()) > 1
        files = {
            "model.onnx": tiny_graph(columns, len(info["labels"]), seed=seed, frames=frames),
            "README.md": b"# tiny\n\nMade weights, for tests only.\n",
        }
        return write_bundle(folder or tmp_path / "bundles" / info["name"], info, files)

    return make


@pytest.fixture
def tiny_bundle(make_bundle: Callable[..., Bundle]) -> Bundle:
    """A valid bundle of made weights; its `path` is what `--model` takes."""
    return make_bundle()
